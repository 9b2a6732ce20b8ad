#!/bin/sh
# The independent witnesses that the tests ask: installed where we may (Debian, root), else named in one line.
set -eu
missing=""
for program in xmlsec1 openssl curl strace; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    (apt-get install -y $missing || (apt-get update && apt-get install -y $missing)) >/dev/null 2>&1 && exit 0
fi
echo "the tests need these programs; install them and try again:$missing" >&2
exit 1
