"""A request to S3 as the members of its operation in AWS's model: from its headers, its query and its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from mojo_toolbox.local_cloud.services.s3 import xml
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.wire.validation import service_shapes

_BOOLEANS = {"true": True, "false": False}


def members_of_request(operation: str, call: Call) -> dict[str, Any]:
    """Return the members that a request gives, all texts but for booleans. A bucket, a key and a body are no members.

    Raises:
        ObjectStoreError: MalformedXML.
    """
    model = service_shapes("s3")
    shape = _input(model, operation)
    found: dict[str, Any] = {}
    for name, member in shape.get("members", {}).items():
        given = _given(call, member)
        if given is not None:
            found[name] = _scalar(model["shapes"][member["shape"]], given)
    payload = shape.get("payload")
    if payload and call.body and model["shapes"][shape["members"][payload]["shape"]]["type"] == "structure":
        found[payload] = _value(model["shapes"], shape["members"][payload]["shape"], xml.parse(call.body))
    return found


def enum_of(operation: str, member: str) -> tuple[str, ...]:
    """Return the values that AWS's model knows for a member, or none if it may be anything."""
    model = service_shapes("s3")
    return tuple(model["shapes"][_input(model, operation)["members"][member]["shape"]].get("enum", ()))


def _input(model: Mapping[str, Any], operation: str) -> Mapping[str, Any]:
    named = model["operations"][operation].get("input")
    return dict(model["shapes"][named["shape"]]) if named else {}


def _given(call: Call, member: Mapping[str, Any]) -> str | None:
    location, name = member.get("location"), member.get("locationName", "")
    if location == "header":
        return call.headers.get(name.lower())
    return call.query.get(name) if location == "querystring" else None


def _value(shapes: Mapping[str, Any], name: str, element: ET.Element) -> Any:
    shape = shapes[name]
    if shape["type"] == "structure":
        return _structure(shapes, shape, element)
    if shape["type"] == "list":
        return [_value(shapes, shape["member"]["shape"], one) for one in element]
    return _scalar(shape, (element.text or "").strip())


def _structure(shapes: Mapping[str, Any], shape: Mapping[str, Any], element: ET.Element) -> dict[str, Any]:
    """Return a structure's members. An element that the model does not know keeps its own name."""
    known = {member.get("locationName", name): (name, member["shape"]) for name, member in shape["members"].items()}
    found: dict[str, Any] = {}
    for child in element:
        name, target = known.get(child.tag, (child.tag, ""))
        if not target:
            found[name] = child.text or "unknown"
        elif shapes[target].get("flattened"):
            found.setdefault(name, []).append(_value(shapes, shapes[target]["member"]["shape"], child))
        else:
            found[name] = _value(shapes, target, child)
    return found


def _scalar(shape: Mapping[str, Any], text: str) -> Any:
    return _BOOLEANS.get(text.lower(), text) if shape["type"] == "boolean" else text
