"""SageMaker's rules for tags, wherever a request carries some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.validation import members_of


def check_tags(operation: str, request: Mapping[str, Any]) -> None:
    """Refuse keys that are given twice and keys of AWS's own, in a request whose members have the right types.

    Raises:
        ServiceError: with the key that is wrong.
    """
    members = members_of("sagemaker", operation)
    # Where an operation has no such member, nobody has looked at its type.
    tags, removed = (request.get(name) or [] if name in members else [] for name in ("Tags", "TagKeys"))
    keys = [tag["Key"] for tag in tags]
    twice = [key for key, times in Counter(keys).items() if times > 1]
    if twice:
        raise ServiceError(
            "ValidationException", f"Tag keys must be unique per resource: {twice[0]!r} is given more than once."
        )
    _refuse_reserved([*keys, *removed])


def _refuse_reserved(keys: Iterable[str]) -> None:
    for key in keys:
        if key.lower().startswith("aws:"):
            raise ServiceError("ValidationException", f"System prefix 'aws:' reserved for AWS usage in tag key: {key}")
