"""boto3 clients of a local cloud."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from mojo_toolbox.local_cloud.lifecycle import RunningCloud


class Clients:
    """boto3 clients of one local cloud, closed at the end of the test."""

    def __init__(self, connection: RunningCloud) -> None:
        self.connection = connection
        self._open: list[Any] = []

    def __call__(
        self, service: str, keys: dict[str, Any] | None = None, *, region: str = "us-east-1", **config: Any
    ) -> Any:
        own = self.connection.credentials
        keys = keys or {"AccessKeyId": own.access_key_id, "SecretAccessKey": own.secret_access_key}
        client = boto3.client(
            service,
            endpoint_url=self.connection.endpoint_url,
            region_name=region,
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
