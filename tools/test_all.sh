#!/bin/sh
# Run the tests on every interpreter of 3.11, 3.12 and 3.13 that this machine has.
set -eu
cd "$(dirname "$0")/.."
uv=uv
[ -x .tools/bin/uv ] && uv=.tools/bin/uv
export UV_PYTHON_DOWNLOADS=never

# Print the path of a working interpreter of version $1: on PATH, of pyenv, or known to uv.
interpreter() {
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        "$candidate" -c 'import sys; print(sys.executable)' 2>/dev/null && return 0
    done
    "$uv" python find --no-project "$1" 2>/dev/null
}

ran=
for version in 3.11 3.12 3.13; do
    if ! python=$(interpreter "$version"); then
        echo "== Python $version: not found, not tested"
        continue
    fi
    echo "== Python $version: $python"
    UV_PROJECT_ENVIRONMENT=.venv-$version "$uv" sync --quiet --frozen --all-extras --python "$python"
    ".venv-$version/bin/python" -m pytest -n 2 --dist worksteal -m "not slow" "$@"
    ran="$ran $version"
done
echo "tested on:$ran"
