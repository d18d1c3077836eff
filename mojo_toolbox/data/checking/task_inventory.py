"""The distinct tasks of a file: which occur in another file too, by name or by what their descriptions say."""

from __future__ import annotations

from dataclasses import dataclass

from mojo_toolbox.data.conversations import Conversation
from mojo_toolbox.data.likeness.near_duplicates import Signatures, nearest
from mojo_toolbox.data.likeness.shingles import plain, shingles, similarity
from mojo_toolbox.data.resemblance import plain_name

# Distinct names, and distinct descriptions, that are kept: some 300 bytes each.
MOST_TASKS = 100_000
# Descriptions are short and often made from a template ("The user wants help with: ..."), so more has to agree.
SIMILAR_DESCRIPTIONS = 0.75


@dataclass(frozen=True)
class SimilarTasks:
    """Two tasks of different names whose descriptions say nearly the same."""

    name: str
    description: str
    other_name: str
    other_description: str
    similarity: float


class TaskInventory:
    """The tasks that conversations list, and those that are in charge somewhere."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.in_charge: set[str] = set()
        self._names_of: dict[str, str] = {}

    def add(self, conversation: Conversation) -> None:
        """Take the tasks of a conversation; beyond MOST_TASKS, new ones are passed over."""
        for task in conversation.tasks:
            if task.name not in self.names and len(self.names) < MOST_TASKS:
                self.names[task.name] = plain_name(task.name)
            if task.description and len(self._names_of) < MOST_TASKS:
                self._names_of.setdefault(task.description, task.name)
        if len(self.in_charge) < MOST_TASKS:
            self.in_charge.update(message.task for message in conversation.messages if message.task is not None)

    def shared_names(self, other: TaskInventory) -> list[str]:
        """Return the names that the other file has too, whatever their case and punctuation, sorted."""
        others = set(other.names.values())
        return sorted(name for name, spelled in self.names.items() if spelled in others)

    def similar(self, other: TaskInventory) -> list[SimilarTasks]:
        """Return the tasks that the other file has under other names only: their descriptions say nearly the same."""
        shared = set(self.shared_names(other))
        own = [task for task in self._distinct() if task[0] not in shared]
        others = other._distinct()
        own_signatures, other_signatures = _signatures(own), _signatures(others)
        found, _ = nearest(
            own_signatures.rows(),
            other_signatures.rows(),
            lambda number: shingles([own[number][1]]),
            lambda number: shingles([others[number][1]]),
            least=SIMILAR_DESCRIPTIONS,
        )
        pairs = [(task, others[place]) for task, place in zip(own, found.tolist(), strict=True) if place >= 0]
        return [SimilarTasks(a, a_text, b, b_text, _similarity(a_text, b_text)) for (a, a_text), (b, b_text) in pairs]

    def _distinct(self) -> list[tuple[str, str]]:
        """Return (name, description) of the tasks whose descriptions differ in more than spelling."""
        return list({plain([text]): (name, text) for text, name in self._names_of.items()}.values())


def _signatures(tasks: list[tuple[str, str]]) -> Signatures:
    signatures = Signatures()
    for _, description in tasks:
        signatures.add(shingles([description]))
    return signatures


def _similarity(one: str, other: str) -> float:
    return round(similarity(shingles([one]), shingles([other])), 3)
