"""What tests of the generator share: a task file, and a short template."""

import json

import pytest
from written import TASKS, TEMPLATE


@pytest.fixture
def tasks(tmp_path):
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(TASKS))
    return path


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "short.md"
    path.write_text(TEMPLATE)
    return path
