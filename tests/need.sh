#!/bin/sh
# Sees to it that programs are there: root installs what is missing from Debian, in one go. Others are told what is
# skipped without them. Ends with 0 if all are there.
#
# usage: need.sh PROGRAM[=PACKAGE]...      /A/FILE=PACKAGE is there if the file is
missing() {
    for wanted in "$@"; do
        case $wanted in
        /*) [ -e "${wanted%%=*}" ] && continue ;;
        *) command -v "${wanted%%=*}" > /dev/null && continue ;;
        esac
        printf '%s ' "${wanted#*=}"
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
