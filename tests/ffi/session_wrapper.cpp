// Everything in gatekey/session.hpp: each member is called.
#include <gatekey.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace gatekey;

int checks_made = 0;

void check(bool holds, const char *what, int line) {
    checks_made++;
    if (holds) return;
    std::fprintf(stderr, "session_wrapper.cpp:%d: failed: %s\n", line, what);
    std::exit(EXIT_FAILURE);
}

#define CHECK(condition) check((condition), #condition, __LINE__)

template <class Call> void refused(status wanted, Call call, int line) {
    try {
        call();
    } catch (const error &why) {
        check(why.status() == wanted, why.what(), line);
        return;
    }
    check(false, "nothing was thrown", line);
}

#define REFUSED(wanted, call) refused((wanted), [&] { call; }, __LINE__)

void cookies() {
    const cookie refresh("__Host-refresh");
    CHECK(refresh.set("v") == "__Host-refresh=v; Path=/; HttpOnly; Secure; SameSite=Lax");
    CHECK(refresh.clear().find("Max-Age=0") != std::string::npos);
    CHECK(refresh.read("a=1; __Host-refresh=v") == "v");
    CHECK(!refresh.read("a=1") && !refresh.read({}));
    REFUSED(status::malformed_cookie, (void)refresh.read("__Host-refresh=1;__Host-refresh=2"));
    REFUSED(status::invalid_argument, (void)refresh.set("a b"));

    cookie_attributes is;
    is.path = "/api";
    is.domain = "example.com";
    is.max_age = 60;
    is.same_site = same_site::none;
    is.partitioned = is.for_scripts = true;
    CHECK(cookie("a", is).set("v") == "a=v; Path=/api; Domain=example.com; Max-Age=60; Secure; "
                                      "SameSite=None; Partitioned");
    REFUSED(status::invalid_configuration, cookie("__Host-a", is));
    is = {};
    is.same_site = same_site::strict;
    is.danger_allow_http = true;
    CHECK(cookie("a", is).set("v") == "a=v; Path=/; HttpOnly; SameSite=Strict");
}

void requests() {
    const std::array<std::uint8_t, 32> secret{1};
    const csrf strict(secret);
    const std::string token = strict.issue("s1");
    CHECK(token.size() == 64);
    strict.check("s1", token, {"POST"});
    strict.check("s1", {}, {"GET", "cross-site"});
    strict.check("s1", token, {"POST", {}, "https://a.example", "a.example"});
    REFUSED(status::csrf_rejected, strict.check("s2", token, {"POST"}));
    REFUSED(status::csrf_rejected, strict.check("s1", token, {"POST", "same-site"}));
    // A header that is there and empty is not one that is missing.
    REFUSED(status::csrf_rejected, strict.check("s1", token, {"POST", std::string_view()}));
    csrf(secret, GK_CSRF_ALLOW_SAME_SITE).check("s1", token, {"POST", "same-site"});
    REFUSED(status::weak_key, csrf(bytes_view(secret.data(), 31)));
}

} // namespace

int main() {
    cookies();
    requests();
    std::printf("session_wrapper: %d checks\n", checks_made);
    return EXIT_SUCCESS;
}
