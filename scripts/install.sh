#!/usr/bin/env bash
# Makes the environment of this checkout, with some extras of pyproject.toml: install.sh PYTHON VENV EXTRAS
# With the extra dev the tests of the review page get their browser, too.
set -euo pipefail
python=$1 venv=$2 extras=$3

if [[ -z $python ]]; then
    echo "Python 3.11 or newer is needed, and there is $(python3 --version 2>&1 || echo none)." >&2
    echo "Install one (https://www.python.org/downloads/), or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
fi
# sagemaker-training, the entry code of the training containers, comes as source with a small C file.
if ! "$python" -c 'import sysconfig, pathlib, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
    || ! command -v cc gcc clang >/dev/null; then
    echo "A C compiler and Python's headers are needed. On Debian and Ubuntu: apt install build-essential python3-dev;" >&2
    echo "on macOS: xcode-select --install" >&2
    exit 1
fi

# An environment whose interpreter is gone or was moved is made anew.
if ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
log=$venv/install-${extras//,/-}.log
duration="2 to 10 minutes, torch is large"
if "$venv/bin/python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'; then
    duration="a minute or two"
fi
echo "Installing [$extras] into $venv with $("$venv/bin/python" --version): $duration. All of it: $log"
if ! "$venv/bin/python" -m pip install --disable-pip-version-check -e ".[$extras]" -c constraints.txt 2>&1 | tee "$log" | awk '
    # The large ones by name, so that one sees it moving.
    /^ *Downloading .*\([0-9][0-9]+(\.[0-9]+)? MB\)$/ || /^ *Downloading .*GB\)$/ { print "  " $2, $3, $4; fflush() }
    /^Installing collected packages/ { print "  unpacking"; fflush() }'; then
    tail -n 20 "$log" >&2
    echo "The installation failed; the whole log is $log" >&2
    exit 1
fi

[[ $extras == dev ]] || exit 0
# The review page's tests drive a real browser; where there is none, they are skipped and say so.
if ! command -v chromium chromium-browser google-chrome >/dev/null; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "Installing chromium, for the tests of the review page"
        patience=(-o Acquire::http::Timeout=30 -o Acquire::Retries=2)
        if ! { apt-get "${patience[@]}" update && DEBIAN_FRONTEND=noninteractive \
            apt-get "${patience[@]}" install -y --no-install-recommends chromium; } >>"$log" 2>&1; then
            echo "chromium could not be installed, so the tests of the review page will be skipped; see $log" >&2
        fi
    else
        echo "The tests of the review page need chromium (Debian: apt install chromium); without it they are skipped." >&2
    fi
fi
