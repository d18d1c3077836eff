#!/usr/bin/env bash
# Uses the local cloud through the SageMaker SDK, in an environment of its own (1.2 GB): sdk_test.sh VENV SDK_VENV
set -euo pipefail
bin=$PWD/$1/bin
sdk=$2
scratch=$(mktemp -d)
export MOJO_HOME=$scratch/home
trap '"$bin/mojo" local down >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

if [ ! -x "$sdk/bin/python" ]; then
    "$bin/python" -m venv "$sdk"
fi
"$sdk/bin/python" -m pip install -q --disable-pip-version-check '.[sagemaker]'
sdk=$(cd "$sdk" && pwd)
"$bin/mojo" local up >/dev/null
eval "$("$bin/mojo" local env)"
mkdir "$scratch/work"
"$sdk/bin/python" scripts/try_sdk.py "$scratch/work"
