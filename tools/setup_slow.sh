#!/bin/sh
# What the slow tests use besides, where this user may install it: a second kind of broker, and who reads compose.yaml.
set -eu
for program in nats-server docker-compose; do
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && ! command -v "$program" >/dev/null 2>&1; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$program" >/dev/null ||
            printf 'setup: no %s; tests with it are skipped\n' "$program" >&2
    fi
done
