#!/usr/bin/env bash
# Builds tests/ffi/threads.c, examples/c-service and examples/cpp-service under ThreadSanitizer and runs them, the services
# with SERVICE_REQUESTS (300) requests of all kinds at once: a race on the C or C++ side of the calls ends it. A program
# with a race is run first, and must be caught. The environment is that of run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${FFI_CC:=cc}" "${FFI_CXX:=c++}" "${C_STANDARD:=c11}" "${CXX_STANDARD:=c++17}" "${SERVICE_REQUESTS:=300}"
work=$FFI_OUT/tsan
rm -rf "$work" && mkdir -p "$work" "$FFI_OUT/lib"
library=$FFI_OUT/lib/libgatekey.so
for name in "$library" "$library.$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)"; do
    ln -sf "$FFI_LIBRARY/libgatekey.so" "$name"
done
build() { # SOURCE OUT FLAG...
    local compiler="$FFI_CC -std=$C_STANDARD"
    case $1 in *.cpp) compiler="$FFI_CXX -std=$CXX_STANDARD" ;; esac
    $compiler -g -O1 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsanitize=thread "$1" -o "$2" \
        -L"$FFI_OUT/lib" -lgatekey -Wl,-rpath,"$FFI_OUT/lib" -lpthread "${@:3}"
}
cat > "$work/race.c" << 'END'
#include <gatekey.h>
#include <pthread.h>
static unsigned long count;
static void *counts(void *unused) {
    for (int i = 0; i < 10000; i++) count += gk_abi_version() + 1;
    return unused;
}
int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, counts, NULL);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}
END
if ! build "$work/race.c" "$work/race" 2> "$work/log"; then
    grep -q tsan "$work/log" || { cat "$work/log"; exit 1; }
    echo "ffi: SKIPPED ThreadSanitizer: $FFI_CC lacks it"
    exit 0
fi
build tests/ffi/threads.c "$work/threads"
export TSAN_OPTIONS="suppressions=$PWD/tests/ffi/tsan.supp exitcode=66 halt_on_error=1"
# ThreadSanitizer wants addresses where it expects them.
under() { setarch "$(uname -m)" -R "$@"; }

passed=0 failed=0
check() { # NAME OUTCOME
    if [ "$2" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); sed 's/^/    /' "$work/log"; fi
    echo "test tsan $1 ... $2"
}
code=0 outcome=FAILED
under "$work/race" > "$work/log" 2>&1 || code=$?
[ $code = 66 ] && grep -q 'data race' "$work/log" && outcome=ok
check a_race_is_caught $outcome
outcome=FAILED
under "$work/threads" "$PWD" > "$work/log" 2>&1 && outcome=ok
check threads $outcome
load() { # KIND PROGRAM
    local outcome=FAILED
    GATEKEY_LOG=off "$PYTHON" tests/ffi/load.py "$1" "$2" "$work/$1 load under ThreadSanitizer" "$SERVICE_REQUESTS" 8 \
        setarch "$(uname -m)" -R && outcome=ok
    if [ $outcome = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
if tests/need.sh microhttpd.h=libmicrohttpd-dev; then
    build examples/c-service/orders.c "$work/orders" -lmicrohttpd
    load c "$work/orders"
fi
if tests/need.sh /usr/include/httplib.h=libcpp-httplib-dev pkg-config; then
    # shellcheck disable=SC2046 # several words
    build examples/cpp-service/service.cpp "$work/service" $(pkg-config --cflags --libs cpp-httplib)
    load cpp "$work/service"
fi
echo "test result: $passed passed; $failed failed; 0 ignored"
[ $failed = 0 ]
