"""What is plainly wrong with written turns, told without a model: another language, leaks, repetitions, technical names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mojo_toolbox.data import Conversation, Message
from mojo_toolbox.data.likeness.shingles import LENGTH as _PIECE
from mojo_toolbox.data.likeness.shingles import plain
from mojo_toolbox.generation.judging import JudgeMark, MarkKind
from mojo_toolbox.generation.language import load_language_model, other_language
from mojo_toolbox.generation.plan import Plan

# Turns from which on repeating one is no accident: people say "yes please" often.
_LEAST_REPEATED = 25  # characters
_SIMILAR = 0.8
# Of somebody else's text so many words in a row are copied, not met by chance.
_COPIED_WORDS = 8
_LONGEST_SHOWN = 120
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
# Parts of names that nobody says: a blank in place of them, and it is a phrase.
_TECHNICAL = re.compile(r"[_/.:]|[a-z][A-Z]|\d[a-zA-Z]|[a-zA-Z]\d|^[a-z]+-[a-z-]+$")
# What belongs to prompts, replies and models, and to no conversation.
_LEAKS = re.compile(
    r"^\s*#{1,6}\s*(?:user|assistant|system)\b|^\s*\**(?:user|assistant|agent|human)\**\s*:|<\|?(?:im_|start_|end_|eot)\w*\|?>"
    r"|</?think(?:ing)?>|```\s*json|\"(?:turns|assistant|messages)\"\s*:"
    r"|\bas an? (?:ai|artificial intelligence)(?: language)? model\b|\b(?:the|this) (?:user )?persona\b"
    r"|\b(?:no|none of the) listed tasks?\b|\btask in charge\b",
    re.IGNORECASE | re.MULTILINE,
)
# "[client name]", "<date>", "{topic}", "[Your Company]": what a user would have filled in; "[photo]" is an attachment.
_ATTACHED = (
    r"(?:photo|picture|pic|image|img|file|pdf|voice|audio|video|screenshot|attachment|sticker|gif|emoji|link|sic)s?\b"
)
_PLACEHOLDER = re.compile(
    rf"(?<!\w)\[(?!{_ATTACHED})[a-z][\w' -]{{2,40}}\]|<[a-z][\w' -]{{2,40}}>|\{{\{{?[a-z][\w' -]{{2,40}}\}}?\}}|(?-i:\bX{{3,}}\b)",
    re.IGNORECASE,
)


class PlainChecks:
    """Marks turns by rules; cheap, so that it goes over every conversation."""

    name = "checks"
    fingerprint = "checks 1"

    def __init__(self, *, longest_user_turn: int = 2000, longest_assistant_turn: int = 6000) -> None:
        """Take the lengths, in characters, above which a turn is marked.

        Raises:
            ConfigurationError: py3langid is not installed, or its model cannot be unpacked.
        """
        load_language_model()
        self._longest = {"user": longest_user_turn, "assistant": longest_assistant_turn}

    def marks(self, conversation: Conversation, plan: Plan | None = None) -> tuple[JudgeMark, ...]:
        """Return what is to be looked at, in the order of the turns; without a plan languages and leaks of it are not."""
        names = _technical_names(conversation)
        secrets = [] if plan is None else _runs(_secrets(plan))
        descriptions = _runs(task.description for task in conversation.tasks)
        found: list[JudgeMark] = []
        for turn, message in enumerate(conversation.messages):
            if not _visible(message.content):
                found.append(_mark(turn, "empty", f"The {message.role}'s turn is empty."))
                continue
            found += self._lengths(turn, message)
            found += _language(turn, message, plan)
            found += _names(turn, message, names)
            said = _words(message.content)
            found += _leaks(turn, message, said, secrets)
            if message.role == "user":
                found += _copies(turn, said, descriptions)
        return tuple(sorted([*found, *_repetitions(conversation)], key=lambda mark: mark.turn))

    def _lengths(self, turn: int, message: Message) -> Iterator[JudgeMark]:
        length, longest = len(message.content), self._longest[message.role]
        if length > longest:
            yield _mark(turn, "long", f"The {message.role}'s turn has {length:,} characters, more than {longest:,}.")


def _language(turn: int, message: Message, plan: Plan | None) -> Iterator[JudgeMark]:
    found = None if plan is None else other_language(message.content, plan.voice.language)
    if plan is not None and found is not None:
        reason = f"The turn seems to be in another language ({found.code}) than the planned {plan.voice.language}."
        yield _mark(turn, "language", reason, said=found.code, probability=round(found.probability, 3))


def _technical_names(conversation: Conversation) -> list[tuple[str, re.Pattern[str]]]:
    """Return what finds the names that are no words of a language: `follow_up_email`, not `email`."""
    names = [task.name for task in conversation.tasks if _TECHNICAL.search(task.name)]
    return [(name, re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)) for name in names]


def _names(turn: int, message: Message, names: list[tuple[str, re.Pattern[str]]]) -> Iterator[JudgeMark]:
    for name, pattern in names:
        if pattern.search(message.content):
            yield _mark(turn, "task name", f"The {message.role} says the task's technical name.", said=name)


def _secrets(plan: Plan) -> list[str]:
    """Return what only the plan says, and nobody in the conversation."""
    voice = plan.voice
    # The task's own words stand in quotation marks in an intent; that a user says those is looked at apart.
    intents = [re.sub(r"\"[^\"]*\"", " | ", turn.intent) for turn in plan.turns]
    return [*intents, voice.persona, voice.habits, voice.manner, voice.tone]


def _leaks(turn: int, message: Message, said: str, secrets: Iterable[str]) -> Iterator[JudgeMark]:
    if match := _LEAKS.search(message.content):
        yield _mark(turn, "leak", "The turn has words of a prompt or of a model's reply.", said=match[0].strip())
    elif copied := next((run for run in secrets if run in said), None):
        yield _mark(turn, "leak", "The turn repeats the plan word for word.", said=copied.strip())
    # An assistant may well draft a letter with [Your Name] in it.
    if message.role == "user" and (match := _PLACEHOLDER.search(message.content)):
        yield _mark(turn, "placeholder", "A placeholder was never filled in.", said=match[0])


def _copies(turn: int, said: str, descriptions: Iterable[str]) -> Iterator[JudgeMark]:
    if copied := next((run for run in descriptions if run in said), None):
        yield _mark(turn, "copied", "The user reads out a task's description.", said=copied.strip())


def _words(text: str) -> str:
    """Return the words of a text with a blank around each, so that a run of them is a part of it."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _runs(texts: Iterable[str]) -> list[str]:
    """Return all eight words in a row of the texts; a bar interrupts a row."""
    found = []
    for part in (part for text in texts for part in text.split("|")):
        words = _WORD.findall(part.casefold())
        runs = (words[start : start + _COPIED_WORDS] for start in range(len(words) - _COPIED_WORDS + 1))
        found += [f" {' '.join(run)} " for run in runs]
    return found


def _repetitions(conversation: Conversation) -> Iterator[JudgeMark]:
    """Yield user turns that repeat an earlier one, or what the assistant has just said."""
    earlier: list[tuple[int, frozenset[str]]] = []
    before: frozenset[str] = frozenset()
    for turn, message in enumerate(conversation.messages):
        said = plain([message.content]).strip()
        pieces = frozenset(said[start : start + _PIECE] for start in range(max(1, len(said) - _PIECE + 1)))
        if message.role == "user" and len(said) >= _LEAST_REPEATED:
            first = next((number for number, other in earlier if _same(pieces, other)), None)
            if first is not None:
                yield _mark(turn, "repeated", f"The user says again what message {first + 1} said.")
            elif _same(pieces, before):
                yield _mark(turn, "repeated", "The user says what the assistant has just said.")
            earlier.append((turn, pieces))
        before = pieces if message.role == "assistant" else frozenset()


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    # Of two texts of which one is much longer no more than their sizes' ratio is in common.
    shorter, longer = sorted((len(one), len(other)))
    if shorter < _SIMILAR * longer:
        return False
    common = len(one & other)
    return common >= _SIMILAR * (shorter + longer - common)


def _visible(text: str) -> bool:
    return any(character.isprintable() and not character.isspace() for character in text)


def _mark(
    turn: int, kind: MarkKind, reason: str, *, said: str | None = None, probability: float | None = None
) -> JudgeMark:
    shown = None if said is None else said[:_LONGEST_SHOWN]
    return JudgeMark(turn, reason, shown, probability, kind=kind, by=PlainChecks.name)
