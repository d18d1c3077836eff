"""Checks moto's requests against AWS's own model of the service: moto checks little, and fails inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from mojo_toolbox.local_cloud.services.sagemaker.resources.tag_rules import check_tags
from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.json_document import read_document
from mojo_toolbox.local_cloud.wire.protocol import ServiceError, bounded_number
from mojo_toolbox.local_cloud.wire.validation import check_request, known_operation, service_shapes

_MOST_ITEMS = 10_000


def check_for_moto(service: str, operation: str, request: HttpRequest, body: bytes) -> Mapping[str, Any]:
    """Refuse requests that AWS would refuse, and return the request's members.

    Raises:
        ServiceError: the service has no such operation, or a member is missing or not as it must be.
    """
    query = service_shapes(service)["metadata"]["protocol"] == "query"
    if query:
        if not known_operation(service, operation):
            raise ServiceError("InvalidAction", f"Could not find operation {operation} for {service}.")
        parameters = dict(parse_qsl(f"{request.raw_query}&{body.decode('utf-8', 'replace')}", keep_blank_values=True))
        document = _document(service, operation, parameters)
        check_request(service, operation, document, code="ValidationError")
        return dict(document)
    if "x-amz-target" in request.headers:
        if not known_operation(service, operation):
            raise ServiceError("UnknownOperationException", f"{service} has no operation {operation}.")
        document = read_document(body)
        check_request(service, operation, document)
        if service == "sagemaker":
            check_tags(operation, document)
        return {name: value for name, value in document.items() if value is not None}
    return {}


def _document(service: str, operation: str, parameters: Mapping[str, str]) -> Any:
    """Return a request of the query protocol as the nested values that it means."""
    model = service_shapes(service)
    name = model["operations"][operation].get("input", {}).get("shape")
    return {} if name is None else _value(model["shapes"], name, parameters, "")


def _value(shapes: Mapping[str, Any], name: str, parameters: Mapping[str, str], prefix: str) -> Any:
    shape = shapes[name]
    kind = shape["type"]
    if prefix and not any(given.startswith(prefix) for given in parameters):
        return None
    if kind == "structure":
        members = {
            member: _value(shapes, one["shape"], parameters, f"{prefix}.{member}" if prefix else member)
            for member, one in shape["members"].items()
        }
        given = {member: value for member, value in members.items() if value is not None}
        return given or (None if prefix else {})
    if kind == "list":
        return _items(shapes, shape["member"]["shape"], parameters, f"{prefix}.member")
    if kind == "map":
        # None of the operations that moto answers takes one.
        return None
    return _scalar(kind, parameters.get(prefix))


def _items(shapes: Mapping[str, Any], name: str, parameters: Mapping[str, str], prefix: str) -> list[Any] | None:
    """Return the items of a list, which is numbered from 1, or None if there are none."""
    items = []
    for number in range(1, _MOST_ITEMS + 1):
        item = _value(shapes, name, parameters, f"{prefix}.{number}")
        if item is None:
            break
        items.append(item)
    return items or None


def _scalar(kind: str, text: str | None) -> Any:
    """Read one value. A value of another kind stays a text, which the check then refuses."""
    if text is None:
        return None
    if kind in {"integer", "long"}:
        number = bounded_number(text.removeprefix("-"), 2**63)
        return text if number is None else -number if text.startswith("-") else number
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    return text
