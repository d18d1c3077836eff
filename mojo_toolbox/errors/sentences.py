"""Texts of other errors as sentences of a message."""

from __future__ import annotations


def sentence(text: object) -> str:
    """Return a text with a full stop at its end, unless it already has an end mark."""
    written = str(text).rstrip()
    return written if written.endswith((".", "!", "?", "\N{HORIZONTAL ELLIPSIS}")) else f"{written}."
