"""The command line as users run it: a process, with a home of its own and a running local cloud."""

import json

import pytest
from mojo_shell import Shell

from mojo_toolbox.local_cloud import lifecycle

TASKS = [{"name": "email", "description": "write"}, {"name": "recap", "description": "sum up"}]


@pytest.fixture
def mojo(tmp_path):
    """A shell whose local cloud does not run."""
    return Shell(tmp_path / "home", tmp_path)


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """A shell whose local cloud runs, in a folder with a tiny base model, conversations and tasks."""
    from tiny_base import save_tiny_base

    folder = tmp_path_factory.mktemp("cli")
    save_tiny_base(folder / "base")
    turns = [{"role": "user", "content": "mail Ann", "task": "email"}, {"role": "user", "content": "bye", "task": None}]
    (folder / "train.jsonl").write_text(json.dumps({"tasks": TASKS, "messages": turns}) + "\n")
    (folder / "tasks.json").write_text(json.dumps(TASKS))
    shell = Shell(folder / "home", folder)
    shell.environment["MOJO_CLOUD_SERVICE"] = "local"
    lifecycle.up(folder / "home")
    yield shell
    lifecycle.down(folder / "home")


@pytest.fixture
def account(local, tmp_path):
    """A shell with an AWS account, which the running local cloud plays: region, role, credentials and conversations."""
    shell = Shell(tmp_path / "home", tmp_path)
    shell.environment |= local.json("local", "env")
    shell.environment |= {"MOJO_ROLE": "arn:aws:iam::123456789012:role/Mojo", "AWS_DEFAULT_REGION": "us-east-1"}
    (tmp_path / "train.jsonl").write_text((local.folder / "train.jsonl").read_text())
    return shell
