"""Keys of people's records that nothing reads although they change what a record means: refused, never dropped.

A record may have keys of its own besides those that are read, such as a timestamp. Refused are four kinds: a key whose
meaning in other formats is known, a word that people use in place of a key, a misspelt key, and a key by which other formats
take something out of training, such as `ignore`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Keys of fewer letters resemble too much.
_SHORTEST = 4
_LONG = 8
# How other formats say that something is not learnt from, or less: switches and weights, without blanks, dashes and "_".
_WEIGHTS = re.compile(
    r"(?:sample|example|instance|message|turn|loss|train(?:ing)?|importance)?weights?|importance|loss(?:scale|factor)"
)
_ON = re.compile(
    r"train(?:able|ed|ing|onturn|on)?|learn(?:able)?|(?:compute|bears)?loss|lossmask|include[ds]?|used?|keep|enabled?"
    r"|(?:use)?(?:for|in)training"
)
_LEAVING = r"ignored?|excluded?|removed?|deleted?|disabled?|skip(?:ped)?|drop(?:ped)?|omit(?:ted)?|discard(?:ed)?"
_OFF = re.compile(
    rf"(?:{_LEAVING}|mask(?:ed)?)(?:(?:from|in)?training|loss)?|(?:no|dont|donot)(?:loss|train(?:ing)?|learn(?:ing)?)"
)
# TRL's marks of answers that are bad examples. Other values are other people's labels.
_MARKS_OF_BAD_ONES = frozenset(("label", "ktolabel", "ktotag", "desirable", "chosen", "preferred"))
_SWITCHES = {"true": 1, "yes": 1, "on": 1, "false": 0, "no": 0, "off": 0}


@dataclass(frozen=True)
class Keys:
    """The keys of one kind of record."""

    read: frozenset[str]
    besides: frozenset[str] = frozenset()
    """Keys that are read too, or known, and that say nothing of the meaning: a misspelt one is not looked for."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What other formats mean by a key that is not read here, and what to do about it."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What people write in place of a key that is read."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Values of the keys in `meanings` that change nothing."""
    unlearnt: str | None = None
    """What to do about a key that takes the record out of training; None where nobody learns from it."""

    def dropped(self, record: Mapping[Any, Any]) -> str | None:
        """Say which key of a record would be dropped though it changes what the record means; None when there is none."""
        for key, value in record.items():
            if key in self.read or key in self.besides:
                continue
            # An empty value says nothing: a table of records gives every record every key.
            if not isinstance(key, str) or value is None or value in ("", [], {}):
                continue
            known = self._with_meaning(key)
            if known is not None:
                if known not in self.defaults or value != self.defaults[known]:
                    return f"{key!r} {self.meanings[known]}"
            elif (meant := self._meant(key)) is not None and meant not in record:
                return f"{key!r} is not read. Did you mean {meant!r}?"
            elif self.unlearnt is not None and takes_out_of_training(key, value):
                return f"{key!r} is not read. {self.unlearnt}"
        return None

    def _with_meaning(self, key: str) -> str | None:
        """Return the key of `meanings` that a key is, in whatever spelling; a slip adds, drops or swaps a letter."""
        if key in self.meanings:
            return key
        plain = _plain(key)
        return next((known for known in self.meanings if plain == _plain(known) or _slipped(plain, known)), None)

    def _meant(self, key: str) -> str | None:
        plain = _plain(key)
        if plain in self.words:
            return self.words[plain]
        return next((known for known in sorted(self.read) if _resembles(plain, known)), None)


def takes_out_of_training(key: str, value: object) -> bool:
    """Whether a key and its value say, in the words of some format, that a record is not learnt from, or counts otherwise."""
    word = _word(key)
    if word in _MARKS_OF_BAD_ONES:
        return value is False
    if _WEIGHTS.fullmatch(word):
        return isinstance(value, list | Mapping) or _number(value) not in {1, None}
    if _ON.fullmatch(word):
        return _number(value) == 0
    return _OFF.fullmatch(word) is not None and _number(value) not in {0, None}


def leaves_out(key: str, value: object) -> bool:
    """Whether a key and its value leave something out of the data, and do not only keep loss from it."""
    return re.fullmatch(_LEAVING, _word(key)) is not None and _number(value) not in {0, None}


def switch_problem(train: object, weight: object) -> str | None:
    """Say why a message's `train` and OpenAI's `weight` cannot be used; None when they can. Either may be missing."""
    if train is not None and not isinstance(train, bool):
        return f"train is {train!r:.40}, neither true nor false"
    if weight is None:
        return None
    if isinstance(weight, bool) or weight not in (0, 1):
        return f"weight {weight!r:.40} is neither 0 nor 1: a message bears loss or does not"
    if train is not None and train != (weight == 1):
        return f"train is {train} and weight is {weight}: they contradict each other"
    return None


def _word(key: str) -> str:
    return re.sub(r"\A(?:is|should)(?=.{3})", "", _plain(key))


def _number(value: object) -> float | None:
    """Return a switch or a weight as a number; None for what is neither."""
    if isinstance(value, str):
        value = _SWITCHES.get(value.strip().casefold(), value)
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).lower()


def _slipped(key: str, known: str) -> bool:
    # Another letter in place of one makes other words, such as height of weight.
    extra, missing = Counter(key) - Counter(known), Counter(known) - Counter(key)
    return len(known) > _SHORTEST and extra.total() + missing.total() <= 1 and _mistakes(key, known) <= 1


def _resembles(key: str, known: str) -> bool:
    """Whether a key is another one with a letter too many, too few, wrong or swapped; two of them in a long one."""
    if key == known:
        return True
    return len(known) >= _SHORTEST and _mistakes(key, known) <= (2 if len(known) >= _LONG else 1)


def _mistakes(one: str, other: str) -> int:
    """Count the letters to add, drop, replace or swap that make one word of another (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


TASK = Keys(
    read=frozenset({"name", "description"}),
    meanings={"examples": "is not read by routers yet. Say in the description how to tell the task, and leave it out"},
    words=dict.fromkeys(("desc", "descr", "summary", "definition", "explanation", "about"), "description"),
)
_NOT_LEARNT = "is read in chat examples only. To learn nothing from a message, leave out its task"
MESSAGE = Keys(
    read=frozenset({"role", "content", "task"}),
    besides=frozenset({"point"}),
    meanings={"train": _NOT_LEARNT, "weight": _NOT_LEARNT},
    words=dict.fromkeys(("label", "labels", "intent", "intents", "taskname", "decision", "gold"), "task"),
    defaults={"train": True, "weight": 1},
    unlearnt="To learn nothing from a message, leave out its task",
)
_WHOLE = "counts single messages only, not a whole record. Leave the record out of the file, or repeat it"
_LEFT_OUT = "To learn nothing from a record, leave it out of the file"
CONVERSATION = Keys(
    read=frozenset({"tasks", "messages"}),
    besides=frozenset({"id", "meta"}),
    meanings={
        "task": "belongs to a user message: the task in charge after it",
        "system": "is not read: a router gets no system message",
        "train": _WHOLE,
        "weight": _WHOLE,
    },
    defaults={"train": True, "weight": 1},
    unlearnt=_LEFT_OUT,
)
_NO_TOOLS = "is not read: tools cannot be trained on. Write them into the system message, or leave the chat out"
_NO_CALLS = "is not read: a call cannot be trained on. Write it into the content, or leave the chat out"
_TEXT_ONLY = "is not read: only the content is trained on. Leave the message out, or write it into the content"
CHAT_EXAMPLE = Keys(
    read=frozenset({"messages", "choices"}),
    besides=frozenset({"id", "meta"}),
    meanings={
        "system": 'is not read: write it as the first message, {"role": "system", "content": "..."}',
        "tools": _NO_TOOLS,
        "functions": _NO_TOOLS,
        "chosen": "is not read: of two answers none is preferred. Keep the better one as the last message",
        "rejected": "is not read: of two answers none is preferred. Keep the better one as the last message",
        "train": _WHOLE,
        "weight": _WHOLE,
    },
    defaults={"train": True, "weight": 1},
    unlearnt=_LEFT_OUT,
)
CHAT_MESSAGE = Keys(
    read=frozenset({"role", "content", "train", "weight"}),
    meanings={
        "tool_calls": _NO_CALLS,
        "function_call": _NO_CALLS,
        "task": "is the label of a routing conversation, and this record has no list of tasks",
    }
    | dict.fromkeys(("refusal", "audio", "reasoning", "reasoning_content", "thinking"), _TEXT_ONLY),
    words=dict.fromkeys(("loss", "lossweight", "lossmask", "mask", "masked", "trainable", "training"), "train"),
    unlearnt='To learn nothing from a message, give it "train": false',
)
# What predict() sends without tasks: what else an application keeps with its messages is its own affair.
CHAT_TURN = Keys(
    read=frozenset({"role", "content"}),
    besides=frozenset({"task", "train", "weight"}),
    meanings=dict.fromkeys(("tool_calls", "function_call"), "is not sent: write the call into the content"),
)
# What `mojo predict` reads from a file: a conversation, or a chat without tasks.
QUESTION = Keys(
    read=frozenset({"tasks", "messages"}),
    besides=frozenset({"id", "meta"}),
    meanings={
        "task": "belongs to a user message: the task in charge after it",
        "system": "is not read: a chat has it as its first message, and a router gets none",
        "tools": "is not sent: describe what the assistant can do as tasks",
        "functions": "is not sent: describe what the assistant can do as tasks",
    },
)
