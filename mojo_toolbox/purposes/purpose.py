"""The interface of a purpose: it turns data of its own kind into chat examples, and gives training and serving its facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mojo_toolbox.data import NONE_ANSWER, Conversation
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.task_pool import TaskPool

# A path, or records: a list of conversations or of dictionaries, or a datasets.Dataset.
DataSource = str | Path | Iterable[Conversation | Mapping[str, Any]]
# Figures that the training scripts measure after each epoch: the share of answers right (more is better), or the loss (less is).
BestMetric = Literal["eval_decision_accuracy", "eval_loss"]


@dataclass(frozen=True)
class PreparedData:
    """Chat examples in a file, and facts of the given data."""

    path: Path
    rows: int
    sha256: str
    """Content hash of the given data, not of the file. `mojo data check` and evaluation reports show the same."""
    augmented: bool
    """Whether the rows are varied copies, so that each epoch reads copies of its own."""


@dataclass(frozen=True)
class DataMix:
    """How training data is to be varied, and the data to add. A purpose takes the parts that it can use."""

    copies: int = 1
    """How many varied examples of each record to write, over all epochs."""
    augmentation: Augmentation | None = None
    pool: TaskPool | None = None
    starter: int = 0
    """How many of the conversations that ship with the library to add to the data."""


@dataclass(frozen=True)
class AllowedAnswers:
    """The answers that a model may give when it has choices."""

    form: str = "names"
    """How an answer says which choice it means. The manifest keeps it."""
    fallback: str = NONE_ANSWER
    """The choice that means none of the others. An encoder must know which one it is."""


class Purpose(ABC):
    """The purpose of the models of a `task`. Containers know chat examples only. Everything else about a task is here."""

    prompt_version: str | None = None
    """Version of the prompt that callers ask with. Artifacts keep it, and deploying refuses another. None: any prompt."""
    answers: AllowedAnswers = AllowedAnswers()
    best_metric: BestMetric = "eval_decision_accuracy"
    """By which measure of the validation data the best epoch is kept."""

    @abstractmethod
    def require_readable(self, source: DataSource) -> None:
        """Look at the first record, so that data that is plainly not usable is refused at once. Leave streams alone.

        Raises:
            DataError: no such file, nothing in it, or a first record that cannot be used.
        """

    @abstractmethod
    def prepare_training_data(self, source: DataSource, target: Path, *, mix: DataMix) -> PreparedData:
        """Write `source` to `target` as JSON Lines of chat examples: `{"messages": […], "choices": […]}`.

        Raises:
            DataError: a record that cannot be used (file and line are named), or nothing to learn from.
        """

    @abstractmethod
    def prepare_validation_data(self, source: DataSource, target: Path) -> PreparedData:
        """Write each record of `source` to `target` once, not varied, as chat examples.

        Raises:
            DataError: as in `prepare_training_data()`.
        """
