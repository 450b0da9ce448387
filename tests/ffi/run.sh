#!/usr/bin/env bash
# Builds the C and C++ tests and examples (every .c and .cpp of tests/ffi and examples) and runs them, a line each:
# `test NAME ... ok <SECONDS> (CHECKS)`.
#
# usage: run.sh KIND
#   shared      against the shared library
#   static      against the static library
#   sanitized   against the shared library, under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
#   valgrind    against the shared library, under Valgrind, two programs at a time; where GATEKEY_ROUNDS is 1, without what
#               is slow there and is the same for Valgrind as what is left (GATEKEY_BRIEF, tests/rounds/rounds.h)
#   demo        shows the examples, against the shared library
#
# The environment chooses FFI_CC (cc), FFI_CXX (c++), C_STANDARD (c11), CXX_STANDARD (c++17), ONLY (a pattern of names, as in
# `case`), JOBS (compilers at once), and must name:
#   FFI_LIBRARY       the folder with libgatekey.so and static/libgatekey.a
#   FFI_NATIVE_LIBS   what the static library needs of the system
#   FFI_OUT           where programs go
#   PYTHON            a Python that has PyJWT
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=${1:?"usage: run.sh shared|static|sanitized|valgrind|demo"}
: "${FFI_CC:=cc}" "${FFI_CXX:=c++}" "${C_STANDARD:=c11}" "${CXX_STANDARD:=c++17}" "${ONLY:=*}" "${JOBS:=1}"

flags='-g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude'
link="-L$FFI_OUT/lib -lgatekey -Wl,-rpath,$FFI_OUT/lib -lpthread"
objects=plain linked=shared under= at_once=1
case $kind in
shared | demo) ;;
static) linked=static link="$FFI_LIBRARY/static/libgatekey.a $FFI_NATIVE_LIBS" ;;
sanitized)
    objects=sanitized linked=sanitized
    sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all'
    flags="$flags $sanitizers -fno-omit-frame-pointer" link="$sanitizers $link"
    export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
    ;;
valgrind)
    leaks=definite,possible
    under="valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=$leaks --errors-for-leak-kinds=$leaks"
    at_once=2
    # Half of the start of a program is reading which functions were inlined where.
    if [ "${GATEKEY_ROUNDS:-1}" = 1 ]; then under="$under --read-inline-info=no" && export GATEKEY_BRIEF=1; fi
    tests/need.sh valgrind || exit 0
    ;;
*) echo "run.sh: there is no kind $kind" >&2 && exit 2 ;;
esac
if [ "$kind" = sanitized ] && ! echo 'int main(void) { return 0; }' | $FFI_CC -x c $sanitizers - -o /dev/null 2> /dev/null; then
    echo "ffi: SKIPPED what $FFI_CC would sanitize: it lacks the sanitizers"
    exit 0
fi
toolchain=$(basename "$FFI_CC")-$C_STANDARD-$CXX_STANDARD
[ "$toolchain" != cc-c11-c++17 ] || toolchain=default
objects=$FFI_OUT/$toolchain/$objects programs=$FFI_OUT/$toolchain/$linked work=$FFI_OUT/$toolchain/work-$kind
mkdir -p "$objects" "$programs" "$FFI_OUT/lib"
rm -rf "$work" && mkdir -p "$work"
# The library under the name that programs look for when they run.
ln -sf "$FFI_LIBRARY/libgatekey.so" "$FFI_OUT/lib/libgatekey.so.$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)"
ln -sf "$FFI_LIBRARY/libgatekey.so" "$FFI_OUT/lib/libgatekey.so"

# ---- building ----

newest_header=$(ls -t include/*.h* include/gatekey/* tests/ffi/*.h* | head -n 1)

fresh() { # OUT SOURCE...
    local out=$1 source
    for source in "${@:2}"; do [ "$out" -nt "$source" ] || return 1; done
}

compile() { # SOURCE OBJECT
    fresh "$2" "$1" "$newest_header" && return
    # Two kinds share their objects, and may make them at once: each appears whole.
    local new=$2.$$
    case $1 in
    *.c) $FFI_CC -std="$C_STANDARD" -Wstrict-prototypes $flags -c "$1" -o "$new" ;;
    *) $FFI_CXX -std="$CXX_STANDARD" $flags -c "$1" -o "$new" ;;
    esac
    mv "$new" "$2"
}

build() { # SOURCE: a program of one file; the C++ tests have a second one, which includes the wrapper, too
    local name object parts
    name=$(name_of "$1") object=$objects/$(name_of "$1").o
    compile "$1" "$object"
    parts=$object
    case $1 in tests/ffi/*.cpp) parts="$object $objects/second.o" ;; esac
    fresh "$programs/$name" $parts && { [ $linked != static ] || fresh "$programs/$name" "$FFI_LIBRARY/static/libgatekey.a"; } && return
    $FFI_CXX $parts -o "$programs/$name" $link
}

name_of() { # tests/ffi/apikey.c: apikey; examples/apikey.c: apikey-c
    local file=${1##*/}
    case $1 in examples/*) echo "${file%.*}-${file##*.}" ;; *) echo "${file%.*}" ;; esac
}

sources=()
for source in tests/ffi/*.c tests/ffi/*.cpp examples/*.c examples/*.cpp; do
    case $kind:$source in *:tests/ffi/second.cpp | demo:tests/*) continue ;; esac
    # It brings malloc's functions of its own, as they do.
    case $kind:$source in sanitized:tests/ffi/wiped.c | valgrind:tests/ffi/wiped.c) continue ;; esac
    # Forks under busy threads: the sanitizers have locks of their own, and Valgrind runs one thread at a time.
    # Each algorithm 200 times is long, and is the same with every compiler.
    case $kind:$toolchain:$source in
    sanitized:*:tests/ffi/forks_* | valgrind:*:tests/ffi/forks_*) continue ;;
    *:default:*) ;;
    *:tests/ffi/forks_algorithms.c) continue ;;
    esac
    # shellcheck disable=SC2254 # a pattern
    case $(name_of "$source") in $ONLY) sources+=("$source") ;; esac
done
[ ${#sources[@]} -gt 0 ] || { echo "run.sh: no program is named $ONLY" >&2 && exit 2; }

compile tests/ffi/second.cpp "$objects/second.o"
running=0
await_one() { # of what runs; ends the script if it failed
    wait -n || exit 1
    running=$((running - 1))
}
for source in "${sources[@]}"; do
    build "$source" &
    running=$((running + 1))
    [ $running -lt "$JOBS" ] || await_one
done
while [ $running -gt 0 ]; do await_one; done

# ---- running ----

server() { "$PYTHON" tests/servers/servers.py run oidc-provider "$@"; }

run() { # NAME: with the arguments that it takes
    local program="$under $programs/$1"
    case $1 in
    oauth_real | oauth-*) server $program ;;
    limits | limits_wrapper) "$PYTHON" tests/servers/valkey.py run valkey $program ;;
    apikey-* | session-* | guard-*) $program "sqlite:///$work/$1.sqlite" ;;
    # A token of PyJWT's, made just before it is used: it expires after five minutes.
    tokens-*)
        local minted=$work/$1-pyjwt
        "$PYTHON" examples/mint_with_pyjwt.py "$minted" && $program "$(cat "$minted/jwks.json")" "$(cat "$minted/token.txt")"
        ;;
    quickstart-*) $program ;;
    # Once with a real PostgreSQL: starting it takes longer than the tests.
    store | store_wrapper)
        case $kind:$toolchain in
        shared:default) "$PYTHON" tests/servers/postgres.py run $program "$PWD" ;;
        *) $program "$PWD" ;;
        esac
        ;;
    *) $program "$PWD" ;;
    esac
}

if [ "$kind" = demo ]; then
    for source in "${sources[@]}"; do
        case $source in examples/quickstart.*) continue ;; esac
        printf '\n%s\n' "$source"
        run "$(name_of "$source")"
    done
    exit
fi

tried() { # NAME: runs it; a line on how it went, and what it said unless all was well
    local name=$1 begun=$EPOCHREALTIME outcome=ok took checks
    run "$name" > "$work/$name.log" 2>&1 || outcome=FAILED
    if grep -q SKIPPED "$work/$name.log"; then outcome=ignored; fi
    took=$(((${EPOCHREALTIME/[.,]/} - ${begun/[.,]/}) / 1000))
    checks=$(sed -n "s/^  $name *\([0-9]* checks\)$/ (\1)/p" "$work/$name.log")
    {
        printf 'test %s ... %s <%d.%03ds>%s\n' "$name" $outcome $((took / 1000)) $((took % 1000)) "$checks"
        [ $outcome = ok ] || sed 's/^/    /' "$work/$name.log"
    } > "$work/$name.shown"
    cat "$work/$name.shown"
    echo $outcome >> "$work/outcomes"
}

for source in "${sources[@]}"; do
    name=$(name_of "$source")
    # A program without the sanitizers passes as well: they are proven to be in.
    if [ "$kind" = sanitized ]; then
        nm "$programs/$name" > "$work/symbols"
        for runtime in __asan_ __ubsan_; do
            grep -q "$runtime" "$work/symbols" || { echo "$name was built without $runtime" >&2; exit 1; }
        done
    fi
    tried "$name" &
    running=$((running + 1))
    [ $running -lt $at_once ] || await_one
done
while [ $running -gt 0 ]; do await_one; done
count() { grep -cx "$1" "$work/outcomes" || true; }
echo "test result: $(count ok) passed; $(count FAILED) failed; $(count ignored) ignored"
[ "$(count FAILED)" = 0 ] && [ "$(wc -l < "$work/outcomes")" = ${#sources[@]} ]
