#!/usr/bin/env bash
# Makes the environment in which tests run the serving container's own server: serving_environment.sh BELOW VENV
# BELOW is an environment with torch and transformers, whose packages VENV sees. Ends well without Java: the tests skip then.
set -euo pipefail
below=$1 venv=$2
log=$venv.log

if ! java -version >/dev/null 2>&1; then
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "Installing a Java runtime, for the tests of the serving container"
        patience=(-o Acquire::http::Timeout=30 -o Acquire::Retries=2)
        { apt-get "${patience[@]}" update && DEBIAN_FRONTEND=noninteractive \
            apt-get "${patience[@]}" install -y --no-install-recommends openjdk-17-jre-headless; } >"$log" 2>&1 || true
    fi
    if ! java -version >/dev/null 2>&1; then
        echo "The tests of the serving container need a Java runtime (Debian: openjdk-17-jre-headless); they are skipped." >&2
        exit 0
    fi
fi

rm -rf "$venv"
"$below/bin/python" -m venv --without-pip "$venv"
"$venv/bin/python" - "$("$below/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" <<'PYTHON'
import pathlib, sys, sysconfig
# Not site.addsitedir(): what is installed below by a link to this checkout is not in the container either.
pathlib.Path(sysconfig.get_path("purelib"), "below.pth").write_text(sys.argv[1] + "\n")
PYTHON

# The container's multi-model-server and toolkit. The toolkit's requirements for pictures and sound (librosa, phonemizer, ...)
# are left out, but for Pillow, which it imports. sagemaker-inference needs pkg_resources, which newer setuptools lack.
"$below/bin/python" -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check --no-deps --ignore-installed \
    multi-model-server==1.1.11 model-archiver==1.0.3 future==1.0.0 enum-compat==0.0.3 retrying==1.4.2 \
    sagemaker-inference==1.10.1 sagemaker-huggingface-inference-toolkit==2.6.0 'pillow>=12' 'setuptools<82' >"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; exit 1; }

# The published toolkit does not import with transformers 5, which has no TensorFlow; the container has an unpublished commit.
"$venv/bin/python" - <<'PYTHON'
import importlib.util, pathlib
package = pathlib.Path(importlib.util.find_spec("sagemaker_huggingface_inference_toolkit").origin).parent
path = package / "transformers_utils.py"
old = "from transformers.file_utils import is_tf_available, is_torch_available\n"
new = "from transformers.utils import is_torch_available\n\nis_tf_available = bool\n"
text = path.read_text()
assert old in text, "the toolkit has changed: look whether it imports with transformers 5 now"
path.write_text(text.replace(old, new))
PYTHON
