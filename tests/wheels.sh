#!/usr/bin/env bash
# Wheels are what their names say, and work: each asks of the system's C library no more than its tag allows, and is
# installed alone into a new environment of each CPython, where programs sign, verify, and use API keys and sessions.
#
# usage: wheels.sh WHEEL...      PYTHONS names the interpreters (python3.10 python3.11 python3.12 python3.13)
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PYTHON:=.venv/bin/python}" "${PYTHONS:=python3.10 python3.11 python3.12 python3.13}"
# The commands of pyenv run the versions that are named here.
export PYENV_VERSION=${PYENV_VERSION:-3.10:3.11:3.12:3.13}
fail() { echo "wheels.sh: $*" >&2 && exit 1; }
[ $# -gt 0 ] || fail 'name the wheels'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is done with it: programs of the examples, the parts that they do not import, and the command.
USES='
bin=$1 examples=$2 url=$3
"$bin/python" -X dev -W error "$examples/quickstart.py"
"$bin/python" -X dev -W error "$examples/apikey.py" "$url/keys.sqlite"
"$bin/python" -X dev -W error "$examples/session.py" "$url/sessions.sqlite"
"$bin/python" -X dev -W error -c "import gatekey.aio, gatekey.exceptions, gatekey.oauth"
"$bin/gatekey" --version
"$bin/python" -m gatekey key create --help
for _ in 1 2 3 4 5; do "$bin/python" -c "$EXITS_UNDER_A_THREAD" "$url/exits.sqlite"; done
'

# A thread that is in a call when the interpreter exits is ended there.
export EXITS_UNDER_A_THREAD='
import sys, threading, time
from gatekey import ApiKeys

keys = ApiKeys.open(sys.argv[1], pepper=bytes(range(32)))

def busy():
    while True:
        keys.create(owner="thread")

threading.Thread(target=busy, daemon=True).start()
time.sleep(0.1)
'

newest() { # PREFIX FILE: the newest version of the C library's symbols that FILE needs
    readelf --version-info --wide "$2" | sed -n "s/.*Name: $1_\([0-9.]*\) .*/\1/p" | sort -Vu | tail -n 1
}

needs_no_more_than_it_says() { # WHEEL
    local name=${1##*/} module allowed found
    case $name in *-cp310-abi3-*) ;; *) fail "$name is not for CPython 3.10 and later (cp310-abi3)" ;; esac
    rm -rf "$work/wheel"
    python3 -m zipfile -e "$1" "$work/wheel"
    module=$work/wheel/gatekey/_core.abi3.so
    case $name in
    *-manylinux_*)
        allowed=$(echo "$name" | sed 's/.*-manylinux_\([0-9]*\)_\([0-9]*\)_.*/\1.\2/')
        found=$(newest GLIBC "$module")
        [ "$(printf '%s\n' "$found" "$allowed" | sort -V | tail -n 1)" = "$allowed" ] || fail "$name needs glibc $found"
        readelf --dynamic --wide "$module" | grep -qF '[libgcc_s.so.1]' || fail "$name has an unwinder of its own"
        ;;
    *-musllinux_*)
        found=$(readelf --dynamic --wide "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | xargs)
        [ "$found" = libc.so ] || fail "$name needs other libraries than musl's libc.so: $found"
        found=$(newest GLIBC "$module")
        [ -z "$found" ] || fail "$name needs glibc $found"
        ;;
    esac
    echo "wheels: $name needs no more than it says"
}

works() { # WHEEL PYTHON
    local version new=$work/python
    version=$("$2" -c 'import platform; print(platform.python_version())')
    rm -rf "$new" "$work"/*.sqlite*
    # Not every Python has what makes pip of its own (Debian's lacks it).
    "$2" -m venv --without-pip "$new"
    "$PYTHON" -m pip --quiet --disable-pip-version-check --python "$new/bin/python" install --no-index --no-deps "$1"
    # Away from here, where nothing of the repository is found. A part that fails ends them all: `||` would switch that off.
    if ! (cd "$work" && bash -euc "$USES" uses "$new/bin" "$OLDPWD/examples" "sqlite:///$work") > "$work/log" 2>&1; then
        cat "$work/log"
        fail "${1##*/} does not work in CPython $version"
    fi
    grep -qx 'alice may orders:read' "$work/log" || { cat "$work/log"; fail "quickstart.py has said something else"; }
    grep -qx '^after revoking: api_key_revoked$' "$work/log" || { cat "$work/log"; fail "apikey.py has said something else"; }
    echo "wheels: ${1##*/} works in CPython $version"
}

for wheel in "$@"; do
    wheel=$(realpath "$wheel")
    needs_no_more_than_it_says "$wheel"
    case $wheel in *-musllinux_*)
        echo 'wheels: SKIPPED running the wheel for musl: the interpreters here are for glibc'
        continue
        ;;
    esac
    for python in $PYTHONS; do
        if "$python" -c '' > /dev/null 2>&1; then works "$wheel" "$python"; else echo "wheels: SKIPPED $python, which is not here"; fi
    done
done
