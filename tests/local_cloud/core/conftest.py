"""A local cloud as users have it: a process of its own in a fresh home, asked by boto3."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from mojo_toolbox.local_cloud import lifecycle
from mojo_toolbox.local_cloud.lifecycle import Connection

_NUMBERS = itertools.count()


class Clients:
    """boto3 clients of one local cloud, closed at the end of the test."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._open: list[Any] = []

    def __call__(self, service: str, keys: dict[str, Any] | None = None, **config: Any) -> Any:
        own = self.connection.credentials
        keys = keys or {"AccessKeyId": own.access_key_id, "SecretAccessKey": own.secret_access_key}
        client = boto3.client(
            service,
            endpoint_url=self.connection.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, **config),
        )
        self._open.append(client)
        return client

    def close(self) -> None:
        for client in self._open:
            client.close()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    home = tmp_path_factory.mktemp("cloud")
    yield lifecycle.up(home)
    lifecycle.down(home)


@pytest.fixture
def clients(cloud: Connection) -> Iterator[Clients]:
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
def clients_of() -> Iterator[Callable[[Connection], Clients]]:
    made: list[Clients] = []

    def make(connection: Connection) -> Clients:
        made.append(Clients(connection))
        return made[-1]

    yield make
    for one in made:
        one.close()
