#!/bin/sh
# The independent witnesses that the tests ask: installed where we may (Debian, root), else named in one line.
set -eu
missing=""
need() { # program, package
    PATH="$PATH:/usr/sbin:/usr/lib/dovecot" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
for program in xmlsec1 openssl curl strace swaks postfix rabbitmq-server; do
    need "$program" "$program"
done
need ip iproute2
need imap dovecot-imapd
need pop3 dovecot-pop3d
# A library, not a program: the clock of a hub that runs is moved by it.
ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing="$missing faketime"
# A library, not a program: Debian's Python has it, and only that one is asked for it.
/usr/bin/python3 -c "import proton" 2>/dev/null || missing="$missing python3-qpid-proton"
[ -n "${SAMHUB_TEST_POSTGRES_URL:-}" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
# To compile the client for AMQP 1.0: a compiler, OpenSSL's headers and Python's own.
need cc gcc
need pkg-config pkg-config
[ -e /usr/include/openssl/ssl.h ] || missing="$missing libssl-dev"
python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null || missing="$missing python3-dev"
[ -z "$missing" ] && exit 0
install() {
    # A postfix that is not configured does not start by itself; the tests start one of their own.
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections 2>/dev/null || true
    # Nor does any other service that comes with a program: the tests start their own, on ports of their own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    (install || (apt-get update && install)) >/dev/null 2>&1 && exit 0
fi
echo "the tests need these programs; install them and try again:$missing" >&2
exit 1
