"""Who speaks, and how: personas, tones, languages, typing habits and agents, drawn from seeded distributions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.generation import voice_words as words
from mojo_toolbox.generation.weights import checked_shares
from mojo_toolbox.spelling import misspelling

DEFAULT_LANGUAGES: Mapping[str, float] = {"English": 1.0}
_LONGEST_LANGUAGE = 80  # characters: "Brazilian Portuguese, informal" has 30


@dataclass(frozen=True)
class Voice:
    """How the two sides of a conversation speak, in words, for the prompt."""

    persona: str
    tone: str
    language: str
    habits: str
    """The user's way of typing, and its amount."""
    manner: str
    """The agent's way of speaking."""


def checked_languages(languages: Mapping[str, float]) -> dict[str, float]:
    """Return the languages' shares, which sum to 1.

    Raises:
        ConfigurationError: a share that is none, or a name that is empty, long or of several lines.
    """
    for name in languages if isinstance(languages, Mapping) else ():
        if not isinstance(name, str) or misspelling(name.strip()) or len(name) > _LONGEST_LANGUAGE:
            raise ConfigurationError(
                f"{name!r:.100} is no language's name: one line of at most {_LONGEST_LANGUAGE} characters, such as French."
            )
    return checked_shares("languages", languages)


def draw_voice(
    rng: random.Random, *, languages: Mapping[str, float] = DEFAULT_LANGUAGES, users: Sequence[str] = ()
) -> Voice:
    """Return a voice; each of its parts is drawn from a distribution of its own.

    Args:
        rng: what is drawn from.
        languages: shares by the languages' names.
        users: who uses the product, such as "a sales representative"; without them anybody does.
    """
    return Voice(
        persona=_persona(rng, users),
        tone=_one(rng, words.TONES),
        language=rng.choices(list(languages), weights=list(languages.values()))[0],
        habits=_habits(rng),
        manner=", ".join([_one(rng, words.MANNERS), _one(rng, words.REPLY_LENGTHS), _one(rng, words.AGENT_TRAITS)]),
    )


def _persona(rng: random.Random, users: Sequence[str]) -> str:
    # Most are between 20 and 60; the mode tells people of working age from an even spread.
    age = round(rng.triangular(17, 84, 36))
    role = rng.choice(list(users) or list(words.ROLES))
    return f"{rng.choice(words.NAMES)}, {age}, {role}; {rng.choice(words.SITUATIONS)}; {rng.choice(words.DEVICES)}"


def _habits(rng: random.Random) -> str:
    """How much is written, then what differs from school: most people have a habit or two, nobody all."""
    parts = [_one(rng, words.LENGTHS)]
    parts += [habit for group in words.HABITS if (habit := _one(rng, group))]
    return "; ".join(parts)


def _one(rng: random.Random, weighted: Mapping[str, float]) -> str:
    return rng.choices(list(weighted), weights=list(weighted.values()))[0]
