"""A tiny server for the tests of this room."""

import json

import pytest
from tiny_base import make_tokenizer, save_tiny_base


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory):
    return save_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def tokenizer():
    return make_tokenizer()


@pytest.fixture
def full_precision(monkeypatch):
    monkeypatch.setenv("MOJO_DTYPE", "float32")
    monkeypatch.delenv("MOJO_BASE_MODEL", raising=False)


@pytest.fixture
def server(base_folder, full_precision):
    """A server of the plain base model, with an empty prefix cache."""
    import inference

    return inference.model_fn(str(base_folder))


@pytest.fixture
def ask(server):
    """Ask that server as a container does: JSON in, JSON out."""
    import inference

    def call(**body):
        body.setdefault("messages", [{"role": "user", "content": "help me with my meeting"}])
        return json.loads(inference.answer(server, json.dumps(body)))

    return call
