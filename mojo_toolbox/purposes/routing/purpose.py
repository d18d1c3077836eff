"""Routing as a purpose: which task is in charge after each turn of a conversation."""

from __future__ import annotations

from pathlib import Path

from mojo_toolbox.purposes.purpose import DataMix, DataSource, PreparedData, Purpose
from mojo_toolbox.purposes.routing import dataset
from mojo_toolbox.purposes.routing.prompt import PROMPT_VERSION


class RoutingPurpose(Purpose):
    """Trains on conversations with a task after each turn, and asks with a list of tasks."""

    prompt_version: str | None = PROMPT_VERSION

    def require_readable(self, source: DataSource) -> None:
        """Look at the first record, a conversation or a chat example."""
        dataset.require_readable(source)

    def prepare_training_data(self, source: DataSource, target: Path, *, mix: DataMix) -> PreparedData:
        """Write augmented conversations, with those that ship with the library behind them."""
        return dataset.prepare_training_data(
            source,
            target,
            copies=mix.copies,
            augmentation=mix.augmentation,
            pool=mix.pool,
            starter=mix.starter,
        )

    def prepare_validation_data(self, source: DataSource, target: Path) -> PreparedData:
        """Write each conversation as it is."""
        return dataset.prepare_validation_data(source, target)
