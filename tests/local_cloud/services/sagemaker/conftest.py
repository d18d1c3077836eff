"""A SageMaker of its own for each test."""

from __future__ import annotations

import pytest
from cloud_in_process import Cloud


@pytest.fixture
def cloud(tmp_path):
    made = Cloud(tmp_path)
    yield made
    made.close()
