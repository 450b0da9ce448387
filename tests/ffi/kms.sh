#!/usr/bin/env bash
# Builds examples/kms and runs it against SoftHSM, in a token of its own: two keys, a rotation, forked workers and threads,
# each signature verified. KMS_TOKENS says how many tokens a thread signs (10; `make test-all` has each key sign 10,240).
# The environment is that of run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${FFI_CC:=cc}" "${C_STANDARD:=c11}" "${KMS_TOKENS:=10}"
header=/usr/include/p11-kit-1/p11-kit/pkcs11.h
tests/need.sh softhsm2-util=softhsm2 $header=libp11-kit-dev || exit 0
module=$(ls /usr/lib/softhsm/libsofthsm2.so /usr/lib*/*/softhsm/libsofthsm2.so 2> /dev/null | head -n 1)

work=$FFI_OUT/kms
rm -rf "$work" && mkdir -p "$work/tokens" "$FFI_OUT/lib"
library=$FFI_OUT/lib/libgatekey.so
for name in "$library" "$library.$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)"; do
    ln -sf "$FFI_LIBRARY/libgatekey.so" "$name"
done
build() { # SOURCE OUT
    $FFI_CC -std="$C_STANDARD" -g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude -isystem /usr/include/p11-kit-1 \
        "$1" -o "$2" -L"$FFI_OUT/lib" -lgatekey -Wl,-rpath,"$FFI_OUT/lib" -lpthread -ldl
}
build examples/kms/kms.c "$work/kms"
build tests/ffi/kms/lost.c "$work/lost"

export SOFTHSM2_CONF=$work/softhsm2.conf
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$work" > "$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label gatekey --pin 1234 --so-pin 5678 > /dev/null
echo 1234 > "$work/pin" && echo 4321 > "$work/wrong-pin"

passed=0 failed=0
check() { # NAME: what the last line of standard input says
    if [ "$2" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    echo "test kms $1 ... $2"
}
outcome=FAILED
"$work/kms" "$module" gatekey "$work/pin" "$KMS_TOKENS" > "$work/log" 2>&1 &&
    [ "$(grep -c "have signed and verified $((8 * KMS_TOKENS)) tokens each" "$work/log")" = 2 ] &&
    grep -q '"state":"active".*"by_callback":true' "$work/log" && outcome=ok
check workers_and_a_rotation $outcome
[ $outcome = ok ] || sed 's/^/    /' "$work/log"
# The keys are in the token already, and sign again.
outcome=FAILED
"$work/kms" "$module" gatekey "$work/pin" 1 > "$work/log" 2>&1 && outcome=ok
check the_same_keys_again $outcome
outcome=FAILED
if ! "$work/kms" "$module" gatekey "$work/wrong-pin" 1 > "$work/log" 2>&1 && ! grep -q 4321 "$work/log"; then outcome=ok; fi
check a_wrong_pin_is_refused_and_not_shown $outcome
outcome=FAILED
"$work/kms" "$module" elsewhere "$work/pin" 1 > "$work/log" 2>&1 || outcome=ok
check another_token_is_refused $outcome
outcome=FAILED
"$work/lost" "$module" gatekey "$work/pin" "$work/tokens" > "$work/log" 2>&1 && grep -q '^0 failures$' "$work/log" && outcome=ok
check lost_sessions_are_opened_again $outcome
[ $outcome = ok ] || sed 's/^/    /' "$work/log"
if grep -q 1234 "$work/log"; then check the_pin_is_not_shown FAILED; else check the_pin_is_not_shown ok; fi
echo "test result: $passed passed; $failed failed; 0 ignored"
[ $failed = 0 ]
