#!/usr/bin/env bash
# Compiles every public header twice in one file (so alone, and behind its own guard), in every standard that it
# promises; where GATEKEY_ROUNDS is 1, in the oldest and the newest. FFI_CC and FFI_CXX choose the compilers.
set -euo pipefail
cd "$(dirname "$0")/../.."
warnings='-Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow' count=0
every() { [ "${GATEKEY_ROUNDS:-1}" -gt 1 ]; }

compile() { # COMPILER LANGUAGE HEADER OLDEST NEWEST OTHERS...
    local standards=("$4" "$5") standard
    if every; then standards+=("${@:6}"); fi
    for standard in "${standards[@]}"; do
        printf '#include <%s>\n#include <%s>\n' "$3" "$3" |
            $1 -x "$2" -std="$standard" $warnings -Iinclude -fsyntax-only - ||
            { echo "$3 does not compile as $standard"; exit 1; }
        count=$((count + 1))
    done
}

compile "${FFI_CC:-cc}" c gatekey.h c99 c2x c11 c17
compile "${FFI_CXX:-c++}" c++ gatekey.h c++11 c++20 c++14 c++17
for header in include/gatekey.hpp include/gatekey/*.hpp; do
    if [ "$header" = include/gatekey/httplib.hpp ] &&
        ! echo '#include <httplib.h>' | ${FFI_CXX:-c++} -x c++ -std=c++17 -E - > /dev/null 2>&1; then
        echo "ffi: SKIPPED ${header#include/}, which needs cpp-httplib (apt-get install libcpp-httplib-dev)"
        continue
    fi
    compile "${FFI_CXX:-c++}" c++ "${header#include/}" c++17 c++2b c++20
done
echo "ffi: $count compilations of the headers, each twice in one file"
