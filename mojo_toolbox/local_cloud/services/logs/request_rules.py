"""CloudWatch Logs' rules between the fields of a request, and which of its fields the local cloud honours."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mojo_toolbox.local_cloud.wire.fields import Fields, refuse_unhonoured
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.validation import check_request

CODE = "InvalidParameterException"
MAX_BATCH_BYTES = 1024 * 1024
# The bytes that CloudWatch adds to each event's message.
EVENT_OVERHEAD_BYTES = 26
MAX_BATCH_MILLISECONDS = 24 * 3600 * 1000

_GROUP = frozenset(["logGroupName", "logGroupIdentifier"])
_PAGE = frozenset(["nextToken", "limit"])
_TIMES = frozenset(["startTime", "endTime"])
_NOTHING_MASKED = {"unmask": "nothing is masked"}
_ONE_CLASS = "it has one class of log groups"

FIELDS: Mapping[str, Fields] = {
    "CreateLogGroup": Fields(
        honoured=frozenset(["logGroupName"]),
        without_effect={"kmsKeyId": "nothing is encrypted beyond what this machine's disk does"},
        values={"logGroupClass": ("STANDARD",)},
        reasons={"logGroupClass": _ONE_CLASS, "tags": "it keeps no tags of log groups"},
    ),
    "CreateLogStream": Fields(honoured=frozenset(["logGroupName", "logStreamName"])),
    "DeleteLogGroup": Fields(honoured=frozenset(["logGroupName"])),
    "DeleteLogStream": Fields(honoured=frozenset(["logGroupName", "logStreamName"])),
    "DescribeLogGroups": Fields(
        honoured=_PAGE | {"logGroupNamePrefix", "logGroupNamePattern"},
        values={"logGroupClass": ("STANDARD",)},
        reasons={"logGroupClass": _ONE_CLASS, "includeLinkedAccounts": "it has one account"},
    ),
    "DescribeLogStreams": Fields(honoured=_GROUP | _PAGE | {"logStreamNamePrefix", "orderBy", "descending"}),
    "FilterLogEvents": Fields(
        honoured=_GROUP | _PAGE | _TIMES | {"logStreamNames", "logStreamNamePrefix", "filterPattern", "startFromHead"},
        without_effect={"interleaved": "AWS ignores it too", **_NOTHING_MASKED},
    ),
    "GetLogEvents": Fields(
        honoured=_GROUP | _PAGE | _TIMES | {"logStreamName", "startFromHead"}, without_effect=_NOTHING_MASKED
    ),
    "PutLogEvents": Fields(
        honoured=frozenset(["logGroupName", "logStreamName", "logEvents"]),
        without_effect={"sequenceToken": "AWS ignores it too"},
    ),
}


def check_logs_request(operation: str, request: Mapping[str, Any]) -> None:
    """Refuse requests that CloudWatch Logs would refuse, or that ask for something unsupported.

    Raises:
        ServiceError: with the fields that are wrong.
    """
    check_request("logs", operation, request, code=CODE)
    _check_together(operation, request)
    refuse_unhonoured(operation, request, FIELDS[operation], code=CODE)


def _check_together(operation: str, request: Mapping[str, Any]) -> None:
    for one, other in (
        ("logGroupName", "logGroupIdentifier"),
        ("logGroupNamePrefix", "logGroupNamePattern"),
        ("logStreamNames", "logStreamNamePrefix"),
    ):
        if request.get(one) and request.get(other):
            raise ServiceError(CODE, f"{operation} takes {one} or {other}, not both.")
    if request.get("orderBy") == "LastEventTime" and request.get("logStreamNamePrefix"):
        raise ServiceError(CODE, "Cannot order by LastEventTime with a logStreamNamePrefix.")
    if operation == "FilterLogEvents" and request.get("startFromHead") is False:
        raise ServiceError(CODE, "The local cloud takes True for FilterLogEvents's startFromHead, not False.")
    if operation == "PutLogEvents":
        _check_batch(request["logEvents"])


def _check_batch(events: list[Mapping[str, Any]]) -> None:
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise ServiceError(CODE, "Log events in a single PutLogEvents request must be in chronological order.")
    if times[-1] - times[0] > MAX_BATCH_MILLISECONDS:
        raise ServiceError(
            CODE, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    size = sum(len(event["message"].encode("utf-8", "replace")) + EVENT_OVERHEAD_BYTES for event in events)
    if size > MAX_BATCH_BYTES:
        raise ServiceError(CODE, f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}")
