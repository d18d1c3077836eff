"""Schema-Guided Dialogue as published: a split's folder of dialogues, and its schema, as routing conversations."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.foreign_files import not_there
from mojo_toolbox.data.importers.json_documents import read_json_document
from mojo_toolbox.data.importers.sgd_labels import Intent, frames_of, intent_in_charge
from mojo_toolbox.data.importers.sgd_schema import Listing, Service, list_tasks, read_services
from mojo_toolbox.data.importers.summary import ImportSummary, Note
from mojo_toolbox.data.importers.task_lists import require_share
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress, silent

_ROLES = {"USER": "user", "SYSTEM": "assistant"}
_DEFAULT_SPLIT = "train"


def import_sgd(
    folder: Path | str,
    *,
    split: str | None = None,
    wording: str | None = None,
    withhold: float = 0.2,
    seed: int = 0,
    summary: ImportSummary | None = None,
    progress: Progress = silent,
) -> Iterator[Conversation]:
    """Yield the dialogues of a split of google-research-datasets/dstc8-schema-guided-dialogue, a file's at a time in memory.

    `folder` is the checkout, or the folder of one split. From a checkout "train" is read, unless `split` names another.
    MultiWOZ 2.2 has the same form, without acts.

    The label of a user turn is the intent that is active after it. Of several active intents it is the one that changed. A
    turn that only thanks, closes or selects has no label. A turn whose change is unclear has no label either.

    The task list has 4 to 18 intents in random order, of the dialogue's services and of others that cannot do the same. In a
    share `withhold` of the dialogues one service is left off, so that its turns have no task. `wording` "v1" to "v5" takes
    names and descriptions of SGD-X from the same checkout. The same seed gives each dialogue the same list.

    Raises:
        DataError: the folder has another form, does not have this split, or has a file that cannot be read.
        ConfigurationError: `withhold` is not a share.
    """
    require_share(withhold)
    summary = ImportSummary() if summary is None else summary
    place = _split_folder(Path(folder), split)
    reworded = None if wording is None else _wording_schema(place, wording)
    services = read_services(_schema_of(place) or place / "schema.json", wording=reworded)
    seen = _services_of_training(place)
    files = _dialogue_files(place)
    if not files:
        raise DataError(
            "holds no dialogues_*.json. (SGD-X publishes schemas only: give the checkout itself, and a wording.)",
            path=place,
        )
    dialogues = _Dialogues(place.name, services, seen, wording, withhold, seed)
    return _conversations(files, dialogues, summary, progress)


def _conversations(
    files: Sequence[Path], dialogues: _Dialogues, summary: ImportSummary, progress: Progress
) -> Iterator[Conversation]:
    progress(done=0, total=len(files))
    for number, path in enumerate(files, start=1):
        for position, dialogue in enumerate(_read_dialogues(path), start=1):
            where = f"{path}, dialogue {position}"
            try:
                record, notes = dialogues.convert(dialogue, where)
            except _Unusable as error:
                summary.skip_conversation(str(error), where)
            except (AttributeError, KeyError, TypeError):
                summary.skip_conversation("is not built like a dialogue", where)
            else:
                conversation = summary.accept(record, place=where, notes=notes)
                if conversation is not None:
                    yield conversation
        progress(done=number, text=f"{summary.written:,} conversations")


class _Unusable(Exception):  # noqa: N818 - never leaves this file
    """A dialogue that cannot be converted; the text is the reason."""


@dataclass(frozen=True)
class _Dialogues:
    """What turns the dialogues of one split into records."""

    split: str
    services: Mapping[str, Service]
    seen: set[str] | None
    wording: str | None
    withhold: float
    seed: int

    def convert(self, dialogue: dict[str, Any], where: str) -> tuple[dict[str, Any], list[Note]]:
        """Return the record of a dialogue, and what it leaves out."""
        name = str(dialogue["dialogue_id"])
        for service in dialogue["services"]:
            if service not in self.services:
                raise _Unusable(f"names the service {service!r:.60}, which is not in schema.json")
        own = [self.services[service] for service in dialogue["services"]]
        rng = random.Random(f"{self.seed} {self.split} {name}")
        listing = list_tasks(own, self.services.values(), withhold=self.withhold, rng=rng)
        messages, notes = self._messages(dialogue["turns"], listing, f"{where} ({name})")
        meta: dict[str, Any] = {"services": dialogue["services"], "withheld": listing.withheld}
        if self.seen is not None:
            meta["seen_services"] = set(dialogue["services"]) <= self.seen
        if self.wording is not None:
            meta["wording"] = self.wording
        ending = "" if self.wording is None else f"-{self.wording}"
        record = {"id": f"sgd-{self.split}-{name}{ending}", "tasks": listing.tasks, "messages": messages, "meta": meta}
        return record, notes

    def _messages(
        self, turns: Sequence[dict[str, Any]], listing: Listing, where: str
    ) -> tuple[list[dict[str, Any]], list[Note]]:
        messages: list[dict[str, Any]] = []
        notes: list[Note] = []
        before: dict[str, str] = {}
        for number, turn in enumerate(turns, start=1):
            message: dict[str, Any] = {"role": _ROLES[turn["speaker"]], "content": turn["utterance"].strip()}
            if message["role"] == "user":
                frames = frames_of(turn)
                intent = intent_in_charge(frames, before)
                before.update({frame.intent.service: frame.intent.name for frame in frames if frame.known})
                if isinstance(intent, str):
                    notes.append(Note("label", intent, f"{where}, turn {number}"))
                else:
                    message["task"] = self._task(intent, listing)
            messages.append(message)
        return messages, notes

    def _task(self, intent: Intent | None, listing: Listing) -> str | None:
        """Return what an intent is called on the list; None when its service was withheld."""
        if intent is None or intent in listing.names:
            return None if intent is None else listing.names[intent]
        service = self.services.get(intent.service)
        if service is None or intent.name not in {name for name, _, _ in service.intents}:
            what = f"{intent.name!r:.60} of {intent.service!s:.60}"
            raise _Unusable(f"has the active intent {what}, which is not in schema.json")
        return None


def _read_dialogues(path: Path) -> list[Any]:
    dialogues = read_json_document(path)
    if not isinstance(dialogues, list):
        raise DataError(f"a list of dialogues was expected, not {type(dialogues).__name__}.", path=path)
    return dialogues


def _split_folder(folder: Path, split: str | None) -> Path:
    """Return the folder of the split: one in the checkout, or `folder` itself when it holds the dialogues of one split."""
    if not folder.is_dir():
        if not folder.exists():
            raise not_there(folder, what="folder")
        raise DataError("is a file; unpack it, and give the folder.", path=folder)
    wanted = folder / (split or _DEFAULT_SPLIT)
    if _schema_of(wanted) is not None:
        return wanted
    if _schema_of(folder) is not None and _dialogue_files(folder):
        if split not in {None, folder.name}:
            raise DataError(
                f"holds the dialogues of one split, {folder.name!r}, and not those of {split!r}. Leave the split out, or give "
                "the checkout.",
                path=folder,
            )
        return folder
    found = sorted(place.name for place in folder.iterdir() if _schema_of(place) is not None)
    others = f" It has {', '.join(found)}." if found else " Is it a checkout of Schema-Guided Dialogue?"
    raise DataError(f"holds no {wanted.name}/schema.json with dialogues.{others}", path=folder)


def _dialogue_files(place: Path) -> list[Path]:
    return sorted([*place.glob("dialogues_*.json"), *place.glob("dialogues_*.json.gz")])


def _schema_of(place: Path) -> Path | None:
    """Return the schema of a split: beside its dialogues, or above all splits as in MultiWOZ 2.2; None when there is none."""
    if (place / "schema.json").is_file():
        return place / "schema.json"
    above = place.parent / "schema.json"
    return above if above.is_file() and _dialogue_files(place) else None


def _wording_schema(place: Path, wording: str) -> Path:
    versions = place.parent / "sgd_x" / "data"
    schema = versions / wording / place.name / "schema.json"
    if not schema.is_file():
        found = ", ".join(sorted(path.name for path in versions.glob("*") if path.is_dir())) or "none"
        raise DataError(f"no such wording; of SGD-X there is here: {found}.", path=schema)
    return schema


def _services_of_training(place: Path) -> set[str] | None:
    """Return the services that the training split shows; None when it is not there to look at."""
    schema = place.parent / "train" / "schema.json"
    return set(read_services(schema)) if schema.is_file() else None
