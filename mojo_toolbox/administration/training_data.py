"""The data of a training, here or in S3: looked at early, and brought to this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.storage import Storage, split_file_uri, split_uri
from mojo_toolbox.purposes.purpose import DataMix, DataSource, PreparedData, Purpose


@dataclass(frozen=True)
class TrainingData:
    """The administrator's data to train on, and to choose the best epoch by. Its purpose knows how to read it."""

    train: DataSource
    validation: DataSource | None
    purpose: Purpose

    @property
    def channels(self) -> list[str]:
        """The names of the job's channels, as its script knows them."""
        return ["train"] if self.validation is None else ["train", "validation"]

    def require_readable(self) -> None:
        """Refuse data that is plainly not usable, without asking AWS."""
        for source in self._sources():
            if _is_in_s3(source):
                split_file_uri(source)
            else:
                self.purpose.require_readable(source)

    def require_in_s3(self, session: Session) -> None:
        """Refuse a file in S3 that is not there."""
        for source in self._sources():
            if _is_in_s3(source):
                Storage(session, split_uri(source)[0]).require_object(source)

    def _sources(self) -> Iterator[DataSource]:
        yield self.train
        if self.validation is not None:
            yield self.validation

    def prepare_train(self, session: Session, folder: Path, *, mix: DataMix) -> PreparedData:
        """Write the train channel into `folder`."""
        source = _on_disk(self.train, session, folder)
        return self.purpose.prepare_training_data(source, folder / "train.jsonl", mix=mix)

    def prepare_validation(self, session: Session, folder: Path) -> PreparedData | None:
        """Write the validation channel into `folder`. Return None if nothing is held out."""
        if self.validation is None:
            return None
        source = _on_disk(self.validation, session, folder)
        return self.purpose.prepare_validation_data(source, folder / "validation.jsonl")


def _is_in_s3(source: DataSource) -> TypeGuard[str]:
    return isinstance(source, str) and source.startswith("s3://")


def _on_disk(source: DataSource, session: Session, folder: Path) -> DataSource:
    if not _is_in_s3(source):
        return source
    path = folder / f"from-s3-{len(list(folder.iterdir()))}.jsonl"
    Storage(session, split_uri(source)[0]).download(source, path)
    return path
