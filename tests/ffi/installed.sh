#!/usr/bin/env bash
# Installs into an empty directory and builds and runs consumers against that and nothing else: with
# pkg-config (shared, static and fully static, C and C++) and with CMake (both targets, before and after a move).
# Two of them are examples/c-service and examples/cpp-service, which let an API key in and refuse a wrong one: of `dev`
# one way each, of `release` with gcc and clang, C++17 and C++20, shared and static, pkg-config and CMake.
#
# usage: installed.sh dev|release      the profile of the library; FFI_CC, FFI_CXX and FFI_OUT as in run.sh
set -euo pipefail
profile=$1 cc=${FFI_CC:-cc} cxx=${FFI_CXX:-c++} out=$FFI_OUT/installed-$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
abi=$(sed -n 's/^#define GK_ABI_VERSION //p' include/gatekey.h)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
fail() { echo "installed.sh: $*" >&2 && exit 1; }
need() { "$here/../need.sh" "$1"; }
make_target() { make --no-print-directory -s "$1" LIB_PROFILE="$profile" "${@:2}" > "$out/install.log" 2>&1 || { cat "$out/install.log"; exit 1; }; }

rm -rf "$out"
mkdir -p "$out"
make_target install PREFIX="$out/prefix" LIBDIR="$out/prefix/lib" INCLUDEDIR="$out/prefix/include" DESTDIR=
for file in lib/libgatekey.so "lib/libgatekey.so.$abi" lib/libgatekey.a include/gatekey.h \
    include/gatekey.hpp include/gatekey/verifier.hpp include/gatekey/httplib.hpp lib/pkgconfig/gatekey.pc \
    lib/cmake/gatekey/gatekeyConfig.cmake lib/cmake/gatekey/gatekeyConfigVersion.cmake bin/gatekey \
    share/man/man1/gatekey.1 share/man/man1/gatekey-key-create.1 share/doc/gatekey/LICENSE-MIT \
    share/doc/gatekey/THIRD-PARTY.md; do
    [ -s "$out/prefix/$file" ] || { echo "make install did not install $file"; exit 1; }
done
[ -L "$out/prefix/lib/libgatekey.so" ] || { echo "libgatekey.so is not a link"; exit 1; }
if grep -rqs '@[A-Z_]*@' "$out/prefix/lib/pkgconfig" "$out/prefix/lib/cmake"; then
    echo "a placeholder was not filled in"
    exit 1
fi
nm -g --defined-only "$out/prefix/lib/libgatekey.a" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort | cmp - tests/symbols.txt ||
    { echo "the installed libgatekey.a exports something else than gk_*"; exit 1; }
readelf -d "$out/prefix/lib/libgatekey.so" | grep -q NODELETE || { echo "the installed libgatekey.so can be unloaded"; exit 1; }

"$out/prefix/bin/gatekey" --version | grep -qx "gatekey $version"
for page in gatekey gatekey-key-create; do
    man -l "$out/prefix/share/man/man1/$page.1" 2> "$out/man.log" | grep -q SYNOPSIS || fail "$page.1 is no manual page"
    [ ! -s "$out/man.log" ] || fail "$page.1: $(cat "$out/man.log")"
done
# Nothing that is shipped names a folder of who built it.
if [ "$profile" = release ]; then
    for file in lib/libgatekey.so lib/libgatekey.a bin/gatekey; do
        if strings -a "$out/prefix/$file" | grep -F -e "${CARGO_HOME:-$HOME/.cargo}/" -e "$HOME/.rustup/" -e "$PWD/" > "$out/paths"; then
            fail "$file names folders of its builder: $(head -n 3 "$out/paths")"
        fi
    done
fi

# All is built: who installs needs no Cargo. Where something is not, nothing is installed, and what to do is said.
make_target install PREFIX="$out/again" LIBDIR="$out/again/lib" INCLUDEDIR="$out/again/include" CARGO=no-cargo-here
cmp "$out/again/lib/libgatekey.a" "$out/prefix/lib/libgatekey.a"
if make -s install LIB_PROFILE="$profile" TARGET="$out/nothing" PREFIX="$out/none" CARGO=no-cargo-here > "$out/install.log" 2>&1; then
    echo "make install succeeds although nothing was built"
    exit 1
fi
grep -q 'Run `make lib` first' "$out/install.log" || { cat "$out/install.log"; exit 1; }
[ ! -e "$out/none" ] || { echo "make install has installed a part"; exit 1; }

# A staged installation, as packagers make them: files under DESTDIR, which no file mentions.
make_target install PREFIX=/usr LIBDIR=/usr/lib64 INCLUDEDIR=/usr/include DESTDIR="$out/stage"
grep -qx 'libdir=${prefix}/lib64' "$out/stage/usr/lib64/pkgconfig/gatekey.pc"
[ -s "$out/stage/usr/lib64/libgatekey.so.$abi" ] && [ -s "$out/stage/usr/include/gatekey.h" ]
if grep -rqs "$out" "$out/stage/usr/lib64/pkgconfig" "$out/stage/usr/lib64/cmake"; then
    echo "DESTDIR leaked into an installed file"
    exit 1
fi
make_target uninstall PREFIX=/usr LIBDIR=/usr/lib64 INCLUDEDIR=/usr/include DESTDIR="$out/stage"
[ -z "$(find "$out/stage" ! -type d)" ] || { echo "make uninstall leaves files"; exit 1; }

run() { # program: must say who may come in
    [ "$("$1")" = "alice may come in" ] || { echo "$1 did not work"; exit 1; }
}
links_shared() { # program, yes or no
    found=no
    if readelf -d "$1" | grep -q "libgatekey.so.$abi"; then found=yes; fi
    [ $found = "$2" ] || { echo "$1: linked to the shared library: $found"; exit 1; }
}
needs_nothing() { # program
    if readelf -d "$1" | grep -q NEEDED; then echo "$1 needs shared libraries"; exit 1; fi
}

# A directory that is not the one it was installed for: the packages must find their own files.
mv "$out/prefix" "$out/moved"
if need pkg-config; then
    export PKG_CONFIG_PATH="$out/moved/lib/pkgconfig"
    cd "$out"
    $cc "$here/consumer/main.c" -o pc-c $(pkg-config --cflags --libs gatekey)
    $cxx -std=c++17 "$here/consumer/main.cpp" -o pc-cpp $(pkg-config --cflags --libs gatekey)
    for program in pc-c pc-cpp; do
        links_shared "$out/$program" yes
        LD_LIBRARY_PATH="$out/moved/lib" run "$out/$program"
    done
    static=$(pkg-config --static --libs gatekey | sed 's/-lgatekey/-l:libgatekey.a/')
    $cc "$here/consumer/main.c" -o pc-static $(pkg-config --cflags gatekey) $static
    links_shared "$out/pc-static" no
    run "$out/pc-static"
    $cc -static "$here/consumer/main.c" -o pc-all-static $(pkg-config --static --cflags --libs gatekey) 2> static.log ||
        { cat static.log; exit 1; }
    $cxx -static -std=c++17 "$here/consumer/main.cpp" -o pc-all-static-cpp $(pkg-config --static --cflags --libs gatekey) \
        2> static.log || { cat static.log; exit 1; }
    for program in pc-all-static pc-all-static-cpp; do
        needs_nothing "$out/$program"
        run "$out/$program"
    done
    echo "ffi: pkg-config consumers: C, C++, static, fully static"
fi

if need cmake; then
    cmake -S "$here/consumer" -B "$out/cmake" -DCMAKE_PREFIX_PATH="$out/moved" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" > "$out/cmake.log" 2>&1 &&
        cmake --build "$out/cmake" >> "$out/cmake.log" 2>&1 || { cat "$out/cmake.log"; exit 1; }
    links_shared "$out/cmake/consumer-c" yes
    links_shared "$out/cmake/consumer-cpp" yes
    links_shared "$out/cmake/consumer-static" no
    needs_nothing "$out/cmake/consumer-all-static"
    for program in consumer-c consumer-cpp consumer-static consumer-all-static; do run "$out/cmake/$program"; done
    echo "ffi: CMake consumers: C, C++, static, fully static"
fi

# ---- services ----

answers() { # STATUS KEY: of GET /orders at $port
    local line
    exec 3<> "/dev/tcp/127.0.0.1/$port"
    printf 'GET /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: %s\r\n\r\n' "$2" >&3
    read -r line <&3
    exec 3>&-
    [[ $line == "HTTP/1.1 $1 "* ]] || fail "$service answers $line, not $1"
}
serves() { # PROGRAM c|cpp: lets a key of the installed command line in, refuses another, ends cleanly
    local service=$1 port line
    coproc serving { if [ "$2" = c ]; then exec "$service" --port 0; else exec "$service" "$GATEKEY_STORE" "$GATEKEY_CSRF_SECRET_FILE"; fi 2> "$out/service.log"; }
    local pid=$serving_PID
    read -r line <&"${serving[0]}" || fail "$service does not start: $(cat "$out/service.log")"
    port=${line##*:}
    answers 200 "$key"
    answers 401 "${key}0"
    kill "$pid"
    wait "$pid" || fail "$service ended with $?"
    built_services=$((built_services + 1))
}
every() { [ "$profile" = release ]; }
if need microhttpd.h=libmicrohttpd-dev && need /usr/include/httplib.h=libcpp-httplib-dev && need pkg-config && need cmake; then
    examples=$here/../../examples built_services=0
    export GATEKEY_STORE=sqlite:///$out/services.sqlite GATEKEY_PUBLIC_URL=https://shop.example
    export GATEKEY_CSRF_SECRET_FILE=$out/csrf LD_LIBRARY_PATH=$out/moved/lib
    head -c 32 /dev/urandom > "$GATEKEY_CSRF_SECRET_FILE"
    key=$("$out/moved/bin/gatekey" key create --owner acme --scope orders:read 2> "$out/key.log") || fail "no key: $(cat "$out/key.log")"
    compilers="$cc:$cxx"
    if every; then compilers='gcc:g++ clang:clang++'; fi
    for pair in $compilers; do
        need "${pair%:*}" || continue
        cc=${pair%:*} cxx=${pair#*:}
        for standard in $(every && echo '17 20' || echo 17); do
            # By CMake: both libraries; then by pkg-config.
            folder=$out/services-$(basename "$cc")-$standard targets='c-service-gatekey cpp-service-gatekey_static'
            if every; then targets='c-service-gatekey c-service-gatekey_static cpp-service-gatekey cpp-service-gatekey_static'; fi
            cmake -S "$here/consumer" -B "$folder" -DSERVICES="$examples" -DCMAKE_PREFIX_PATH="$out/moved" -DCMAKE_C_COMPILER="$cc" \
                -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_STANDARD=$standard -DCMAKE_CXX_EXTENSIONS=OFF > "$out/cmake.log" 2>&1 &&
                cmake --build "$folder" --target $targets >> "$out/cmake.log" 2>&1 || { cat "$out/cmake.log"; exit 1; }
            for target in $targets; do
                links_shared "$folder/$target" "$([[ $target == *_static ]] && echo no || echo yes)"
                serves "$folder/$target" "${target%%-*}"
            done
            every || continue
            for kind in shared static; do
                gatekey=$(pkg-config --cflags --libs gatekey)
                [ $kind = shared ] || gatekey="$(pkg-config --cflags gatekey) $static"
                $cxx -std=c++$standard "$examples/cpp-service/service.cpp" -o "$folder/cpp-$kind" $gatekey $(pkg-config --cflags --libs cpp-httplib) -pthread
                $cc "$examples/c-service/orders.c" -o "$folder/c-$kind" $gatekey $(pkg-config --cflags --libs libmicrohttpd)
                for language in c cpp; do
                    links_shared "$folder/$language-$kind" "$([ $kind = static ] && echo no || echo yes)"
                    serves "$folder/$language-$kind" $language
                done
            done
        done
    done
    echo "ffi: services of the installed library, built and asked: $built_services"
fi
rm -rf "$out"
