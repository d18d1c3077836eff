"""The facts that every serving container knows of itself: its image, its archive's layout, its environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from mojo_toolbox.clouds.aws.base_model_places import BaseModelPlace
from mojo_toolbox.contract import BaseModelReference, Manifest, ModelKind
from mojo_toolbox.serving.artifacts import Trained


class ServingContainer(Protocol):
    """A container that answers the chat contract on an endpoint. It decides nothing about names, checks or S3."""

    def image(self, *, region_name: str, instance_type: str) -> str:
        """Return the URI of the image.

        Raises:
            ConfigurationError: the image does not exist in this region, or not for this instance type.
        """

    def instance_type(self, kind: ModelKind) -> str:
        """Return the instance type for a model of this kind when the administrator names none."""

    def pack_trained(
        self, trained: Trained, target: Path, *, encoder: Trained | None = None
    ) -> tuple[Manifest, Manifest | None]:
        """Write the archive of a trained model to `target`, with an encoder that answers in addition. Return both manifests.

        Raises:
            ArtifactError: an artifact that cannot be used.
            ConfigurationError: the container cannot serve this, such as an encoder next to the model.
        """

    def pack_base(self, base: BaseModelReference, target: Path) -> None:
        """Write the archive of a base model that answers as it is."""

    def environment(self, bases: Mapping[str, BaseModelPlace]) -> dict[str, str]:
        """Return the variables that tell the container where the base model of each channel is."""
