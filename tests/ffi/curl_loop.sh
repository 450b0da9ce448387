#!/usr/bin/env bash
# Builds examples/curl-loop and runs it: curl_loop.py gives it a real authorization server, and peers that do as they
# should not. Under the sanitizers, where the compiler has them. CURL_LOOP_MORE=1 (`make test-all`): also without them and
# under Valgrind, with gcc and clang. The environment is that of run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${FFI_CC:=cc}" "${C_STANDARD:=c11}" "${CURL_LOOP_MORE:=}"
tests/need.sh curl/curl.h=libcurl4-openssl-dev || exit 0
printf '#include <curl/curl.h>\n#if LIBCURL_VERSION_NUM < 0x075500\n#error old\n#endif\n' | $FFI_CC -x c -fsyntax-only - 2> /dev/null ||
    { echo "ffi: SKIPPED curl-loop: libcurl 7.85 or later is needed" && exit 0; }

work=$FFI_OUT/curl-loop
rm -rf "$work" && mkdir -p "$work" "$FFI_OUT/lib"
library=$FFI_OUT/lib/libgatekey.so
for name in "$library" "$library.$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)"; do
    ln -sf "$FFI_LIBRARY/libgatekey.so" "$name"
done
build() { # CC OUT FLAG...
    "$1" -std="$C_STANDARD" -g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude "${@:3}" \
        examples/curl-loop/loop.c -o "$2" -L"$FFI_OUT/lib" -lgatekey -Wl,-rpath,"$FFI_OUT/lib" -lcurl
}
sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all'
# shellcheck disable=SC2086 # two words
if ! build "$FFI_CC" "$work/loop" $sanitizers 2> /dev/null; then
    echo "ffi: SKIPPED the sanitizers: $FFI_CC lacks them"
    build "$FFI_CC" "$work/loop"
fi
"$PYTHON" tests/ffi/curl_loop.py "$work/loop" "$work"
[ -n "$CURL_LOOP_MORE" ] || exit 0
if tests/need.sh clang; then
    # shellcheck disable=SC2086 # two words
    build clang "$work/clang" $sanitizers 2> /dev/null || build clang "$work/clang"
    "$PYTHON" tests/ffi/curl_loop.py "$work/clang" "$work"
fi
if tests/need.sh valgrind; then
    build "$FFI_CC" "$work/plain"
    leaks=definite,possible
    "$PYTHON" tests/ffi/curl_loop.py "$work/plain" "$work" \
        valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=$leaks --errors-for-leak-kinds=$leaks
fi
