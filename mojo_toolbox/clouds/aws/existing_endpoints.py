"""AWS's facts about an endpoint that does not answer: its status, or the other endpoints."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.clouds.aws.session import Session

# In an error.
_MOST_LISTED = 8


@dataclass(frozen=True)
class EndpointSurroundings:
    """The result of a look at the account's endpoints."""

    others: list[str] | None
    """Names of the other endpoints, the most like the one that was looked for first, or None if they cannot be listed."""
    status: str = ""
    """Of the endpoint itself, in SageMaker's words. Empty where it is not there, or nobody may look."""
    reason: str = ""
    """Why it failed."""

    def __str__(self) -> str:
        """Say which endpoints exist, as the end of an error, or nothing if nobody knows."""
        if self.others is None:
            return ""
        if not self.others:
            return " No endpoint exists there."
        more = f" and {len(self.others) - _MOST_LISTED} more" if len(self.others) > _MOST_LISTED else ""
        return f" Existing endpoints: {', '.join(self.others[:_MOST_LISTED])}{more}."


def look_around(session: Session, name: str) -> EndpointSurroundings:
    """Look for the endpoint `name` among the newest 100. Asked for a few seconds at most, and never an error.

    AWS is asked about the endpoint itself only where the list does not tell all: it failed, or may be on another page.
    """
    newest = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100}
    answer = session.glance("sagemaker", "list_endpoints", **newest)
    rows = [] if answer is None else answer.get("Endpoints", [])
    statuses = {str(row["EndpointName"]): str(row["EndpointStatus"]) for row in rows}
    status, reason = statuses.pop(name, ""), ""
    if status == "Failed" or (not status and (answer is None or "NextToken" in answer)):
        described = session.glance("sagemaker", "describe_endpoint", EndpointName=name) or {}
        status, reason = _standing(described, status)
    others = sorted(statuses, key=lambda other: -difflib.SequenceMatcher(None, name, other).ratio())
    return EndpointSurroundings(None if answer is None else others, status=status, reason=reason)


def _standing(described: Mapping[str, Any], listed: str) -> tuple[str, str]:
    """Return an endpoint's status and why it failed. Without a description, the list's own values count."""
    reason = " ".join(str(described.get("FailureReason", "")).split())
    return str(described.get("EndpointStatus", listed)), reason


def place(session: Session) -> str:
    """Say where an endpoint was looked for."""
    return "on the local cloud" if session.is_local else f"in {session.region_name}"
