#!/usr/bin/env bash
# What is released: the wheel names no folder of who built it, and brings its licenses; the sources are whole; cargo-c
# installs what `make install` does; the Debian packages are installed, used by a C program and the command line, and
# removed. The last is root's alone: others are told that it is skipped.
#
# usage: packages.sh      CARGO, FFI_CC and FFI_OUT as in run.sh; PYTHON runs pip
set -euo pipefail
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
cc=${FFI_CC:-cc} out=$FFI_OUT/packages target=$PWD/target
fail() { echo "packages.sh: $*" >&2 && exit 1; }
rm -rf "$out"
mkdir -p "$out"

wheel=$(echo "$target"/python/gatekey-*.whl)
"$PYTHON" -m zipfile -e "$wheel" "$out/wheel"
for folder in "${CARGO_HOME:-$HOME/.cargo}/" "$HOME/.rustup/" "$PWD/"; do
    if grep -rlaF "$folder" "$out/wheel" > "$out/paths"; then fail "the wheel names $folder: $(cat "$out/paths")"; fi
done
for name in LICENSE-MIT LICENSE-APACHE THIRD-PARTY.md; do
    [ -s "$out"/wheel/gatekey-*.dist-info/licenses/$name ] || fail "the wheel lacks $name"
done
cp "$wheel" "$out/"
"$PYTHON" mk/wheel.py "$out"/gatekey-*.whl
cmp "$wheel" "$out"/gatekey-*.whl || fail 'the wheel is not the same when it is packed again'
echo "packages: the wheel names nobody's folders"

# Each has what it is built from, and neither takes the other's name.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
if git rev-parse HEAD > /dev/null 2>&1; then
    make --no-print-directory sdist sources > "$out/sources.log" 2>&1 || { cat "$out/sources.log"; exit 1; }
    has() { # ARCHIVE FILE...
        tar -tzf "$target/dist/$1-$version.tar.gz" > "$out/listed"
        for file in "${@:2}"; do grep -qx "gatekey-$version/$file" "$out/listed" || fail "$1-$version.tar.gz lacks $file"; done
    }
    has gatekey PKG-INFO pyproject.toml Cargo.lock src/lib.rs bindings/python/src/lib.rs LICENSE-MIT THIRD-PARTY.md
    has gatekey-source Makefile mk/dist.mk Cargo.lock bindings/c/src/lib.rs bindings/python/pyproject.toml include/gatekey.hpp tests/need.sh
    echo "packages: the sources are whole"
fi

# cargo-c installs the same library, its headers and its pkg-config file.
compare_with_cargo_c() {
    local both=$out/both
    make --no-print-directory -s install DESTDIR="$both/make" PREFIX=/usr LIBDIR=/usr/lib > "$out/install.log" 2>&1 || { cat "$out/install.log"; exit 1; }
    "$cargo" cinstall --quiet --locked --release --package gatekey-c --destdir "$both/cargo-c" \
        --prefix /usr --libdir /usr/lib --includedir /usr/include > "$out/cargo-c.log" 2>&1 || { cat "$out/cargo-c.log"; exit 1; }
    # The command line, its pages, the notices and CMake's files are no part of a Cargo library.
    rm -r "$both"/make/usr/{bin,share,lib/cmake}
    for by in make cargo-c; do
        (cd "$both/$by/usr" && find . ! -type d | LC_ALL=C sort && sha256sum include/*.h* include/gatekey/* && realpath --relative-to=. lib/libgatekey.so.*) > "$both/$by.files"
        (
            export PKG_CONFIG_LIBDIR=$both/$by/usr/lib/pkgconfig
            pkg-config --modversion gatekey
            pkg-config --define-variable=prefix=/opt/gatekey --cflags --libs gatekey
            readelf -d "$both/$by/usr/lib/libgatekey.so" | grep -e SONAME -e NODELETE
            nm -D --defined-only "$both/$by/usr/lib/libgatekey.so" | cut -d' ' -f2-
        ) > "$both/$by.what"
    done
    diff "$both/make.files" "$both/cargo-c.files" || fail 'cargo-c installs other files than make install'
    diff "$both/make.what" "$both/cargo-c.what" || fail 'cargo-c makes another library than make install'
    export PKG_CONFIG_LIBDIR=$both/cargo-c/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$both/cargo-c
    $cc "$here/consumer/main.c" -o "$out/with-cargo-c" $(pkg-config --cflags --libs gatekey)
    [ "$(LD_LIBRARY_PATH=$both/cargo-c/usr/lib "$out/with-cargo-c")" = "alice may come in" ] || fail "a program does not run with cargo-c's library"
    unset PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
    echo "packages: cargo-c installs what make install does"
}
cargo=${CARGO:-cargo}
if "$cargo" cinstall --version > /dev/null 2>&1; then
    compare_with_cargo_c
else
    echo "packages: SKIPPED the comparison with cargo-c, which is not installed (cargo install cargo-c)"
fi

if [ "$(id -u)" != 0 ] || ! command -v dpkg > /dev/null; then
    echo "packages: SKIPPED the Debian packages, which only root of a Debian system installs"
    exit 0
fi
if dpkg --status libgatekey0 > /dev/null 2>&1; then
    echo "packages: SKIPPED the Debian packages, because libgatekey0 is installed"
    exit 0
fi
make --no-print-directory deb > "$out/deb.log" 2>&1 || { cat "$out/deb.log"; exit 1; }
debs=$(echo "$target"/dist/*.deb)
[ "$(echo $debs | wc -w)" = 3 ] || fail "these are not three packages: $debs"
trap 'dpkg --purge gatekey libgatekey-dev libgatekey0 > "$out/purge.log" 2>&1 || cat "$out/purge.log"' EXIT
dpkg --install $debs > "$out/install.log" 2>&1 || { cat "$out/install.log"; exit 1; }
$cc "$here/consumer/main.c" -o "$out/consumer" $(pkg-config --cflags --libs gatekey)
[ "$("$out/consumer")" = "alice may come in" ] || fail "a program does not run with the installed library"
$cc -static "$here/consumer/main.c" -o "$out/static" $(pkg-config --static --cflags --libs gatekey) 2> "$out/static.log"
[ "$("$out/static")" = "alice may come in" ] || fail "a program does not run with the installed archive"
/usr/bin/gatekey --version | grep -q '^gatekey ' || fail "the command line does not run"
man -w gatekey-key-create > /dev/null || fail "the manual page is not found"

# Each file of `make install` is in exactly one package, and nothing else is.
for name in libgatekey0 libgatekey-dev gatekey; do dpkg --listfiles $name; done |
    while read -r file; do [ -d "$file" ] || echo "${file%.gz}"; done | grep -v '/changelog\|/copyright$' | LC_ALL=C sort > "$out/packed"
(cd "$target/stage" && find . ! -type d | cut -c2-) | LC_ALL=C sort > "$out/installed"
diff "$out/installed" "$out/packed" || fail "the packages do not have the files of make install"
echo "packages: Debian packages installed, used, removed"
