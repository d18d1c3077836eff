"""The folder of an evaluation: which run it holds, what was answered so far, and the files that come of it.

run.json                what is asked, written first: another run in the same folder is refused
.predictions.sqlite     the answers so far. Gone when all is asked
predictions.jsonl       a row a decision, shuffles.jsonl a row a shuffled list. Then the report
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mojo_toolbox.data import read_records, write_records
from mojo_toolbox.errors import EvaluationError
from mojo_toolbox.evaluation.runs.answer_journal import AnswerJournal
from mojo_toolbox.evaluation.runs.file_names import (
    PREDICTIONS_FILE,
    REPORT_FILE,
    REPORT_FILES,
    SHUFFLES_FILE,
    SUMMARY_FILE,
)
from mojo_toolbox.whole_files import require_writable_folder, whole_file

_log = logging.getLogger(__name__)

_JOURNAL_FILE, _RUN_FILE = ".predictions.sqlite", "run.json"


class RunFolder:
    """A folder that is locked for one run while it is open."""

    def __init__(self, path: Path, journal: AnswerJournal) -> None:
        self.path = path
        self.journal = journal

    def finish(self, shuffles: int) -> None:
        """Write the rows, in the data's order. Each file whole or not at all."""
        write_records(self.path / PREDICTIONS_FILE, self.journal.predictions())
        if shuffles:
            write_records(self.path / SHUFFLES_FILE, self.journal.shuffled(shuffles))
        else:
            (self.path / SHUFFLES_FILE).unlink(missing_ok=True)

    def clear(self) -> None:
        """Drop the journal: the files hold what it held."""
        self.journal.remove()


def require_usable(path: Path) -> None:
    """Refuse a folder that cannot hold a run, whichever.

    Raises:
        EvaluationError: it is a file, holds a summary, or cannot be written to.
    """
    if path.exists() and not path.is_dir():
        raise EvaluationError(f"{path} is a file; output is a folder.")
    if (path / SUMMARY_FILE).exists():
        raise EvaluationError(f"{path} holds a summary of several routers. Name another folder: output=…")
    try:
        require_writable_folder(path)
    except OSError as error:
        raise EvaluationError(f"{error.filename} {error.strerror}. Name another folder: output=…") from error


def require_unfinished(path: Path) -> None:
    """Refuse a folder in which a run has ended, whichever: it is known before routers are loaded and data is read.

    Raises:
        EvaluationError: it holds the answers of a finished run, or a summary of several.
    """
    if (path / SUMMARY_FILE).exists():
        raise _taken(path, "a finished summary of several routers")
    if (path / PREDICTIONS_FILE).exists() and not (path / _JOURNAL_FILE).exists():
        raise _taken(path, "a finished evaluation")


def require_free(path: Path, run: Mapping[str, Any]) -> None:
    """Refuse a folder with answers of another run than `run`, before anything is asked.

    Raises:
        EvaluationError: it holds another run, or another process writes into it.
    """
    require_usable(path)
    if not (path / _RUN_FILE).exists():
        return
    answered = (path / PREDICTIONS_FILE).exists()
    if (path / _JOURNAL_FILE).exists():
        journal = AnswerJournal(path / _JOURNAL_FILE)
        answered = answered or len(journal) > 0
        journal.close()
    if answered:
        _claim(path, run, finished=False)


@contextmanager
def open_run(
    path: Path, run: Mapping[str, Any], *, overwrite: bool = False, retry_errors: bool = False, reuse: bool = False
) -> Iterator[RunFolder]:
    """Open `path` for the run that `run` describes, with what was answered in it before.

    Raises:
        EvaluationError: it holds another run, or this one finished, or another process writes into it.
    """
    require_usable(path)
    path.mkdir(parents=True, exist_ok=True)
    journal = AnswerJournal(path / _JOURNAL_FILE)
    try:
        if overwrite:
            journal.forget_all()
            for name in (_RUN_FILE, PREDICTIONS_FILE, SHUFFLES_FILE, *REPORT_FILES):
                (path / name).unlink(missing_ok=True)
        finished = (path / PREDICTIONS_FILE).exists() and not len(journal)
        if not finished and not len(journal):
            (path / _RUN_FILE).unlink(missing_ok=True)  # a run that never got an answer
        try:
            _claim(path, run, finished=finished and not (retry_errors or reuse))
        except EvaluationError:
            if not len(journal):
                journal.remove()
            raise
        if finished:
            journal.put_all(_rows(path))
        if retry_errors:
            # What followed a failed call was asked with the history that it left.
            journal.forget_errors(and_what_followed=run["previous"] == "own")
        yield RunFolder(path, journal)
    finally:
        journal.close()


def _claim(path: Path, run: Mapping[str, Any], *, finished: bool) -> None:
    """Write down what is asked, or refuse: another run, or one that is `finished` and not to be taken for this one."""
    file = path / _RUN_FILE
    if not file.exists():
        with whole_file(file) as target:
            target.write(json.dumps(run, ensure_ascii=False, indent=1) + "\n")
        return
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvaluationError(f"{file}: not JSON ({error}). Name another folder: output=…") from error
    same = _identity(there) == _identity(run)
    if same and not finished:
        if there.get("source") != run.get("source"):
            _log.warning(
                "%s: the function's code has changed since. What its earlier code answered is kept; to begin again, "
                "overwrite it (overwrite=True, --overwrite).",
                path,
            )
        return
    raise _taken(path, "this evaluation, finished" if same else f"another run ({_difference(there, run)})")


def _taken(path: Path, what: str) -> EvaluationError:
    look = f"\nTo see what is there: mojo report show {path}" if (path / REPORT_FILE).exists() else ""
    return EvaluationError(
        f"{path} holds {what}. Begin again in it (overwrite=True, --overwrite), or name another folder: output=…{look}"
    )


def _identity(run: Any) -> dict[str, Any]:
    """Return what makes a run this one. A function's code does not: it may have been mended for what is left to ask."""
    return {key: value for key, value in run.items() if key != "source"} if isinstance(run, dict) else {}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run that was finished."""
    for name in (PREDICTIONS_FILE, SHUFFLES_FILE):
        if (path / name).exists() and (path / name).stat().st_size:
            for _, row in read_records(path / name):
                yield row


def _difference(there: Any, here: Mapping[str, Any]) -> str:
    there = _identity(there)
    differing = [key for key in here if key != "source" and there.get(key) != here[key]]
    if differing == ["fingerprint"]:
        return "the router's prompt has changed since"
    known = [key for key in differing if key != "fingerprint"]
    return "; ".join(f"{key} {there.get(key)!r} there, {here[key]!r} here" for key in known)
