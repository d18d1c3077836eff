"""AWS's JSON protocol: which operation a request asks for, and how it is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from mojo_toolbox.local_cloud.wire.http import HttpAnswer, HttpRequest


def operation_of(request: HttpRequest, body: bytes) -> str:
    """Return the operation's name: from the target header, the query protocol's Action, or else the path."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    form = parse_qs(f"{request.raw_query}&{body.decode('utf-8', 'replace')}")
    return form.get("Action", [request.raw_path.rpartition("/")[2]])[0]


def json_answer(document: Mapping[str, Any], request: HttpRequest) -> HttpAnswer:
    """Answer with a document."""
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": request.request_id}
    return HttpAnswer(200, headers, json.dumps(document, default=_seconds).encode())


def _seconds(value: object) -> float:
    """Write a time as the JSON protocol does."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no place in an answer")
