"""The format of prompt files, which users copy and change: a header, then chat messages with placeholders.

---
# A comment.
max_tokens: 256
---

## system

You watch a conversation ...

## user

$tasks
...

Whoever reads one says which fields and which placeholders it may have. All complaints name file and line.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from mojo_toolbox.errors import ConfigurationError

Sections = tuple[tuple[str, str], ...]
"""Roles and texts with placeholders."""

_ROLES = ("system", "user", "assistant")
_LARGEST_FILE = 1_000_000  # bytes: no model reads a longer prompt


def filled(sections: Sections, values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the chat. Dollars and braces in `values` stay as they are."""
    return [{"role": role, "content": Template(text).substitute(values)} for role, text in sections]


@dataclass(frozen=True)
class PromptFile:
    """A prompt file whose header is read. The rest is read once its allowed placeholders are known."""

    path: Path
    kind: str
    """Its name in messages: prompt, template."""
    sha256: str
    """Of the file: a changed prompt is another one."""
    header: Mapping[str, tuple[int, str]]
    """The fields with their lines."""
    lines: Sequence[str]
    body: int
    """The index of the line after the header."""

    def wrong(self, line: int, problem: str) -> ConfigurationError:
        """Return the error that names a line, counted from 1."""
        return ConfigurationError(f"{self.path}:{line}: {problem}")

    def whole_number(self, name: str, *, default: int) -> int:
        """Return a field of the header.

        Raises:
            ConfigurationError: it is no whole number from 1 to 999999.
        """
        number, value = self.header.get(name, (0, str(default)))
        if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) < 1:
            raise self.wrong(number, f"{name} must be a whole number from 1 to 999999, not {value!r:.80}.")
        return int(value)

    def sections(self, placeholders: Sequence[str], *, needed: Sequence[Sequence[str]]) -> Sections:
        """Return the messages.

        Args:
            placeholders: those that it may have.
            needed: groups of them, such as [["tasks", "names"]]: one of each group must be there.

        Raises:
            ConfigurationError: a message is missing or out of order, or so is a placeholder.
        """
        sections = self._parts()
        self._check_order(sections)
        used = {name for _, start, body in sections for name in self._used(body, start + 1, placeholders)}
        for group in needed:
            if not used & set(group):
                names = " or ".join(f"${name}" for name in group)
                raise self.wrong(len(self.lines), f"the {self.kind} must show {names}.")
        return tuple((role, "\n".join(body).strip("\n")) for role, _, body in sections)

    def _parts(self) -> list[tuple[str, int, list[str]]]:
        """Return roles, the lines of their headings, and the text below each."""
        parts: list[tuple[str, int, list[str]]] = []
        for number, line in enumerate(self.lines[self.body :], start=self.body + 1):
            heading = re.fullmatch(r"##\s*(\w+)\s*", line)
            if heading is not None and heading[1].lower() in _ROLES:
                parts.append((heading[1].lower(), number, []))
            elif parts:
                parts[-1][2].append(line)
            elif line.strip():
                raise self.wrong(number, 'after the header comes a heading "## system" or "## user".')
        return parts

    def _check_order(self, sections: list[tuple[str, int, list[str]]]) -> None:
        if not sections or sections[-1][0] != "user":
            raise self.wrong(len(self.lines), 'the last section must be "## user": it asks.')
        for index, (role, number, body) in enumerate(sections):
            if role == "system" and index:
                raise self.wrong(number, "only the first section can be ## system.")
            if not any(line.strip() for line in body):
                raise self.wrong(number, f"the section ## {role} is empty.")

    def _used(self, body: list[str], start: int, known: Sequence[str]) -> Iterator[str]:
        for number, line in enumerate(body, start=start):
            for match in Template.pattern.finditer(line):
                name = match["named"] or match["braced"]
                if match["escaped"] is None and name not in known:
                    written = f"${name}" if name else "a $ alone"
                    raise self.wrong(
                        number, f"{written} is no placeholder here. {_meant(name or '', known)} A dollar is $$."
                    )
                if name:
                    yield name


def read_prompt_file(path: Path, *, kind: str, fields: Sequence[str], otherwise: str) -> PromptFile:
    """Read a prompt file as far as its header.

    Args:
        path: where it is.
        kind: its name in messages.
        fields: the keys that the header may contain. Without any the header may be left out.
        otherwise: the choices without such a file, for the message.

    Raises:
        ConfigurationError: there is no such file, or it cannot be used.
    """
    content = _content(path, kind, otherwise)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}:{line}: this is no UTF-8 ({error.reason}). Save the file as UTF-8."
        ) from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    begun = lines[0].strip() == "---"
    if not begun and fields:
        raise ConfigurationError(f'{path}:1: a {kind} begins with a header between two lines "---".')
    end = _end_of_header(lines, path) if begun else -1
    header = _header(lines[1:end], path, fields) if begun else {}
    return PromptFile(path, kind, hashlib.sha256(content).hexdigest(), header, lines, end + 1)


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known) or 'none'}."


def _content(path: Path, kind: str, otherwise: str) -> bytes:
    try:
        if not path.is_file():
            raise ConfigurationError(f"There is no {kind} {str(path)!r:.200}: {otherwise}")
        if path.stat().st_size > _LARGEST_FILE:
            raise ConfigurationError(f"{path} has more than {_LARGEST_FILE / 1e6:g} MB. It is no {kind}.")
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The {kind} {str(path)!r:.200} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the path
        raise ConfigurationError(f"The {kind} {str(path)!r:.200} cannot be read: {error}.") from error


def _end_of_header(lines: list[str], path: Path) -> int:
    for index, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return index
    raise ConfigurationError(f'{path}:1: the header has no end: a second line "---".')


def _header(lines: list[str], path: Path, fields: Sequence[str]) -> dict[str, tuple[int, str]]:
    header: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines, start=2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or name not in fields:
            problem = f"the header has no field {name!r:.80}. {_meant(name, fields)}"
            raise ConfigurationError(f"{path}:{number}: {problem}")
        if name in header:
            raise ConfigurationError(f"{path}:{number}: {name} stands in the header twice.")
        header[name] = (number, value)
    return header
