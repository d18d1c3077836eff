"""Lists of this library's training jobs, endpoints and deployed models, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.clouds.aws.jobs import TrainingJob
from mojo_toolbox.clouds.aws.names import digest_from_tags, key_from_tags, lossy_digest, tag_value
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.errors import ConfigurationError, NotFoundError
from mojo_toolbox.names import ModelKey, require_name

_NEWEST_FIRST = {"SortBy": "CreationTime", "SortOrder": "Descending"}


@dataclass(frozen=True)
class JobSummary:
    """A line of `hub.jobs()`."""

    name: str
    status: str
    created: datetime
    key: ModelKey
    version: str
    failure_reason: str | None = None
    """Why it failed, in AWS's words, or None if it did not."""


@dataclass(frozen=True)
class EndpointSummary:
    """A line of `hub.endpoints()`."""

    name: str
    status: str
    created: datetime
    key: ModelKey
    stage: str
    version: str
    failure_reason: str | None = None
    """Why it failed, in AWS's words, or None if it did not."""


@dataclass(frozen=True)
class ModelSummary:
    """A line of `hub.models()`: a deployed version."""

    name: str
    created: datetime
    key: ModelKey
    stage: str
    version: str


@dataclass(frozen=True)
class _Found:
    """A row of one of AWS's lists, with the tags that say that it is ours."""

    row: Mapping[str, Any]
    tags: list[dict[str, str]]
    key: ModelKey
    stage: str
    version: str


def list_jobs(
    session: Session, *, wanted: Mapping[str, str | None] | None = None, status: str | None = None, limit: int = 100
) -> list[JobSummary]:
    """Return at most `limit` training jobs. `wanted` gives fields of their key, such as `task`, or None for any.

    Raises:
        ConfigurationError: `limit` is not a number of jobs.
        InvalidNameError: a part of the name that cannot be used.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigurationError(f"limit={limit!r} must be a whole number of at least 1.")
    parts = {field: require_name(field, name) for field, name in (wanted or {}).items() if name is not None}
    pages = {"MaxResults": 100, **({} if status is None else {"StatusEquals": status})}
    found: list[JobSummary] = []
    for ours in _ours(session, "list_training_jobs", "TrainingJobSummaries", "TrainingJobArn", **pages):
        if not _is_wanted(ours, parts):
            continue
        name, state = ours.row["TrainingJobName"], ours.row["TrainingJobStatus"]
        reason = TrainingJob(session, name).failure_reason if state == "Failed" else None
        found.append(JobSummary(name, state, ours.row["CreationTime"], ours.key, ours.version, reason))
        if len(found) == limit:
            break
    return found


def list_endpoints(session: Session) -> list[EndpointSummary]:
    """Return all endpoints."""
    found = []
    for ours in _ours(session, "list_endpoints", "Endpoints", "EndpointArn"):
        name, status = ours.row["EndpointName"], ours.row["EndpointStatus"]
        reason = Endpoint(session, name, version_base="").failure_reason if status == "Failed" else None
        found.append(
            EndpointSummary(name, status, ours.row["CreationTime"], ours.key, ours.stage, ours.version, reason)
        )
    return found


def list_models(session: Session) -> list[ModelSummary]:
    """Return all deployed models."""
    return [
        ModelSummary(ours.row["ModelName"], ours.row["CreationTime"], ours.key, ours.stage, ours.version)
        for ours in _ours(session, "list_models", "Models", "ModelArn")
    ]


def _is_wanted(found: _Found, wanted: Mapping[str, str]) -> bool:
    # AWS spells some characters of a tag otherwise. The wanted value is spelled the same way.
    if any(getattr(found.key, field) != tag_value(value) for field, value in wanted.items()):
        return False
    whole_key = len(wanted) == len(fields(ModelKey))
    return not whole_key or lossy_digest(ModelKey(**wanted)) == digest_from_tags(found.tags)


def _ours(session: Session, operation: str, rows: str, arn: str, **query: Any) -> Iterator[_Found]:
    """Yield the rows of a list whose tags are this library's."""
    pages = session.pages("sagemaker", operation, **_NEWEST_FIRST, **query)
    for row in (row for page in pages for row in page[rows]):
        tags = _resource_tags(session, row[arn])
        ours = key_from_tags(tags)
        if ours is not None:
            key, stage, version = ours
            yield _Found(row, tags, key, stage or "", version)


def _resource_tags(session: Session, arn: str) -> list[dict[str, str]]:
    """Return a resource's tags, or none if it was deleted meanwhile."""
    try:
        tags: list[dict[str, str]] = session.call("sagemaker", "list_tags", ResourceArn=arn)["Tags"]
    except NotFoundError:
        return []
    return tags
