"""The purpose of each task: a new purpose is a package next to `routing`, and a line here."""

from __future__ import annotations

from mojo_toolbox.purposes.default import DefaultPurpose
from mojo_toolbox.purposes.purpose import Purpose
from mojo_toolbox.purposes.routing.purpose import RoutingPurpose

PURPOSES: dict[str, Purpose] = {"routing": RoutingPurpose()}
_DEFAULT = DefaultPurpose()


def purpose_of(task: str) -> Purpose:
    """Return the purpose of the models of this `task`. A task without one of its own is trained on plain chats."""
    return PURPOSES.get(task, _DEFAULT)
