"""The training script, imported by tests of its functions and run by tests of jobs, on a tiny base model."""

import sys

import pytest
from shipped_script import SCRIPTS, Outcome, start_script

sys.path.insert(0, str(SCRIPTS))


@pytest.fixture(scope="session")
def tokenizer(tiny_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.fixture
def run_script(tiny_base):
    def run(*launcher, environment, base=tiny_base, **hyperparameters):
        process = start_script(base, *launcher, environment=environment, **hyperparameters)
        stdout, stderr = process.communicate(timeout=250)
        return Outcome(process.returncode, stdout, stderr)

    return run
