#!/usr/bin/env bash
# Sends the guard's golden matrix (tests/ffi/matrix) over sockets, TCP and Unix, to a server.
#
# usage: matrix.sh microhttpd|httplib WORK      WORK is a folder for the programs
# MATRIX_FLAGS are the compilers', MATRIX_LINK is the server's library; the rest is as in run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
door=$1 work=$2
: "${FFI_CC:=cc}" "${FFI_CXX:=c++}" "${C_STANDARD:=c11}" "${CXX_STANDARD:=c++17}" "${MATRIX_FLAGS:=}" "${MATRIX_LINK:=}"
warnings='-g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude'
mkdir -p "$work"
$FFI_CC -std="$C_STANDARD" $warnings $MATRIX_FLAGS -c tests/ffi/matrix/sockets.c -o "$work/sockets.o"
case $door in
microhttpd) $FFI_CC -std="$C_STANDARD" $warnings $MATRIX_FLAGS -c tests/ffi/matrix/microhttpd.c -o "$work/door.o" ;;
*) $FFI_CXX -std="$CXX_STANDARD" $warnings $MATRIX_FLAGS -c tests/ffi/matrix/httplib.cpp -o "$work/door.o" ;;
esac
$FFI_CXX $MATRIX_FLAGS "$work/sockets.o" "$work/door.o" -o "$work/matrix" -L"$FFI_OUT/lib" -lgatekey -Wl,-rpath,"$FFI_OUT/lib" -pthread $MATRIX_LINK
for path in '' "$work/socket"; do
    outcome=FAILED
    "$work/matrix" "$PWD" ${path:+"$path"} > "$work/matrix.log" 2>&1 && outcome=ok
    echo "test $door $(basename "$work") matrix ${path:+unix }... $outcome ($(sed -n 's/^  matrix *\([0-9]*\) checks$/\1/p' "$work/matrix.log") checks)"
    [ $outcome = ok ] || { cat "$work/matrix.log" && exit 1; }
done
