#!/usr/bin/env bash
# Builds examples/c-service and runs it. c_service.py sends what clients and attackers send: to one
# process with threads (under the sanitizers, where the compiler has them), to four workers, and to a
# daemon; load.py sends 1,000 requests of all kinds at once, and SERVICE_REQUESTS (100; `make test-all`
# has 1,000) under Valgrind. The environment is that of run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${FFI_CC:=cc}" "${C_STANDARD:=c11}" "${SERVICE_REQUESTS:=100}"
tests/need.sh microhttpd.h=libmicrohttpd-dev valgrind || exit 0

work=$FFI_OUT/c-service
rm -rf "$work" && mkdir -p "$work" "$FFI_OUT/lib"
library=$FFI_OUT/lib/libgatekey.so
for name in "$library" "$library.$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)"; do
    ln -sf "$FFI_LIBRARY/libgatekey.so" "$name"
done
build() { # OUT FLAG...
    $FFI_CC -std="$C_STANDARD" -g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude "${@:2}" \
        examples/c-service/orders.c -o "$1" -L"$FFI_OUT/lib" -lgatekey -Wl,-rpath,"$FFI_OUT/lib" -lmicrohttpd -lpthread
}
build "$work/orders"
sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all'
sanitized=$work/sanitized
# shellcheck disable=SC2086 # two words
if ! build "$sanitized" $sanitizers 2> /dev/null; then
    echo "ffi: SKIPPED the sanitizers: $FFI_CC lacks them"
    sanitized=$work/orders
fi
[ "$sanitized" = "$work/orders" ] && sanitizers=
MATRIX_FLAGS=$sanitizers MATRIX_LINK=-lmicrohttpd tests/ffi/matrix.sh microhttpd "$work/matrix"
outcomes=$work/outcomes ended=0
"$PYTHON" tests/ffi/c_service.py "$work/orders" "$sanitized" "$work" | tee "$outcomes" || ended=1
leaks=definite,possible
valgrind="valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=$leaks --errors-for-leak-kinds=$leaks"
"$PYTHON" tests/ffi/load.py c "$sanitized" "$work/load" 1000 8 | tee -a "$outcomes" || ended=1
"$PYTHON" tests/ffi/load.py c "$work/orders" "$work/load under Valgrind" "$SERVICE_REQUESTS" 4 $valgrind | tee -a "$outcomes" || ended=1
count() { grep -c "^test .* \.\.\. $1" "$outcomes" || true; }
echo "test result: $(count ok) passed; $(count FAILED) failed; 0 ignored"
[ $ended = 0 ]
