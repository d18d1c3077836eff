#!/usr/bin/env bash
# Trains and serves in the exact library versions of the AWS containers, on the CPU: container_test.sh BELOW PREFIX
# BELOW is the environment that runs the tests; PREFIX-training and PREFIX-serving are made, some 10 GB: torch of these
# versions comes with CUDA. Once before each release.
set -euo pipefail
below=$1 prefix=$2
training=$prefix-training serving=$prefix-serving

# The versions are those of the images in mojo_toolbox/clouds/aws/images.py; AWS lists them in its Dockerfiles.
install() {
    local venv=$1 requirements=$2
    shift 2
    "$venv/bin/python" -c '' 2>/dev/null || "$below/bin/python" -m venv "$venv"
    echo "Installing into $venv: $*"
    # The container has its libraries when it installs what our code asks for on top of them.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
}

install "$training" training_scripts/requirements.txt \
    torch==2.9.0 transformers==5.3.0 huggingface_hub==1.10.0 accelerate==1.12.0 peft==0.18.1 'numpy<3' boto3
install "$serving.below" inference_code/requirements.txt \
    torch==2.6.0 transformers==5.5.3 accelerate==1.12.0 peft==0.18.1 'numpy<3' boto3 psutil scipy six
scripts/serving_environment.sh "$serving.below" "$serving"

for venv in "$training" "$serving"; do
    "$venv/bin/python" -c 'import torch, transformers, peft
print(f"'"$venv"': torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}")'
done
MOJO_TEST_SERVING_REQUIRED=1 \
MOJO_TEST_TRAINING_PYTHON=$PWD/$training/bin/python \
MOJO_TEST_SERVING_PYTHON=$PWD/$serving/bin/python \
    "$below/bin/python" -m pytest -q tests/serving_container tests/training_scripts/test_training_job.py tests/training_scripts/test_encoder_job.py
