"""Decides with an encoder, from any thread. Remembers the lists it was asked about and its decisions for bare conversations."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from chat.request import InvalidRequestError, ModelFailureError
from encoders.mixture import Chooser
from model_code.encoder_questions import ChoiceList, ChoiceQuestion, bare_turns, choice_list, question
from threads.fair_lock import FairLock
from threads.recently_used import RecentlyUsed

# Lists of choices with their system messages: 8 MB of ASCII, at most 32 MB.
_KEPT_CHARACTERS = 8 * 2**20
# The memory that Python takes for a list of choices and for each of them, whatever their length, in characters of four bytes.
_LIST_CHARACTERS, _CHOICE_CHARACTERS = 150, 75
_KEPT_TURNS = 20_000
# As many texts as the encoder keeps vectors of.
_KEPT_TEXTS = 20_000
# New texts of choices that are read in one go, a few tenths of a second: thousands must not hold up everybody else.
_TEXTS_A_PASS = 64
# Choices whose texts read the same, such as names that differ by case alone, differ by less. How much depends on what else was
# computed with them.
_TIE = 1e-4


@dataclass(frozen=True)
class EncoderDecision:
    """Log-probabilities of the choices in their order, the choice that was running before, and the tokens that were read.

    `tokens` counts those of the question (several where a bare conversation is taken turn by turn), not the choices' own.
    """

    log_probabilities: list[float]
    running: str | None = None
    tokens: int = 0

    @property
    def best(self) -> int:
        """The place of the likeliest choice. Of several that are as likely but for rounding, the first."""
        return likeliest(self.log_probabilities)


def likeliest(log_probabilities: Sequence[float]) -> int:
    """Return the place of the highest. Of several that are as high but for rounding, the first."""
    highest = max(log_probabilities)
    return next(place for place, value in enumerate(log_probabilities) if value >= highest - _TIE)


@dataclass(frozen=True)
class _Listed:
    """A list of choices: the texts that the encoder reads, and the place of each choice in its answer."""

    choices: ChoiceList
    places: list[int]  # 0 is the fallback's
    digest: bytes


class EncoderDecider:
    """Weighs choices. Passes are run one at a time, in the order in which they were asked for."""

    def __init__(self, encoder: Chooser) -> None:
        self._encoder = encoder
        self._lock = FairLock()
        self._lists: RecentlyUsed[tuple[str, tuple[str, ...]], _Listed] = RecentlyUsed(_KEPT_CHARACTERS)
        self._seen: RecentlyUsed[str, bool] = RecentlyUsed(_KEPT_TEXTS)
        self._decided: RecentlyUsed[bytes, int] = RecentlyUsed(_KEPT_TURNS)
        self._tokens = 0
        encoder.encoder.register_forward_pre_hook(self._count, with_kwargs=True)

    @property
    def fallback(self) -> str:
        """The choice that means none of the others."""
        return self._encoder.config.fallback

    def decide(self, messages: Sequence[dict[str, str]], choices: Sequence[str]) -> EncoderDecision:
        """Weigh `choices` as answers to the last message. The fallback gets no weight where it is not among them.

        A conversation without any answer is decided turn by turn (its last 12), unless it was decided up to the turn
        before.

        Raises:
            InvalidRequestError: the last message is not the user's.
            ModelFailureError: the encoder computes NaN.
        """
        if messages[-1]["role"] != "user":
            raise InvalidRequestError(
                f"The last message is the {messages[-1]['role']}'s. An encoder decides after a message of the user."
            )
        listed = self._listed(messages, choices)
        if not listed.choices.names:
            return EncoderDecision([0.0])
        if any(message["role"] == "assistant" for message in messages):
            return self._weigh(question(messages, listed.choices), listed)
        return self._weigh_bare(messages, listed)

    def _weigh_bare(self, messages: Sequence[dict[str, str]], listed: _Listed) -> EncoderDecision:
        chats = bare_turns(messages)
        keys = [_digest([listed.digest, *(m["content"].encode() for m in chat)]) for chat in chats]
        running, begin = None, 0
        for place in reversed(range(len(chats) - 1)):
            if (known := self._decided.get(keys[place])) is not None:
                running, begin = known, place + 1
                break
        decision, tokens = EncoderDecision([]), 0
        for chat, key in zip(chats[begin:], keys[begin:], strict=True):
            asked = question(chat, listed.choices)
            decision = self._weigh(replace(asked, running=running - 1 if running else None), listed)
            running = listed.places[decision.best]
            tokens += decision.tokens
            self._decided.put(key, running)
        return replace(decision, tokens=tokens)

    def _weigh(self, asked: ChoiceQuestion, listed: _Listed) -> EncoderDecision:
        with self._lock:
            self._tokens = 0
            row = self._encoder.log_probabilities([asked])[0].tolist()
            tokens = self._tokens
        values = [row[place] for place in listed.places]
        highest = max(values)
        if any(map(math.isnan, row)) or math.isinf(highest):
            raise ModelFailureError(
                "The encoder computes NaN, so no choice can be made. Deploy another version of it, or train again."
            )
        # They sum to 1 over the requested ones, whether or not the fallback is among these.
        total = highest + math.log(math.fsum(math.exp(value - highest) for value in values))
        running = None if asked.running is None else listed.choices.names[asked.running]
        return EncoderDecision([value - total for value in values], running, tokens)

    def _listed(self, messages: Sequence[dict[str, str]], choices: Sequence[str]) -> _Listed:
        system = "\n".join(m["content"] for m in messages if m["role"] == "system")
        key = (system, tuple(choices))
        found = self._lists.get(key)
        if found is None:
            found = self._read_list(system, choices)
            texts = 2 * len(system) + 2 * sum(map(len, choices))
            self._lists.put(key, found, size=_LIST_CHARACTERS + _CHOICE_CHARACTERS * len(choices) + texts)
        return found

    def _read_list(self, system: str, choices: Sequence[str]) -> _Listed:
        found = choice_list(system, choices, fallback=self.fallback)
        texts = sorted({text for text in found.texts if self._seen.get(text) is None}, key=len)
        for start in range(0, max(0, len(texts) - _TEXTS_A_PASS), _TEXTS_A_PASS):
            with self._lock:  # the encoder keeps their vectors, and reads the rest with the question
                self._encoder.log_probabilities(
                    [ChoiceQuestion("", "", "", tuple(texts[start : start + _TEXTS_A_PASS]))]
                )
        for text in found.texts:
            self._seen.put(text, True)
        place_of = {name: place for place, name in enumerate(found.names, start=1)} | {self.fallback: 0}
        digest = _digest([system.encode(), *(name.encode() for name in choices)])
        return _Listed(found, [place_of[name] for name in choices], digest)

    def _count(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        mask = kwargs.get("attention_mask")
        if isinstance(mask, torch.Tensor):
            self._tokens += int(mask.sum())


def _digest(parts: Sequence[bytes]) -> bytes:
    """Name a sequence of texts in 16 bytes. Where one ends and the next begins counts."""
    found = hashlib.blake2b(repr([len(part) for part in parts]).encode(), digest_size=16)
    for part in parts:
        found.update(part)
    return found.digest()
