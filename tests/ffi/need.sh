#!/bin/sh
# Says whether a program is there. If it is not, root installs it from Debian; anybody else is told
# which tests are skipped.
#
# usage: need.sh PROGRAM
command -v "$1" > /dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "ffi: installing $1"
    apt-get update -qq > /dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" > /dev/null 2>&1
    command -v "$1" > /dev/null && exit 0
fi
echo "ffi: SKIPPED what needs $1, which is not installed (apt-get install $1)"
exit 1
