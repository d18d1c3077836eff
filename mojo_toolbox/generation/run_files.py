"""The files of a run: the conversations, what was malformed, and which run it is. One process writes at a time.

NAME.jsonl              a conversation a line, as they come; in the order of their plans when the run ends
NAME.malformed.jsonl    what could not be used, a line an attempt, with its reason
NAME.run.json           what is asked, written first: another run on the same file is refused
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from mojo_toolbox.contract import Usage
from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.errors import DataError, GenerationError
from mojo_toolbox.generation.growing_lines import GrowingLines
from mojo_toolbox.generation.providers import together
from mojo_toolbox.whole_files import whole_file

# Why something was put aside: the reply was no conversation, the chat was refused, there was no answer (so the attempt does
# not count), or the run ended in the middle of it.
Aside = Literal["malformed", "refused", "no answer", "ended"]
_COUNTED = ("malformed", "refused")


class Output:
    """What was written so far, and where the rest goes. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.malformed_path = _beside(path, ".malformed.jsonl")
        self._written = GrowingLines(path)
        self._malformed = GrowingLines(self.malformed_path) if self.malformed_path.exists() else None
        self._counting = threading.Lock()
        self._numbers: set[int] = set()
        self.attempts: Counter[int] = Counter()
        """How many attempts at a conversation were malformed or refused, by its number."""
        self.reasons: Counter[str] = Counter()
        self.usage: Usage | None = None
        """Of all that was asked, in this run and before."""
        self._read()

    def __len__(self) -> int:
        """Return how many conversations are written."""
        return len(self._numbers)

    def __contains__(self, number: int) -> bool:
        """Whether the conversation of a plan is written."""
        return number in self._numbers

    def put(self, number: int, conversation: Conversation) -> None:
        """Write a conversation; it is on disk when this returns."""
        self._written.append(conversation.as_record())
        with self._counting:
            self._numbers.add(number)
            self._add(conversation.meta["usage"])

    def put_aside(self, number: int, *, why: Aside, reason: str, row: Mapping[str, Any]) -> None:
        """Write down what could not be used; `row` says what was asked and answered, and its `usage`."""
        with self._counting:
            if self._malformed is None:
                self._malformed = GrowingLines(self.malformed_path)
        self._malformed.append({"number": number, "why": why, "reason": reason} | dict(row))
        with self._counting:
            self._count_aside(number, why, reason)
            self._add(row["usage"])

    def close(self) -> None:
        """Write no more."""
        self._written.close()
        if self._malformed is not None:
            self._malformed.close()

    def in_order(self) -> None:
        """Put the conversations in the order of their plans; the file takes its place whole."""
        places = [(record["meta"]["plan"]["number"], offset) for _, offset, record in self._written.rows()]
        if places == sorted(places):
            return
        # As bytes: nothing is written anew that was right.
        with self.path.open("rb") as file, whole_file(self.path) as target:
            for _, offset in sorted(places):
                file.seek(offset)
                target.write(file.readline().decode())
            target.flush()
            os.fsync(target.fileno())

    def _read(self) -> None:
        for line, _, record in self._written.rows():
            try:
                number, usage = record["meta"]["plan"]["number"], record["meta"]["usage"]
                self._numbers.add(int(number))
                self._add(usage)
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    "no conversation of this run: it has no meta.plan.number or no meta.usage. Give another output=…",
                    path=self.path,
                    line=line,
                ) from error
        for line, _, row in self._malformed.rows() if self._malformed else ():
            try:
                self._count_aside(int(row["number"]), row["why"], str(row["reason"]))
                self._add(row["usage"])
            except (KeyError, TypeError, ValueError) as error:
                message = "not what this run put aside. Remove the line, or give another output=…"
                raise DataError(message, path=self.malformed_path, line=line) from error

    def _add(self, usage: Any) -> None:
        self.usage = together(self.usage, None if usage is None else Usage.model_validate(usage))

    def _count_aside(self, number: int, why: Aside, reason: str) -> None:
        if why in _COUNTED:
            self.attempts[number] += 1
        self.reasons[reason] += 1


@contextmanager
def open_output(path: Path | str, run: Mapping[str, Any]) -> Iterator[Output]:
    """Open `path` for the run that `run` describes, with what was written before.

    Raises:
        GenerationError: it holds another run, or something else, or another process writes into it, or it cannot be written.
        DataError: a line in it is no conversation of a run; it is named.
    """
    path = Path(path)
    if path.is_dir():
        raise GenerationError(f"{path} is a folder; give a file to write to.")
    with _only_one(path):
        _claim(path, run)
        files = Output(path)
        try:
            yield files
        finally:
            files.close()


def finish(path: Path, run: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
    """Write down how a run ended, beside what it was."""
    with whole_file(_beside(path, ".run.json")) as file:
        file.write(json.dumps({"run": run, "outcome": outcome}, ensure_ascii=False, indent=1) + "\n")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name.removesuffix(".jsonl") + suffix)


def _claim(path: Path, run: Mapping[str, Any]) -> None:
    """Write down what is asked, or refuse: another run, or a file that no run wrote."""
    place = _beside(path, ".run.json")
    if not place.exists():
        if path.exists() and path.stat().st_size:
            raise GenerationError(
                f"{path} is there already, and no run wrote it ({place.name} is missing). Name another."
            )
        finish(path, run, {})
        return
    try:
        there = json.loads(place.read_text(encoding="utf-8"))["run"]
        differing = [key for key in {**there, **run} if there.get(key) != run.get(key)]
    except (ValueError, KeyError, TypeError) as error:
        raise GenerationError(f"{place} does not say which run it is ({error!r}). Name another output=…") from error
    if differing and ((path.exists() and path.stat().st_size) or _beside(path, ".malformed.jsonl").exists()):
        raise GenerationError(
            f"{path} holds another run: {'; '.join(_difference(key, there, run) for key in differing)}. "
            "Name another output=…, or remove it with the files beside it."
        )
    if differing:  # a run that wrote nothing
        finish(path, run, {})


def _difference(key: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    if key.endswith("_sha256"):
        return f"the {key.removesuffix('_sha256').replace('_', ' ')} changed since"
    return f"{key.replace('_', ' ')} {_shown(there.get(key))} there, {_shown(here.get(key))} here"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold a lock beside `path`; it goes with the process, however that ends."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise GenerationError(f"{path} cannot be written: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GenerationError(f"Another run writes into {path}. Wait for it, or name another output=…") from error
        # The run that just ended may have taken it away between the two steps.
        if not (lock.exists() and os.path.samestat(lock.stat(), os.fstat(file.fileno()))):
            raise GenerationError(f"Another run just ended with {path}. Start again.")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
