"""Which endpoints there are: for the error that says that one is not there."""

from __future__ import annotations

import difflib

from mojo_toolbox.aws.session import Session

# In an error.
_MOST_LISTED = 8


def existing_endpoints(session: Session, *, near: str) -> list[str] | None:
    """Return the names of endpoints that exist, the most like `near` first; None where they cannot be listed.

    The newest 100, asked for once and for a few seconds at most.
    """
    newest = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100}
    answer = session.glance("sagemaker", "list_endpoints", **newest)
    if answer is None:
        return None
    names = [str(row["EndpointName"]) for row in answer.get("Endpoints", [])]
    return sorted(names, key=lambda name: -difflib.SequenceMatcher(None, near, name).ratio())


def listed(names: list[str] | None) -> str:
    """Say which endpoints exist, as the end of an error; nothing where nobody knows."""
    if names is None:
        return ""
    if not names:
        return " No endpoint exists there."
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f" Existing endpoints: {', '.join(names[:_MOST_LISTED])}{more}."


def place(session: Session) -> str:
    """Say where an endpoint was looked for."""
    return "on the local cloud" if session.is_local else f"in {session.region_name}"
