"""How Docker images may be called."""

from __future__ import annotations

import re

_WORDS = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# `[registry/]repository[:tag][@digest]`, as Docker reads it.
_IMAGE = re.compile(
    rf"(?:[\w-]+(?:\.[\w-]+)*(?::\d+)?/)?{_WORDS}(?:/{_WORDS})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)


def is_image(uri: str) -> bool:
    """Whether a text can name an image of a Docker registry."""
    return _IMAGE.fullmatch(uri) is not None
