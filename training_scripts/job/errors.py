"""The one error of a training that its starter can put right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TrainingInputError(ValueError):
    """Something that whoever started the job can put right. The message is one line and says how."""


@contextmanager
def loading() -> Iterator[None]:
    """Tell why a base model or its chat template cannot be used (each a ValueError of one line) as an input error."""
    try:
        yield
    except ValueError as error:
        raise TrainingInputError(str(error)) from error
