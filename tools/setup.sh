#!/bin/sh
# Make .venv ready: uv, the locked packages, and a Mosquitto where this user may install one.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

updated=no
apt_install() {
    if [ "$updated" = no ]; then
        DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null
        updated=yes
    fi
    say "installing $* from the distribution"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
[ -n "$python" ] || { say "Python 3.11 or newer is needed; set PYTHON=/path/to/python"; exit 1; }

if [ -x .tools/bin/uv ]; then
    uv=.tools/bin/uv
elif command -v uv >/dev/null 2>&1; then
    uv=uv
else
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        root || { say "install python3-venv first: apt-get install python3-venv"; exit 1; }
        apt_install python3-venv
    fi
    say "installing uv into .tools"
    "$python" -m venv .tools
    .tools/bin/python -m pip install --quiet --disable-pip-version-check uv
    uv=.tools/bin/uv
fi

export UV_PYTHON_DOWNLOADS=never
# Daemons start in half the time, tests start hundreds: Python may be told not to cache by itself.
export UV_COMPILE_BYTECODE=1
"$uv" sync --quiet --frozen --all-extras --python "$("$python" -c 'import sys; print(sys.executable)')"
PYTHONDONTWRITEBYTECODE='' .venv/bin/python -m compileall -q gateway drivers simulators tests

if root && ! command -v strace >/dev/null 2>&1; then
    apt_install strace || say "note: no strace; tests that let system calls fail are skipped"
fi

if ! command -v tshark >/dev/null 2>&1; then
    if root; then
        apt_install tshark || say "tshark could not be installed; tests of its dissector are skipped"
    else
        say "note: no tshark here; tests of its dissectors are skipped"
    fi
fi

if ! command -v mosquitto >/dev/null 2>&1 && ! [ -x /usr/sbin/mosquitto ]; then
    if root; then
        apt_install mosquitto || say "Mosquitto could not be installed; the lab uses amqtt instead"
    else
        say "note: no Mosquitto here; the lab uses amqtt (MQTT 3.1.1 only), tests that need Mosquitto fail"
    fi
fi

if ! command -v ip >/dev/null 2>&1; then
    if root; then
        apt_install iproute2 || say "iproute2 could not be installed; tests with networks of their own are skipped"
    fi
fi

if root && ! [ -e /usr/include/modbus/modbus.h ]; then
    apt_install libmodbus-dev libmosquitto-dev || say "note: no libmodbus; make bench leaves out its C program"
fi
