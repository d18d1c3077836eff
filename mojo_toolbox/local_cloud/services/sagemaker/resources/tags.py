"""Tags of the resources that this local cloud runs itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

MAX_TAGS = 50
_TABLE = """CREATE TABLE IF NOT EXISTS sagemaker_tags (
    arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key))"""


class Tags:
    """Tags by ARN. `exists` says whether an ARN names something of ours."""

    def __init__(self, database: CloudDatabase, exists: Callable[[str], bool]) -> None:
        self._database = database
        self._exists = exists
        database.execute(_TABLE)

    def set(self, arn: str, tags: Sequence[Mapping[str, str]]) -> None:
        """Add tags, replacing those of the same key."""
        with self._database.transaction():
            for tag in tags:
                self._database.execute(
                    "INSERT OR REPLACE INTO sagemaker_tags VALUES (?, ?, ?)", (arn, tag["Key"], tag["Value"])
                )
            if len(self.of(arn)) > MAX_TAGS:
                raise ServiceError("ResourceLimitExceeded", f"A resource can carry {MAX_TAGS} tags.")

    def of(self, arn: str) -> list[dict[str, str]]:
        """Return the tags of one resource."""
        rows = self._database.execute("SELECT key, value FROM sagemaker_tags WHERE arn = ? ORDER BY rowid", (arn,))
        return [{"Key": row["key"], "Value": row["value"]} for row in rows]

    def forget(self, arn: str) -> None:
        """Drop the tags of a resource that is gone."""
        self._database.execute("DELETE FROM sagemaker_tags WHERE arn = ?", (arn,))

    def add(self, request: dict[str, Any]) -> dict[str, Any]:
        """AddTags."""
        arn = self._required(request)
        self.set(arn, request["Tags"])
        return {"Tags": self.of(arn)}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListTags."""
        tags = self.of(self._required(request))
        token = request.get("NextToken", "0")
        if not re.fullmatch("[0-9]{1,9}", token):
            raise ServiceError("ValidationException", "Invalid NextToken.")
        start = int(token)
        size = request.get("MaxResults", MAX_TAGS)
        answer: dict[str, Any] = {"Tags": tags[start : start + size]}
        if start + size < len(tags):
            answer["NextToken"] = str(start + size)
        return answer

    def remove(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteTags."""
        arn = self._required(request)
        with self._database.transaction():
            for key in request["TagKeys"]:
                self._database.execute("DELETE FROM sagemaker_tags WHERE arn = ? AND key = ?", (arn, key))
        return {}

    def _required(self, request: Mapping[str, Any]) -> str:
        arn = str(request["ResourceArn"])
        if not self._exists(arn):
            raise ServiceError("ResourceNotFound", f"Could not find resource {arn}")
        return arn
