#!/bin/sh
# Holds the C and C++ code against .clang-format; with -i, formats it. The generated header is as it is.
cd "$(dirname "$0")/../.." || exit 1
tests/need.sh clang-format || exit 0
# Each version of clang-format has opinions of its own; this one is Debian 12's.
clang-format --version | grep -q 'version 14\.' || { echo "ffi: SKIPPED the format of C and C++: it is checked by clang-format 14"; exit 0; }
how=${1:---dry-run}
git ls-files include examples tests | grep -E '\.(c|h|cpp|hpp)$' | grep -v '^include/gatekey.h$' | xargs clang-format "$how" --Werror && echo "ffi: formatted"
