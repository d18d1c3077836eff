"""The checks that rules between fields are made of, and SageMaker's words for their refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mojo_toolbox.local_cloud.wire.protocol import ServiceError


def refused(message: str) -> ServiceError:
    """Build a refusal as SageMaker sends it."""
    return ServiceError("ValidationException", message)


def require_one_of(names: Iterable[str], given: Mapping[str, Any], where: str) -> None:
    """Refuse all but one of the fields `names`.

    Raises:
        ServiceError: none is given, or several are.
    """
    names = list(names)
    present = [name for name in names if given.get(name)]
    if len(present) != 1:
        found = f"it has {' and '.join(present)}" if present else "it has none"
        raise refused(f"{where} needs exactly one of {', '.join(names)}; {found}.")


def require_unique(values: Iterable[str], what: str) -> None:
    """Refuse a name that is given twice.

    Raises:
        ServiceError: with the name.
    """
    for value, times in Counter(values).items():
        if times > 1:
            raise refused(f"{what} must be unique: {value!r} is used more than once.")
