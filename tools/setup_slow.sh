#!/bin/sh
# What the slow tests use besides: a second kind of broker, where this user may install one.
set -eu
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && ! command -v nats-server >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nats-server >/dev/null ||
        printf 'setup: no nats-server; tests with it are skipped\n' >&2
fi
