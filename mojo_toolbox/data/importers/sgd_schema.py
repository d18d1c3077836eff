"""The services of a Schema-Guided Dialogue split as tasks, and the task list of each of its dialogues."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mojo_toolbox.data.conversations import Task, describe
from mojo_toolbox.data.importers.json_documents import read_json_document
from mojo_toolbox.data.importers.sgd_labels import Intent
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence

# Services that could do the same for a user: one is no distractor beside the other, and they are withheld together.
_ALIKE = (
    frozenset({"Banks", "Payment"}),
    frozenset({"Buses", "Flights", "Trains"}),
    frozenset({"Events", "Travel"}),
    frozenset({"Homes", "Hotels"}),
    frozenset({"Media", "Movies"}),
    frozenset({"RentalCars", "RideSharing"}),
)
_FEWEST_TASKS, _MOST_TASKS = 4, 18
_FEWEST_DISTRACTORS, _MOST_DISTRACTORS = 2, 5


@dataclass(frozen=True)
class Service:
    """A service: its name in the dialogues, and (intent there, name as a task, description) of what it can do."""

    name: str
    spelled: str
    intents: tuple[tuple[str, str, str], ...]

    @property
    def domain(self) -> str:
        """The service's name without its number: Hotels_1 and Hotels_4 are both Hotels."""
        return re.sub(r"_\d+$", "", self.name)


@dataclass(frozen=True)
class Listing:
    """The task list of a dialogue: what each intent is called on it, and which service was withheld from it."""

    tasks: tuple[Task, ...]
    names: dict[Intent, str]
    withheld: str | None


def read_services(path: Path, *, wording: Path | None = None) -> dict[str, Service]:
    """Read a schema.json; with the same split's schema of SGD-X as `wording`, its names and descriptions.

    Raises:
        DataError: no such file, or no schema.
    """
    services = _read_schema(path)
    # SGD-X keeps the order of services and intents, and nothing else.
    reworded = services if wording is None else _read_schema(wording)
    if len(services) != len(reworded):
        raise DataError(f"does not fit {path}: {len(reworded)} services, not {len(services)}.", path=wording)
    found = [_service(own, other, path, wording) for own, other in zip(services, reworded, strict=True)]
    return {service.name: service for service in found}


def _service(own: Any, other: Any, path: Path, wording: Path | None) -> Service:
    name = own["service_name"]
    if len(own["intents"]) != len(other["intents"]):
        counts = f"{len(other['intents'])} intents of {name}, not {len(own['intents'])}"
        raise DataError(f"does not fit {path}: {counts}.", path=wording)
    intents = tuple(
        (intent["name"], there["name"], there["description"])
        for intent, there in zip(own["intents"], other["intents"], strict=True)
    )
    for intent, spelled, description in intents:
        # Refused here, once, and not in each dialogue that lists it.
        try:
            Task(name=spelled, description=description)
        except ValidationError as error:
            what = f"the intent {intent!r} of {name} cannot be a task: {sentence(describe(error))}"
            raise DataError(what, path=wording or path) from error
    return Service(name, other["service_name"], intents)


def _read_schema(path: Path) -> list[Any]:
    schema = read_json_document(path)
    if not isinstance(schema, list):
        raise DataError(f"a list of services was expected, not {type(schema).__name__}.", path=path)
    for number, service in enumerate(schema, start=1):
        name = _text_of(service, "service_name", f"service {number}", path)
        if not isinstance(service.get("intents"), list):
            raise DataError(f"not a schema of services with intents: {name} has no list of intents.", path=path)
        for place, intent in enumerate(service["intents"], start=1):
            spelled = _text_of(intent, "name", f"intent {place} of {name}", path)
            _text_of(intent, "description", f"the intent {spelled!r} of {name}", path)
    return schema


def _text_of(entry: Any, key: str, what: str, path: Path) -> str:
    text = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise DataError(f"not a schema of services with intents: {what} has no text {key!r}.", path=path)
    return text


def list_tasks(own: Sequence[Service], others: Iterable[Service], *, withhold: float, rng: random.Random) -> Listing:
    """Return the list of a dialogue with the services `own`: their intents and distractors of `others`, in random order.

    In a share `withhold` of all cases one of its services is left off the list, with those that are like it. A list has 4
    to 18 tasks, where the services of a dialogue and of the split allow it.
    """
    withheld = rng.choice(own) if own and rng.random() < withhold else None
    listed = [service for service in own if withheld is None or not _alike(service, withheld)]
    distractors = _distractors(own, others, room=_MOST_TASKS - _count(listed), rng=rng)
    if not listed and not distractors:
        listed, withheld = list(own), None
    names, tasks = {}, []
    for service in (*listed, *distractors):
        alone = sum(other.domain == service.domain for other in listed) < 2  # noqa: PLR2004 - itself and another
        prefix = _snake(re.sub(r"_\d+$", "", service.spelled) if alone else service.name)
        for intent, name, description in service.intents:
            names[Intent(service.name, intent)] = f"{prefix}_{_snake(name)}"
            tasks.append(Task(name=f"{prefix}_{_snake(name)}", description=description))
    rng.shuffle(tasks)
    return Listing(tuple(tasks), names, None if withheld is None else withheld.name)


def _distractors(own: Sequence[Service], others: Iterable[Service], *, room: int, rng: random.Random) -> list[Service]:
    """Draw services that can do nothing of what the dialogue's own can, one of each domain."""
    candidates = [service for service in others if not any(_alike(service, mine) for mine in own)]
    rng.shuffle(candidates)
    wanted = rng.randint(_FEWEST_DISTRACTORS, _MOST_DISTRACTORS)
    least = _FEWEST_TASKS - (_MOST_TASKS - room)
    chosen: list[Service] = []
    for service in candidates:
        enough = len(chosen) >= wanted and _count(chosen) >= least
        fits = _count(chosen) + len(service.intents) <= room
        if not enough and fits and not any(_alike(service, other) for other in chosen):
            chosen.append(service)
    return chosen


def _alike(one: Service, other: Service) -> bool:
    return one.domain == other.domain or any({one.domain, other.domain} <= group for group in _ALIKE)


def _count(services: Iterable[Service]) -> int:
    return sum(len(service.intents) for service in services)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
