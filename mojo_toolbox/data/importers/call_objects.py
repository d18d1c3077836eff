"""Tool calls as objects: which functions a piece of JSON calls, in the spellings of many services."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

_NAMES = ("name", "tool_name", "toolName", "function_name", "func_name", "recipient_name", "function", "tool", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "params", "input", "action_input", "tool_input", "toolInput", "kwargs")
# Keys under which a call, or a list of them, is wrapped up.
_WRAPPED = (
    "function",
    "tool_calls",
    "tool_call",
    "function_call",
    "function_calls",
    "custom",
    "toolUse",
    "functionCall",
)
_WRAPPED_TOO = ("toolInvocation", "tool_use", "tool_uses", "calls", "mcp")
# In a call that is no JSON any more, such as with arguments in single quotation marks.
_NAME_IN_TEXT = re.compile(r"[\"'](?:name|tool_name|function_name)[\"']\s*:\s*[\"']([^\"']+)[\"']")


def json_or_none(text: Any) -> Any:
    """Return what a text is as JSON; None when it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def called_by(value: Any) -> list[str]:
    """Return the functions that an object calls which is known to be a call, or a list of calls."""
    if isinstance(value, list):
        return [name for entry in value for name in called_by(entry)]
    if isinstance(value, str):
        return called_by(json_or_none(value))
    if not isinstance(value, Mapping):
        return []
    for key in (*_WRAPPED, *_WRAPPED_TOO):
        if isinstance(value.get(key), Mapping | list) and (names := called_by(value[key])):
            return names
    return next(([value[key]] for key in _NAMES if isinstance(value.get(key), str) and value[key].strip()), [])


def names_in(text: str) -> list[str]:
    """Return the functions that the JSON in a text calls which is known to be a call."""
    decoder = json.JSONDecoder()
    names: list[str] = []
    opening = re.compile(r"[{\[]").search(text)
    while opening is not None:
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            found = _NAME_IN_TEXT.search(text, opening.start())
            return [*names, found[1]] if found else names
        names += called_by(value)
        opening = re.compile(r"[{\[]").search(text, end)
    return names


def names_in_call(value: Any, listed: Collection[str]) -> list[str]:
    """Return the functions that a JSON value calls; none when it may be no call, but data that somebody asked for."""
    entries = value if isinstance(value, list) else [value]
    names: list[str] = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            return []
        found = called_by(entry)
        wrapped = any(isinstance(entry.get(key), Mapping | list) for key in (*_WRAPPED, *_WRAPPED_TOO))
        if not found or not (wrapped or set(found) <= set(listed) or any(key in entry for key in _ARGUMENTS)):
            return []
        names += found
    return names
