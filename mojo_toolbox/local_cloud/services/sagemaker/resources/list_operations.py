"""The List operations: filters, order and pages, the same for jobs, models, configurations and endpoints."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.register import ResourceRecord
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

DEFAULT_PAGE = 10


def list_page(
    records: Sequence[ResourceRecord],
    request: Mapping[str, Any],
    *,
    key: str,
    summary: Callable[[ResourceRecord], dict[str, Any]],
) -> dict[str, Any]:
    """Answer a List request: newest first unless it says otherwise.

    Raises:
        ServiceError: the NextToken is not one of ours, or of another list, order or filter.
    """
    times = {name: _seconds(value) for name, value in request.items() if name.endswith(("After", "Before"))}
    chosen = [record for record in records if _matches(record, request, times)]
    sort_key = _SORT_KEYS.get(str(request.get("SortBy")), _SORT_KEYS["CreationTime"])
    descending = request.get("SortOrder", "Descending") == "Descending"
    chosen.sort(key=sort_key, reverse=descending)
    asked = _digest(key, request)
    token = request.get("NextToken")
    if token:
        # A token holds the place in the order, so that a resource made meanwhile shifts nothing.
        last = _read_token(token, asked)
        chosen = [r for r in chosen if (sort_key(r) < last if descending else sort_key(r) > last)]
    page = chosen[: request.get("MaxResults", DEFAULT_PAGE)]
    answer: dict[str, Any] = {key: [summary(record) for record in page]}
    if len(page) < len(chosen):
        place = json.dumps([asked, *sort_key(page[-1])]).encode()
        answer["NextToken"] = base64.urlsafe_b64encode(place).decode()
    return answer


def _matches(record: ResourceRecord, request: Mapping[str, Any], times: Mapping[str, float]) -> bool:
    if request.get("NameContains", "").lower() not in record.name.lower():
        return False
    if request.get("StatusEquals", record.status) != record.status:
        return False
    for field, moment in (("CreationTime", record.created), ("LastModifiedTime", record.modified)):
        if not times.get(f"{field}After", -math.inf) < moment < times.get(f"{field}Before", math.inf):
            return False
    return True


_SORT_KEYS: dict[str, Callable[[ResourceRecord], tuple[Any, str]]] = {
    "CreationTime": lambda record: (record.created, record.name),
    "LastModifiedTime": lambda record: (record.modified, record.name),
    "Name": lambda record: (record.name, record.name),
    "Status": lambda record: (record.status, record.name),
}


def _seconds(moment: float | str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else float(moment)
    except (ValueError, OverflowError):
        raise ServiceError("ValidationException", f"{str(moment)[:100]!r} is no time.") from None


def _digest(key: str, request: Mapping[str, Any]) -> str:
    """Return the mark of this list, with its order and filters."""
    asked = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return hashlib.sha256(json.dumps([key, asked], sort_keys=True).encode()).hexdigest()[:16]


def _read_token(token: str, asked: str) -> tuple[Any, str]:
    try:
        of, value, name = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        of = None
    if of != asked:
        raise ServiceError(
            "ValidationException",
            "Invalid NextToken. Send it with the filters and the order of the request it is from.",
        )
    return value, name
