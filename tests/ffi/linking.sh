#!/usr/bin/env bash
# How libgatekey lives with what else is in a process. The static library: beside SQLite, OpenSSL and another Rust
# library in any order, in plug-ins, in a program that is fully static, beside a shared library that uses SQLite.
# The shared one: unloaded while threads have used it. C++: an error that crosses shared objects.
#
# usage: linking.sh      FFI_CC, FFI_CXX, FFI_LIBRARY, FFI_NATIVE_LIBS and FFI_OUT as in run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
cc=${FFI_CC:-cc} cxx=${FFI_CXX:-c++} out=$FFI_OUT/linking here=tests/ffi/linking
archive=$FFI_LIBRARY/static/libgatekey.a
abi=$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)
flags='-g -O1 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Iinclude'
every() { [ "${GATEKEY_ROUNDS:-1}" -gt 1 ]; }
fail() { echo "linking.sh: $*" >&2 && exit 1; }

rm -rf "$out"
mkdir -p "$out/lib"
ln -s "$FFI_LIBRARY/libgatekey.so" "$out/lib/libgatekey.so.$abi"
ln -s "libgatekey.so.$abi" "$out/lib/libgatekey.so"
shared="-L$out/lib -lgatekey -Wl,-rpath,$out/lib"

compile() { # NAME FLAGS...: of tests/ffi/linking/NAME.c
    $cc -std=c11 $flags "${@:2}" -c "$here/$1.c" -o "$out/$1.o"
}

# Where the archive asks for an executable stack, or its unwind tables are broken, the linker warns.
link() { # PROGRAM WHAT...
    $cc -o "$out/$1" -Wl,--fatal-warnings "${@:2}" -pthread
}

link_static() { # PROGRAM WHAT...: glibc warns of getaddrinfo in a static program
    $cc -o "$out/$1" "${@:2}" -pthread 2> "$out/$1.log" || { cat "$out/$1.log"; fail "$1 does not link"; }
    if readelf -d "$out/$1" | grep -q NEEDED; then fail "$1 needs shared libraries"; fi
}

run() { # PROGRAM ARGUMENT...: ends the lane where it fails
    "$out/$1" "${@:2}" > "$out/$1.log" 2>&1 || { cat "$out/$1.log"; fail "$1 ${*:2} failed with $?"; }
}

# ---- the static library beside SQLite and OpenSSL ----

if tests/need.sh sqlite3.h=libsqlite3-dev openssl/ssl.h=libssl-dev; then
    compile beside
    gatekey="$archive $FFI_NATIVE_LIBS"
    theirs='-lsqlite3 -lcrypto' theirs_static='-Wl,-Bstatic -lsqlite3 -lcrypto -Wl,-Bdynamic -ldl -lm'
    link before "$out/beside.o" $gatekey $theirs
    link behind "$out/beside.o" $theirs $gatekey
    link before-static "$out/beside.o" $gatekey $theirs_static
    link behind-static "$out/beside.o" $theirs_static $gatekey
    link_static all-static -static "$out/beside.o" $gatekey $theirs -ldl -lm
    programs='before behind before-static behind-static all-static'
    if every; then
        link_static all-static-behind -static "$out/beside.o" $theirs $gatekey
        link_static all-static-pie -static-pie "$out/beside.o" $gatekey $theirs -ldl -lm
        link small "$out/beside.o" -Wl,--gc-sections $gatekey $theirs
        programs="$programs all-static-behind all-static-pie small"
        for linker in gold lld; do
            tests/need.sh "ld.$linker=${linker/gold/binutils}" || continue
            $cc -fuse-ld=$linker "$out/beside.o" $gatekey $theirs -o "$out/$linker" -pthread
            programs="$programs $linker"
        done
    fi
    for program in $programs; do
        run "$program" "sqlite:///$out/$program.sqlite"
        readelf -lW "$out/$program" | grep GNU_STACK | grep -q ' RW ' || fail "$program has an executable stack"
    done
    echo "ffi: beside SQLite and OpenSSL: $programs"

    $cc $flags -shared -fPIC "$here/uses_sqlite.c" -o "$out/libuses_sqlite.so" -lsqlite3
    compile rebound
    link rebound "$out/rebound.o" "$archive" $FFI_NATIVE_LIBS -L"$out" -luses_sqlite -Wl,-rpath,"$out"
    run rebound "sqlite:///$out/rebound.sqlite"
    echo "ffi: a shared library keeps the SQLite that it was linked with"
fi

# ---- the static library beside another one made by Rust ----

rustc=${RUSTC:-rustc}
if command -v "$rustc" > /dev/null; then
    "$rustc" --edition 2024 -O "$here/other.rs" -o "$out/libother.a"
    compile beside_rust
    link rust-before "$out/beside_rust.o" "$archive" "$out/libother.a" $FFI_NATIVE_LIBS
    link rust-behind "$out/beside_rust.o" "$out/libother.a" "$archive" $FFI_NATIVE_LIBS
    for program in rust-before rust-behind; do run $program "sqlite:///$out/$program.sqlite"; done
    echo "ffi: beside another Rust library"
else
    echo "ffi: SKIPPED another Rust library in one program: there is no $rustc"
fi

# ---- plug-ins, and unloading ----

compile plugin -fPIC
link host "$here/host.c" $flags -std=gnu11 -ldl
for name in one two; do
    link "$name.so" -shared "$out/plugin.o" "$archive" $FFI_NATIVE_LIBS -Wl,-z,defs -Wl,-z,nodelete
done
link thin.so -shared "$out/plugin.o" $shared
{ cat tests/symbols.txt && printf '%s\n' plugin_key plugin_keys plugin_store; } | LC_ALL=C sort > "$out/wanted"
nm -D --defined-only "$out/one.so" | awk '{ print $3 }' | LC_ALL=C sort | diff "$out/wanted" - > "$out/exports" ||
    { head "$out/exports"; fail 'a plug-in exports something else than gk_*'; }
# A host may have its functions hidden from it.
link hidden.so -shared "$out/plugin.o" "$archive" $FFI_NATIVE_LIBS -Wl,-z,defs -Wl,-z,nodelete -Wl,--exclude-libs,ALL
printf '%s\n' plugin_key plugin_keys plugin_store > "$out/wanted"
nm -D --defined-only "$out/hidden.so" | awk '{ print $3 }' | LC_ALL=C sort | diff "$out/wanted" - > "$out/exports" ||
    { head "$out/exports"; fail 'a plug-in that hides gatekey exports it'; }
for scope in local global; do
    store="sqlite:///$out/host-$scope"
    run host stays $scope "$store" "$out/one.so"
    run host stays $scope "$store" "$out/one.so" "$out/two.so" "$out/hidden.so"
    run host unloaded $scope "$store" "$out/thin.so"
done
echo "ffi: plug-ins are unloaded while threads that have used them go on"

# ---- an error of C++ across shared objects ----

crosses() { # NAME COMPILER...: throws in one shared object, catches in another and in the program
    local name=$1 hidden
    hidden="-std=c++17 $flags -fvisibility=hidden -fvisibility-inlines-hidden"
    mkdir -p "$out/$name"
    for part in thrower catcher; do
        "${@:2}" $hidden -shared -fPIC "$here/$part.cpp" -o "$out/$name/lib$part.so" $shared
        nm -D --defined-only "$out/$name/lib$part.so" | grep -q ' V _ZTIN7gatekey5errorE$' ||
            fail "$name: $part hides the type of gatekey::error"
    done
    "${@:2}" $hidden "$here/caught.cpp" -o "$out/$name/caught" $shared -L"$out/$name" -lthrower -lcatcher -Wl,-rpath,"$out/$name"
    run "$name/caught"
    echo "ffi: gatekey::error crosses shared objects: $name"
}

crosses "$(basename "$cxx")" $cxx
if every; then tests/need.sh clang++=clang libc++.so=libc++-dev libc++abi.so=libc++abi-dev || true; fi
if echo '#include <version>' | clang++ -std=c++17 -stdlib=libc++ -x c++ -fsyntax-only - 2> /dev/null; then
    crosses libc++ clang++ -stdlib=libc++
else
    echo "ffi: SKIPPED errors across shared objects with libc++, which is not installed (apt-get install clang libc++-dev libc++abi-dev)"
fi
rm -rf "$out"
