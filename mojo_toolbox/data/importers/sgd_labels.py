"""Which intent of a Schema-Guided Dialogue is in charge after a user turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NONE = "NONE"
# With these acts alone a user thanks, closes, picks or declines what was offered. The source keeps the intent active then
# by convention, whatever the user has in mind.
_CLOSING_ACTS = frozenset({"THANK_YOU", "GOODBYE", "SELECT", "NEGATE"})
_ASKING_ACTS = frozenset({"INFORM_INTENT", "AFFIRM_INTENT"})

ONLY_CLOSES = "the user only thanks, closes or selects"
SEVERAL_CHANGED = "several intents changed at once"
SEVERAL_GO_ON = "several intents go on"
NO_STATE = "the turn's dialogue state is missing or incomplete"


@dataclass(frozen=True)
class Intent:
    """An intent of a service, by the source's names."""

    service: str
    name: str


@dataclass(frozen=True)
class Frame:
    """What a user turn says about one service; without acts only the intent is known, as in MultiWOZ 2.2."""

    intent: Intent
    acts: frozenset[str]

    @property
    def known(self) -> bool:
        """Whether the state is given."""
        return bool(self.intent.name)

    @property
    def active(self) -> bool:
        """Whether the service has something to do."""
        return self.intent.name != _NONE

    @property
    def closing(self) -> bool:
        """Whether the acts say that the user asks nothing of the service."""
        return bool(self.acts) and self.acts <= _CLOSING_ACTS


def frames_of(turn: Mapping[str, Any]) -> list[Frame]:
    """Return the frames of a user turn; where one has no state, its intent's name is empty."""
    found = []
    for frame in turn.get("frames") or []:
        intent = (frame.get("state") or {}).get("active_intent") or ""
        acts = frozenset(action["act"] for action in frame.get("actions") or [] if action.get("act"))
        found.append(Frame(Intent(frame["service"], intent), acts))
    return found


def intent_in_charge(frames: Sequence[Frame], before: Mapping[str, str]) -> Intent | str | None:
    """Return the intent in charge after a user turn, None for no intent, or the reason why nobody can tell.

    `before` holds each service's active intent after the user turn before. Of several frames the one that changed counts;
    a turn that changes nothing and only thanks, closes or selects is not told. Where no acts are given, none are assumed: the
    intent that goes on stays in charge.
    """
    if not frames or not all(frame.known for frame in frames):
        return NO_STATE
    active = [frame for frame in frames if frame.active]
    if not active:
        return None
    changed = [f for f in active if before.get(f.intent.service) != f.intent.name or f.acts & _ASKING_ACTS]
    if changed:
        return changed[0].intent if len(changed) == 1 else SEVERAL_CHANGED
    going_on = [frame for frame in active if not frame.closing]
    if not going_on:
        return ONLY_CLOSES
    return going_on[0].intent if len(going_on) == 1 else SEVERAL_GO_ON
