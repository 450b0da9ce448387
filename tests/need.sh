#!/bin/sh
# Sees to it that programs, files, headers and libraries are there: root installs what is missing from Debian, in one go.
# Others are told what is skipped without them. Ends with 0 if all are there.
#
# usage: need.sh NAME[=PACKAGE]...      a program, /A/FILE, HEADER.h or LIBRARY.so
there() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *.h) echo "#include <$1>" | cc -E -o /dev/null - 2> /dev/null ;;
    *.so) [ -e "$(cc -print-file-name="$1")" ] ;;
    *) command -v "$1" > /dev/null ;;
    esac
}

missing() {
    for name in "$@"; do
        there "${name%%=*}" || printf '%s ' "${name#*=}"
    done
}

packages=$(missing "$@")
[ -z "$packages" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "need: installing $packages"
    # Two at once wait for each other.
    wait="-o DPkg::Lock::Timeout=300"
    apt-get $wait update -qq > /dev/null 2>&1
    for package in $packages; do
        DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq --no-install-recommends "$package" > /dev/null 2>&1
    done
    packages=$(missing "$@")
    [ -z "$packages" ] && exit 0
fi
for package in $packages; do
    echo "need: SKIPPED what needs $package, which is not installed (apt-get install $package)"
done
exit 1
