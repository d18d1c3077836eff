"""A model's names, as people give them: product, task, model_id and stage. Also joining them, and versions.

A joined name has its clean parts between "--". A part is clean when it consists of lower-case letters, digits and single
inner dashes. Then the join can be taken apart again, so two different clean names never meet. As soon as a part had to be
changed or the whole is too long, a hash of the original parts is appended. So two names that lose their difference in the
spelling keep it in the hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from mojo_toolbox.errors import InvalidNameError
from mojo_toolbox.spelling import canonical, misspelling

_HASH_LENGTH = 10
_MAX_PART_LENGTH = 128
VERSION_LENGTH = len("20260131-235959-ab12")


@dataclass(frozen=True)
class ModelKey:
    """The names of one fine-tuned model: the product that uses it, its purpose, and its own name."""

    product: str
    task: str
    model_id: str

    def __post_init__(self) -> None:
        for field in ("product", "task", "model_id"):
            # Two keyboards type an accent in two ways: both must name the same endpoint.
            object.__setattr__(self, field, require_name(field, getattr(self, field)))


def require_name(field: str, value: object) -> str:
    """Return `value` in its one spelling, if it is a name: 1 to 128 characters that people see, no surrounding blanks."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidNameError(f"{field} must be a name, not {value!r}.")
    name = canonical(value)
    if len(name) > _MAX_PART_LENGTH:
        raise InvalidNameError(
            f"{field} {name[:40]!r}… has {len(name)} characters; a name has at most {_MAX_PART_LENGTH}."
        )
    if problem := misspelling(name):
        raise InvalidNameError(f"{field} {name!r} {problem}. Write it without.")
    return name


def clean(part: str) -> str:
    """Return `part` as lower-case letters, digits and single inner dashes, which may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")


def joined(parts: list[str], *, limit: int) -> str:
    """Return one name of at most `limit` characters for `parts`. Different parts never share one."""
    cleaned = [clean(part) for part in parts]
    name = "--".join(part for part in cleaned if part)
    if name and cleaned == parts and len(name) <= limit:
        return name
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_LENGTH]
    # Three dashes cannot come out of a join of clean parts, so no hashed name equals an unhashed one.
    head = name[: limit - _HASH_LENGTH - 3].strip("-")
    return f"{head}---{digest}" if head else digest


def new_version() -> str:
    """Return a version that sorts by time (UTC) and differs between two calls within the same second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
