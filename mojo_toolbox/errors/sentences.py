"""Texts of other errors as sentences of a message."""

from __future__ import annotations


def sentence(text: object) -> str:
    """Return a text with the full stop that it lacks; a question ends with its own mark."""
    written = str(text).rstrip()
    return written if written.endswith((".", "!", "?", "\N{HORIZONTAL ELLIPSIS}")) else f"{written}."
