#!/bin/sh
# Makes of the static library that Cargo has built the one that is installed and tested: a single object in which
# only gk_* is global. What is inside of it (SQLite, AWS-LC, Rust's standard library) meets nothing of the program
# that it is linked into, nor of the shared libraries beside it. Does nothing where OUT is newer than IN.
#
# usage: localize.sh IN.a OUT.a        LD, NM, OBJCOPY and AR choose the tools; for ELF, with GNU's ld
set -eu
in=$1 out=$2
case $(ls -t "$in" "$0" "$out" 2> /dev/null | head -n 1) in "$out") exit 0 ;; esac
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT

# What is exported, and with it what it needs: nothing else of the archive comes along.
"${NM:-nm}" --defined-only --extern-only "$in" 2> /dev/null | sed -n 's/^[0-9a-f]* T \(gk_[a-z0-9_]*\)$/-u \1/p' > "$work/exported"
[ -s "$work/exported" ] || { echo "localize.sh: $in defines no gk_ function" >&2; exit 1; }

# Groups of sections are dissolved: a linker keeps one of each name in a program, and after this no name of ours is
# that of any other library (each Rust library has a group DW.ref.rust_eh_personality).
"${LD:-ld}" -r --force-group-allocation --strip-debug "@$work/exported" "$in" -o "$work/whole.o"

# AWS-LC asks whether the program brings a memory allocator under these names; it is to have none of another OpenSSL's.
for hook in OPENSSL_memory_alloc OPENSSL_memory_free OPENSSL_memory_get_size OPENSSL_memory_realloc; do
    echo "$hook gatekey_$hook"
done > "$work/renamed"

# Rust's own libraries bring LLVM's bitcode, which no linker of a C program reads.
"${OBJCOPY:-objcopy}" --wildcard --keep-global-symbol='gk_*' --redefine-syms="$work/renamed" \
    --remove-section=.llvmbc --remove-section=.llvmcmd "$work/whole.o" "$work/gatekey.o"
(cd "$work" && "${AR:-ar}" rcsD libgatekey.a gatekey.o)
mv -f "$work/libgatekey.a" "$out"
