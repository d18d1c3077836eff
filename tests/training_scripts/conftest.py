"""The training scripts, imported by tests of their functions and run by tests of jobs, on tiny base models."""

import pytest
from shipped_script import Outcome, start_script
from tiny_encoder import save_tiny_encoder


@pytest.fixture(scope="session")
def tokenizer(tiny_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.fixture
def run_script(tiny_base):
    def run(*launcher, environment, base=tiny_base, **hyperparameters):
        process = start_script(base, *launcher, environment=environment, **hyperparameters)
        stdout, stderr = process.communicate(timeout=600)
        return Outcome(process.returncode, stdout, stderr)

    return run


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), longest=256)
