#!/usr/bin/env bash
# Installs the authorization server of the tests below FOLDER, once: tests/oauth/install.sh FOLDER
# Without Node.js or without the packages it says so and ends with 77: what needs them is skipped, by name.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder="$1"

skip() {
    echo "oauth: SKIPPED everything that needs the authorization server oidc-provider: $1" >&2
    exit 77
}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nodejs npm; } >/dev/null 2>&1 || true
    fi
    command -v node >/dev/null && command -v npm >/dev/null || skip "Node.js is missing (Debian packages nodejs and npm)"
fi
# Old ones start it, and fail then: it parses addresses with what came late to Node.js 20.
node -e 'process.exit(typeof URL.parse === "function" ? 0 : 1)' || skip "a newer Node.js is needed, 20.19 or later (this is $(node --version))"

mkdir -p "$folder"
if command -v flock >/dev/null; then exec 9>"$folder/.lock"; flock 9; fi
# Who has just failed would only fail again, and slowly.
if [ -n "$(find "$folder" -maxdepth 1 -name .unavailable -mmin -10)" ]; then skip "its packages could not be fetched a moment ago"; fi
# Only what is still the same is kept.
if ! cmp -s "$here/provider/package-lock.json" "$folder/.installed"; then
    echo "oauth: installing oidc-provider" >&2
    cp "$here/provider/package.json" "$here/provider/package-lock.json" "$folder/"
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=20000) >"$folder/npm.log" 2>&1 || { touch "$folder/.unavailable"; skip "its packages cannot be fetched (see $folder/npm.log)"; }
    cp "$here/provider/package-lock.json" "$folder/.installed"
fi
cp "$here/provider/server.mjs" "$folder/"
