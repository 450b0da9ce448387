#!/bin/sh
# Compiles every public header alone, and twice in one file, in every standard that it promises.
#
# usage: headers.sh CC CXX WARNINGS
set -eu
cc=$1 cxx=$2 warnings=$3 count=0

compile() { # compiler, language, standard, header
    for times in once twice; do
        { echo "#include <$4>"; [ $times = once ] || echo "#include <$4>"; } |
            $1 -x "$2" -std="$3" $warnings -Iinclude -fsyntax-only - ||
            { echo "$4 does not compile $times as $3"; exit 1; }
        count=$((count + 1))
    done
}

for standard in c99 c11 c17 c2x; do compile "$cc" c $standard gatekey.h; done
for standard in c++11 c++14 c++17 c++20; do compile "$cxx" c++ $standard gatekey.h; done
for header in gatekey.hpp gatekey/apikey.hpp gatekey/handle.hpp gatekey/key.hpp gatekey/keyring.hpp \
    gatekey/revocations.hpp gatekey/session.hpp gatekey/sessions.hpp gatekey/signer.hpp \
    gatekey/status.hpp gatekey/verifier.hpp; do
    for standard in c++17 c++20 c++23; do compile "$cxx" c++ $standard $header; done
done
echo "ffi: $count compilations of the headers alone and twice"
