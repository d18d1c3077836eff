"""The List operations: filters, order and pages, the same for jobs, models, configurations and endpoints."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mojo_toolbox.local_cloud.protocol import ServiceError
from mojo_toolbox.local_cloud.sagemaker.records import Record

DEFAULT_PAGE = 10


def list_page(
    records: Sequence[Record], request: Mapping[str, Any], *, key: str, summary: Callable[[Record], dict[str, Any]]
) -> dict[str, Any]:
    """Answer a List request: newest first unless it says otherwise.

    Raises:
        ServiceError: the NextToken is not one of ours.
    """
    chosen = [record for record in records if _matches(record, request)]
    sort_key = _SORT_KEYS.get(str(request.get("SortBy")), _SORT_KEYS["CreationTime"])
    descending = request.get("SortOrder", "Descending") == "Descending"
    chosen.sort(key=sort_key, reverse=descending)
    token = request.get("NextToken")
    if token:
        # A token holds the place in the order, so that a resource made meanwhile shifts nothing.
        last = _read_token(token)
        chosen = [r for r in chosen if (sort_key(r) < last if descending else sort_key(r) > last)]
    page = chosen[: request.get("MaxResults", DEFAULT_PAGE)]
    answer: dict[str, Any] = {key: [summary(record) for record in page]}
    if len(page) < len(chosen):
        place = json.dumps(sort_key(page[-1])).encode()
        answer["NextToken"] = base64.urlsafe_b64encode(place).decode()
    return answer


def _matches(record: Record, request: Mapping[str, Any]) -> bool:
    if request.get("NameContains", "").lower() not in record.name.lower():
        return False
    if request.get("StatusEquals", record.status) != record.status:
        return False
    for field, moment in (("CreationTime", record.created), ("LastModifiedTime", record.modified)):
        after, before = request.get(f"{field}After"), request.get(f"{field}Before")
        if after is not None and moment <= _seconds(after):
            return False
        if before is not None and moment >= _seconds(before):
            return False
    return True


_SORT_KEYS: dict[str, Callable[[Record], tuple[Any, str]]] = {
    "CreationTime": lambda record: (record.created, record.name),
    "LastModifiedTime": lambda record: (record.modified, record.name),
    "Name": lambda record: (record.name, record.name),
    "Status": lambda record: (record.status, record.name),
}


def _seconds(moment: float | str) -> float:
    if isinstance(moment, str):
        try:
            return datetime.fromisoformat(moment).timestamp()
        except ValueError:
            raise ServiceError("ValidationException", f"{moment!r} is no time.") from None
    return float(moment)


def _read_token(token: str) -> tuple[Any, str]:
    try:
        value, name = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError):
        raise ServiceError("ValidationException", "Invalid NextToken.") from None
    return value, name
