"""The serving containers that a deployment can choose, by name. A new one is a module next to this one, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.serving.own_handler import OwnHandler
from mojo_toolbox.serving.serving_container import ServingContainer

DEFAULT_CONTAINER = "own_handler"
CONTAINERS: Mapping[str, ServingContainer] = {DEFAULT_CONTAINER: OwnHandler()}


def find_container(name: str) -> ServingContainer:
    """Return the container of that name.

    Raises:
        ConfigurationError: there is no such container.
    """
    if name not in CONTAINERS:
        raise ConfigurationError(f"There is no serving container {name!r:.80}. Known: {', '.join(CONTAINERS)}.")
    return CONTAINERS[name]
