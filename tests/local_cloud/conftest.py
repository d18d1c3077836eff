"""The local cloud as users have it, a process of its own, asked by boto3."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloud_clients import Clients

from mojo_toolbox.local_cloud import lifecycle
from mojo_toolbox.local_cloud.lifecycle import RunningCloud

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def cloud(local_home: Path) -> RunningCloud:
    return lifecycle.up(local_home)


@pytest.fixture
def clients(cloud: RunningCloud) -> Iterator[Clients]:
    made = Clients(cloud)
    yield made
    made.close()


@pytest.fixture
def bucket(clients: Clients) -> str:
    name = f"bucket-{next(_NUMBERS)}"
    clients("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Path]:
    """A home for a local cloud that the test starts, kills and starts again by itself."""
    home = tmp_path / "own"
    yield home
    lifecycle.down(home)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def clients_of() -> Iterator[Callable[[RunningCloud], Clients]]:
    made: list[Clients] = []

    def make(connection: RunningCloud) -> Clients:
        made.append(Clients(connection))
        return made[-1]

    yield make
    for one in made:
        one.close()
