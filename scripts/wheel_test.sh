#!/usr/bin/env bash
# Builds the wheel, installs it (the base install) in a fresh environment and uses it from outside the checkout: wheel_test.sh PYTHON
set -euo pipefail
python=$1
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

rm -rf dist
"$python" -m build --outdir dist . >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2; exit 1; }
wheel=$(ls dist/*.whl)
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install -q --disable-pip-version-check "$wheel" -c constraints.txt \
    >"$scratch/install.log" 2>&1 || { cat "$scratch/install.log" >&2; exit 1; }
cd "$scratch"
venv/bin/python -W error "$root/scripts/try_wheel.py" "$root"
echo "$wheel: installed and used in a fresh environment"
