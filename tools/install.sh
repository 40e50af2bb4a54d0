#!/bin/sh
# Install otgate from this bundle, without a network: a folder of its own, which nothing else uses.
set -eu

usage() {
    cat <<'TEXT'
usage: ./install.sh [--into DIR] [--python PATH] [--lab]

Checks every file of the bundle, makes a Python environment in DIR (default: /opt/otgate-VERSION) and
points /opt/otgate at it. An installation of another version beside it stays, to go back to.

  --into DIR     where to; /opt/otgate is then left alone
  --python PATH  the interpreter (default: the first that this bundle has packages for)
  --lab          install the simulator's packages too, for `otgate lab`; a box needs none of them
TEXT
}

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

version=@VERSION@ machine=@MACHINE@ pythons="@PYTHONS@"
into="" python="" list=gateway
while [ $# -gt 0 ]; do
    case $1 in
        --into) into=${2:?--into needs a folder}; shift ;;
        --python) python=${2:?--python needs a path}; shift ;;
        --lab) list=lab ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

cd "$(dirname "$0")"
sha256sum --check --quiet --strict SHA256SUMS || fail "a file of the bundle is not as it was packed: copy it again"
[ "$(uname -m)" = "$machine" ] || fail "this bundle is for $machine, this machine is $(uname -m); make bundle PLATFORM=$(uname -m) packs one for it"

short() { "$1" -c 'import sys; print("cp%d%d" % sys.version_info[:2] if sys.implementation.name == "cpython" else sys.implementation.name)' 2>/dev/null; }
suits() { found=$(short "$1") && case " $pythons " in *" $found "*) ;; *) false ;; esac; }

if [ -n "$python" ]; then
    suits "$python" || fail "$python is ${found:-no Python}; this bundle holds packages for $pythons"
else
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if suits "$candidate"; then python=$candidate; break; fi
    done
    [ -n "$python" ] || fail "no Python for this bundle, which holds packages for $pythons: install one; make bundle PYTHON=3.x packs for another"
fi

target=${into:-/opt/otgate-$version}
if [ -z "$into" ] && [ -e /opt/otgate ] && ! [ -L /opt/otgate ]; then
    fail "/opt/otgate is no link to a version: move it away first, or install with --into DIR"
fi
if [ -e "$target" ] && ! [ -f "$target/pyvenv.cfg" ]; then
    fail "$target is there and no environment of Python, which would be made anew: name a folder that is not there yet"
fi
"$python" -m venv --clear --without-pip "$target" || fail "cannot make $target: see above"
for pip in wheels/pip-*.whl; do :; done
PIP_CONFIG_FILE=/dev/null "$target/bin/python" "$pip/pip" --isolated --disable-pip-version-check \
    --no-cache-dir --quiet install --no-index --find-links wheels --only-binary :all: --require-hashes \
    --requirement "requirements/$list-$found.txt" || fail "the packages could not be installed: see above"
[ -n "$into" ] || ln -sfn "$target" /opt/otgate
"$target/bin/otgate" --version
printf 'install.sh: next, as a box: %s/bin/otgate install --dry-run\n' "$target" >&2
