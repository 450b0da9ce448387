#!/usr/bin/env bash
# Builds examples/cpp-service with cpp-httplib, under AddressSanitizer and UndefinedBehaviorSanitizer, and has cpp_service.py
# send it ordinary and hostile requests, and load.py 1,000 at once, as many as SERVICE_REQUESTS (100) under Valgrind; then what
# must not compile or start. Debian 12's cpp-httplib has no cookies.
# HTTPLIB_SOURCE may name a folder with httplib.h (and httplib.cpp, where it is split) of 0.44 or later: cookies are tried with it.
# The environment is that of run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${FFI_CXX:=c++}" "${CXX_STANDARD:=c++17}" "${HTTPLIB_SOURCE:=}"
tests/need.sh /usr/include/httplib.h=libcpp-httplib-dev pkg-config openssl || exit 0

work=$FFI_OUT/cpp-service
rm -rf "$work" && mkdir -p "$work" "$FFI_OUT/lib"
library=$FFI_OUT/lib/libgatekey.so
for name in "$library" "$library.$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)"; do
    ln -sf "$FFI_LIBRARY/libgatekey.so" "$name"
done
flags="-std=$CXX_STANDARD -g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude"
link="-L$FFI_OUT/lib -lgatekey -Wl,-rpath,$FFI_OUT/lib -pthread"
sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
# Debian's library is split; elsewhere the header may be all of it.
split=$(pkg-config --libs cpp-httplib 2> /dev/null || ls /usr/lib/*/libcpp-httplib.so 2> /dev/null | head -n 1)
# What the library was built with: without, its classes have other members here than there.
features=$(pkg-config --cflags cpp-httplib 2> /dev/null || true)
early_flags=$flags flags="$flags $features"
version=$(sed -n 's/^#define CPPHTTPLIB_VERSION "\(.*\)"/\1/p' /usr/include/httplib.h)
early=$([ "$(printf '%s\n0.44\n' "$version" | sort -V | head -n 1)" = 0.44 ] || echo yes)

passed=0 failed=0
check() { # NAME OUTCOME
    if [ "$2" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    echo "test cpp-service $1 ... $2"
}
drive() { # PROGRAM bearer|cookies
    local outcome=FAILED
    mkdir "$work/$2-$(basename "$1")"
    GATEKEY_LOG=off "$PYTHON" tests/ffi/cpp_service.py "$1" "$work/$2-$(basename "$1")" "$2" && outcome=ok
    check "$(basename "$1") $2" $outcome
}
load() { # PROGRAM KIND WHAT REQUESTS THREADS UNDER...: of all kinds, at once
    local outcome=FAILED
    GATEKEY_LOG=off "$PYTHON" tests/ffi/load.py "$2" "$1" "$work/load-$(basename "$1")/$3" "${@:4}" && outcome=ok
    if [ $outcome = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
refused_by_compiler() { # NAME SENTENCE FLAGS...; the program is standard input
    local outcome=FAILED
    if ! $FFI_CXX $flags "${@:3}" -fsyntax-only -x c++ - > "$work/log" 2>&1 && grep -qF "$2" "$work/log"; then outcome=ok; fi
    check "$1" $outcome
    [ $outcome = ok ] || head -n 20 "$work/log"
}

compilers=$FFI_CXX
if command -v clang++ > /dev/null && [ "$FFI_CXX" != clang++ ]; then compilers="$FFI_CXX clang++"; fi
for compiler in $compilers; do
    program=$work/$(basename "$compiler")
    with=$sanitizers
    if ! echo 'int main() {}' | $compiler -x c++ $sanitizers - -o /dev/null 2> /dev/null; then
        echo "ffi: SKIPPED what $compiler would sanitize of the C++ service: it lacks the sanitizers"
        with=
    fi
    $compiler $flags $with examples/cpp-service/service.cpp -o "$program" $link $split
    drive "$program" bearer
    load "$program" cpp 'load' 1000 8
done
if tests/need.sh valgrind; then
    $FFI_CXX $flags examples/cpp-service/service.cpp -o "$work/plain" $link $split
    leaks=definite,possible
    load "$work/plain" cpp 'load under Valgrind' "${SERVICE_REQUESTS:-100}" 4 \
        valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=$leaks --errors-for-leak-kinds=$leaks
fi
# The rows with cookies are only where they are safe.
matrix() { # NAME FLAGS LINK
    local outcome=FAILED
    MATRIX_FLAGS=$2 MATRIX_LINK=$3 tests/ffi/matrix.sh httplib "$work/$1" && outcome=ok
    check "$1" $outcome
}
if echo 'int main() {}' | $FFI_CXX -x c++ $sanitizers - -o /dev/null 2> /dev/null; then with=$sanitizers; else with=; fi
matrix the_golden_matrix "$with $features" "$split"

if [ -n "$early" ]; then
    refused_by_compiler cookies_do_not_compile_with_an_early_version \
        'cookies need cpp-httplib 0.44 or later: earlier versions decode' -DCOOKIES < examples/cpp-service/service.cpp
    refused_by_compiler trusted_proxies_do_not_compile_with_an_early_version \
        'trusted proxies need cpp-httplib 0.44 or later: earlier versions decode' << 'END'
#include <gatekey.hpp>
#include <gatekey/httplib.hpp>
int main() { gatekey::httplib::guard::builder().trusted_proxy("10.0.0.0/8"); }
END
    # Who says that it is corrected is not believed: it is tried.
    $FFI_CXX $flags -DCOOKIES -DGATEKEY_HTTPLIB_AS_SENT=1 examples/cpp-service/service.cpp -o "$work/untrue" $link $split
    head -c 32 /dev/urandom > "$work/csrf"
    outcome=FAILED
    if ! bash -c 'ulimit -c 0; "$@"; exit $?' untrue "$work/untrue" "sqlite:///$work/untrue.sqlite" "$work/csrf" > "$work/log" 2>&1 &&
        grep -q 'leaves the values of headers as they were sent' "$work/log"; then outcome=ok; fi
    check what_is_only_said_to_be_corrected_does_not_start $outcome
fi
refused_by_compiler a_route_without_a_demand_does_not_compile 'a route needs a demand: server.Get(path, demand, handler)' << 'END'
#include <gatekey.hpp>
#include <gatekey/httplib.hpp>
int main() {
    gatekey::httplib::server server(gatekey::httplib::guard::builder().build());
    server.Get("/orders", [](const httplib::Request &, httplib::Response &) {});
}
END
for way in 'set_mount_point("/", ".")' 'set_pre_routing_handler(nullptr)' 'httplib::Server::Get("/", nullptr)'; do
    printf '#include <gatekey.hpp>\n#include <gatekey/httplib.hpp>\nvoid way(gatekey::httplib::server &server) { server.%s; }\n' "$way" \
        > "$work/way.cpp"
    refused_by_compiler "no_way_around_by_${way%%(*}" inaccessible < "$work/way.cpp"
done
cat > "$work/mistakes.cpp" << 'END'
#include <gatekey.hpp>
#include <gatekey/httplib.hpp>
#include <iostream>
int main() {
    const auto keys = gatekey::store::open("memory:").api_keys();
    gatekey::httplib::server server(gatekey::httplib::guard::builder().api_keys(keys).build());
    auto demand = gatekey::guard_demand::builder().build();
    const auto taken = std::move(demand);
    try {
        server.Get("/", demand, [](const auto &, auto &, const auto &) {});
    } catch (const gatekey::error &err) {
        std::cout << err.what() << '\n';
    }
    try {
        server.Post("/", gatekey::guard_demand::builder().kind(gatekey::access_kind::session).build(),
                    [](const auto &, auto &, const auto &) {});
    } catch (const gatekey::error &err) {
        std::cout << err.claim() << ": " << err.what() << '\n';
    }
    std::vector<gatekey::key> secrets;
    secrets.push_back(gatekey::key::from_secret(std::string("one secret, of 32 bytes or more.."), gatekey::alg::hs256));
    gatekey::former_tokens former(gatekey::key_set(secrets), "sub", 4102444800);
    former.claim("type", "\"access\"");
    gatekey::httplib::server before(gatekey::httplib::guard::builder().former_tokens(former, [](const gatekey::former_user &user) {
        return user.subject() == "alice" ? std::optional(std::vector<std::string>{"read"}) : std::nullopt;
    }).build());
    before.Get("/", gatekey::guard_demand::builder().scope("read").build(),
               [](const auto &, auto &answer, const gatekey::access &who) { answer.set_content(std::string(*who.subject()), "text/plain"); });
    const int at = before.bind_to_any_port("127.0.0.1");
    std::thread answering([&] { before.listen_after_bind(); });
    for (const char *const user : {"alice", "bob"}) {
        const auto token = gatekey::signer::builder(secrets[0]).ttl(60).build().sign(
            gatekey::claims::from_json(std::string(R"({"type":"access","sub":")") + user + "\"}"));
        if (const auto got = httplib::Client("127.0.0.1", at).Get("/", httplib::Headers{{"Authorization", "Bearer " + token}}))
            std::cout << "of before: " << user << ' ' << got->status << '\n';
    }
    before.stop();
    answering.join();
    server.Get("/throws", gatekey::guard_demand::builder().make_public().build(),
               [](const auto &, auto &answer, const auto &) {
                   answer.set_content("half", "text/plain");
                   throw std::runtime_error("of no concern to callers");
               });
    const int port = server.bind_to_any_port("127.0.0.1");
    std::thread serving([&] { server.listen_after_bind(); });
    if (const auto got = httplib::Client("127.0.0.1", port).Get("/throws")) {
        std::cout << got->status << ' ' << got->body << '\n';
        for (const auto &[name, value] : got->headers) std::cout << name << ": " << value << '\n';
    }
    server.stop();
    serving.join();
}
END
$FFI_CXX $flags "$work/mistakes.cpp" -o "$work/mistakes" $link $split
outcome=FAILED
"$work/mistakes" > "$work/log" 2>&1 && grep -q 'a route needs a demand and a handler, and one was empty' "$work/log" && outcome=ok
check an_empty_demand_stops_the_start $outcome
outcome=FAILED
grep -q '^kinds: The route takes kinds of credentials of which this guard has none' "$work/log" && outcome=ok
check a_demand_that_cannot_be_met_stops_the_start $outcome
outcome=FAILED
grep -qx 'of before: alice 200' "$work/log" && grep -qx 'of before: bob 401' "$work/log" && outcome=ok
check former_tokens_of_users_that_are_looked_up $outcome
outcome=FAILED
if grep -qxF '500 {"type":"about:blank","title":"Internal Server Error","status":500}' "$work/log" &&
    grep -qx 'Content-Type: application/problem+json' "$work/log" && ! grep -qi concern "$work/log"; then outcome=ok; fi
check what_a_handler_throws_is_not_told $outcome
[ $failed = 0 ] || cat "$work/log"

if [ -n "$split" ] && [[ $features == *OPENSSL_SUPPORT* ]]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
        -keyout "$work/tls.key" -out "$work/tls.pem" 2> /dev/null
    cat > "$work/tls.cpp" << 'END'
#include <gatekey.hpp>
#include <gatekey/httplib.hpp>
#include <iostream>
int main(int, char **argv) {
    const auto keys = gatekey::store::open("memory:").api_keys();
    const auto issued = keys.create(gatekey::api_key_spec().owner("acme"));
    gatekey::httplib::ssl_server server(gatekey::httplib::guard::builder().api_keys(keys).build(), argv[1], argv[2]);
    if (!server.is_valid()) return 1;
    server.Get("/", gatekey::guard_demand::builder().build(),
               [](const auto &, auto &answer, const gatekey::access &who) {
                   answer.set_content(std::string(who.subject().value_or("?")) + " " + who.address().value_or("?"), "text/plain");
               });
    const int port = server.bind_to_any_port("127.0.0.1");
    std::thread serving([&] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
    httplib::SSLClient client("127.0.0.1", port);
    client.set_ca_cert_path(argv[1]);
    const std::string secret(issued.secret.view());
    for (const auto &headers : {httplib::Headers{{"X-API-Key", secret}}, httplib::Headers{}}) {
        const auto got = client.Get("/", headers);
        if (!got) return 2;
        std::cout << got->status << ' ' << (got->status == 200 ? got->body : "") << '\n';
    }
    server.stop();
    serving.join();
}
END
    outcome=FAILED
    $FFI_CXX $flags $with "$work/tls.cpp" -o "$work/tls" $link $split -lssl -lcrypto
    "$work/tls" "$work/tls.pem" "$work/tls.key" > "$work/log" 2>&1 || true
    if printf '%s\n' '200 acme 127.0.0.1' '401 ' | cmp -s - "$work/log"; then outcome=ok; else cat "$work/log"; fi
    check a_guard_behind_tls $outcome
fi
if [ -n "$HTTPLIB_SOURCE" ]; then
    if [ -e "$HTTPLIB_SOURCE/httplib.cpp" ]; then
        $FFI_CXX -std="$CXX_STANDARD" -g -O1 -w $sanitizers -c -I"$HTTPLIB_SOURCE" "$HTTPLIB_SOURCE/httplib.cpp" -o "$work/httplib.o"
        split=$work/httplib.o
    else
        split=
    fi
    $FFI_CXX $early_flags $sanitizers -DCOOKIES -isystem "$HTTPLIB_SOURCE" examples/cpp-service/service.cpp -o "$work/later" $link $split
    drive "$work/later" cookies
    load "$work/later" cpp-cookies 'load with cookies' 1000 8
    # Behind a Unix socket an address in a header is believed by the word `unix` alone.
    cat > "$work/unix.cpp" << 'END'
#include <gatekey.hpp>
#include <gatekey/httplib.hpp>
#include <iostream>
int main(int, char **argv) {
    const auto keys = gatekey::store::open("memory:").api_keys();
    for (const char *const trusted : {"unix", "127.0.0.0/8", "0.0.0.0/0", "::/0"}) {
        gatekey::httplib::guard::builder builder;
        gatekey::httplib::server server(builder.api_keys(keys).trusted_proxy(trusted).build());
        server.Get("/", gatekey::guard_demand::builder().make_public().build(),
                   [](const auto &, auto &answer, const gatekey::access &who) {
                       answer.set_content(std::string(who.address().value_or("unknown")), "text/plain");
                   });
        ::unlink(argv[1]);
        server.set_address_family(AF_UNIX);
        if (!server.bind_to_port(argv[1], 80)) return 1;
        std::thread serving([&] { server.listen_after_bind(); });
        while (!server.is_running()) std::this_thread::yield();
        for (const bool sent : {true, false}) {
            httplib::Client client(argv[1]);
            client.set_address_family(AF_UNIX);
            const auto got = client.Get("/", sent ? httplib::Headers{{"X-Forwarded-For", "192.0.2.9"}} : httplib::Headers{});
            std::cout << trusted << ' ' << (got ? got->body : "nothing") << '\n';
        }
        server.stop();
        serving.join();
    }
}
END
    $FFI_CXX $early_flags $sanitizers -isystem "$HTTPLIB_SOURCE" "$work/unix.cpp" -o "$work/unix" $link $split
    outcome=FAILED
    "$work/unix" "$work/socket" > "$work/log" 2>&1 || true
    if printf '%s\n' 'unix 192.0.2.9' 'unix unknown' '127.0.0.0/8 unknown' '127.0.0.0/8 unknown' '0.0.0.0/0 unknown' \
        '0.0.0.0/0 unknown' '::/0 unknown' '::/0 unknown' | cmp -s - "$work/log"; then outcome=ok; else cat "$work/log"; fi
    check a_unix_socket_is_trusted_by_its_word $outcome
    matrix the_golden_matrix_with_cookies "-DCOOKIES -isystem $HTTPLIB_SOURCE $sanitizers" "$split"
else
    echo "ffi: SKIPPED cookies behind cpp-httplib: HTTPLIB_SOURCE names no folder with version 0.44 or later"
fi
echo "test result: $passed passed; $failed failed; 0 ignored"
[ $failed = 0 ]
