"""Dividing a file of conversations into two: of any size, both parts written whole or neither."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TextIO

from mojo_toolbox.data.checking.survey import texts_of
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.data.conversations import Conversation, parse_conversation
from mojo_toolbox.data.jsonl import RandomLines, RawLine, both_files, parse_line, read_lines, require_file_on_disk
from mojo_toolbox.data.likeness.conversation_index import require_packages
from mojo_toolbox.data.splits import By, Division, Facts, divide, fit
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress, reporting_to
from mojo_toolbox.whole_files import require_writable


@dataclass(frozen=True)
class SplitPart:
    """A written part; `sha256` is the content hash of its conversations."""

    path: str
    conversations: int
    sha256: str


@dataclass(frozen=True)
class SplitReport:
    """How a file was divided.

    `unseen_tasks` only the test part has (split by task). `withheld_turns` are turns of the test part whose task is one of
    the training part: they are none there. `left_out` counts conversations whose list would be empty. `together`
    conversations are on one side with near-duplicates, which begin at the similarity `similar_from`.
    """

    source: str
    by: By
    seed: int
    train: SplitPart
    test: SplitPart
    unseen_tasks: list[str]
    withheld_turns: int
    left_out: int
    together: int
    similar_from: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a document for JSON."""
        return asdict(self)


def split_file(
    source: Path | str,
    *,
    train: Path | str,
    test: Path | str,
    by: By = "conversation",
    test_share: float = 0.2,
    seed: int = 0,
    similar_from: float | None = None,
    progress: bool | Progress = False,
) -> SplitReport:
    """Divide a file of conversations as `split` does, and write both parts, in the order of the file.

    The file is read twice, and memory holds some 150 bytes a conversation. Lines that need no change are copied as they are.

    Raises:
        DataError: a line that cannot be read, too few conversations or tasks, or places that are the same.
        ConfigurationError: a share that is none, or a package is missing.
    """
    source, train, test = Path(source), Path(train), Path(test)
    require_packages()
    _check_places(source, train, test)
    with reporting_to(progress, f"Read {source.name}") as report:
        facts, offsets = _facts(source, report)
    with RandomLines(source, offsets) as lines:
        division = divide(facts, texts_of(lines), by=by, test_share=test_share, seed=seed, similar_from=similar_from)
    with reporting_to(progress, "Write both parts") as report, both_files(train, test) as (train_file, test_file):
        writers = (_Writer(source, train, train_file, division), _Writer(source, test, test_file, division))
        for line, offset, is_test in zip_longest(read_lines(source, report=report), offsets, division.test.tolist()):
            if line is None or line.offset != offset:
                raise DataError("the file changed while it was read. Start again.", path=source)
            writers[is_test].take(line, is_test=is_test)
    return SplitReport(
        source=str(source),
        by=by,
        seed=seed,
        train=writers[0].part(),
        test=writers[1].part(),
        unseen_tasks=sorted(division.unseen),
        withheld_turns=writers[1].withheld_turns,
        left_out=sum(writer.left_out for writer in writers),
        together=division.together,
        similar_from=division.similar_from,
    )


def _check_places(source: Path, train: Path, test: Path) -> None:
    places = [path.resolve() for path in (source, train, test)]
    if len(set(places)) < len(places):
        raise DataError(f"{source}, {train} and {test} must be three files.")
    require_file_on_disk(source)
    for place in (train, test):
        try:
            require_writable(place)
        except OSError as error:
            raise DataError(f"{error.strerror}.", path=error.filename) from error


def _facts(source: Path, report: Progress) -> tuple[Facts, array[int]]:
    facts, offsets = Facts(), array("Q")
    for line in read_lines(source, report=report):
        facts.add(_conversation(line, source))
        offsets.append(line.offset)
    return facts, offsets


def _conversation(line: RawLine, source: Path) -> Conversation:
    record = parse_line(line.content, path=source, line=line.number)
    return parse_conversation(record, path=source, line=line.number)


class _Writer:
    """Writes one part."""

    def __init__(self, source: Path, path: Path, file: TextIO, division: Division) -> None:
        self._source, self._path, self._file, self._division = source, path, file, division
        self._conversations = 0
        self._hash = ContentHash()
        self.withheld_turns = 0
        self.left_out = 0

    def take(self, line: RawLine, *, is_test: bool) -> None:
        """Write the conversation of a line as it stands in this part."""
        conversation = _conversation(line, self._source)
        fitted = fit(conversation, self._division.unseen, is_test=is_test)
        if fitted is None:
            self.left_out += 1
            return
        if fitted is conversation:
            text = line.content.decode("utf-8-sig").strip()
        else:
            text = json.dumps(fitted.as_record(), ensure_ascii=False)
            self.withheld_turns += sum(
                then.task != now.task for then, now in zip(conversation.messages, fitted.messages, strict=True)
            )
        self._file.write(text + "\n")
        self._hash.add(fitted)
        self._conversations += 1

    def part(self) -> SplitPart:
        """Return what was written."""
        return SplitPart(str(self._path), self._conversations, self._hash.hexdigest())
