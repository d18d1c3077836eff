"""The messages of a request as prompt tokens that fit the model's context.

A conversation that asks for a choice and is too long loses its oldest turns (see `turn_folding`), also where all of it is
one message. It never loses a system message or the last turn. A plain chat is refused instead: an answer to half a chat would
be an answer to another question.
"""

from __future__ import annotations

import bisect
import itertools
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chat.request import InvalidRequestError
from chat.turn_folding import (
    Exchanges,
    TranscriptTurn,
    exchange_lengths,
    exchanges,
    exchanges_to_drop,
    messages_between,
    surely_too_old,
    transcript_turns,
    turn_starts,
)
from model_code.chat_encoding import ChatTemplateError, EncodedChat, encode_chat, encode_content
from threads.fair_lock import FairLock
from threads.recently_used import RecentlyUsed

Messages = list[dict[str, str]]
# Longer texts than this share of the context (in characters a token) are counted piece by piece before they are encoded.
_CHARACTERS_A_TOKEN = 4
_PIECE = 32_768
_KEPT_BYTES = 32 * 2**20
# Of a kept text, in addition to four bytes for each character and token.
_ENTRY_BYTES = 200
# This much must fit when all else is left out.
_LEAST = "The system message and the last turn"


@dataclass(frozen=True)
class FittedPrompt:
    """Token ids up to where the answer begins. `dropped_messages` of the conversation are not among them."""

    ids: list[int]
    dropped_messages: int = 0


class ChatPrompts:
    """Makes prompts, from any thread. Texts that come again (all but a conversation's last) are encoded once."""

    def __init__(self, tokenizer: Any, context_length: int) -> None:
        self._tokenizer = tokenizer
        self._limit = context_length
        # Encoding sets options on the tokenizer itself, so two threads would see each other's.
        self._lock = FairLock()
        self._texts: RecentlyUsed[str, array[int]] = RecentlyUsed(_KEPT_BYTES)

    def prompt(self, messages: Messages, *, answer_tokens: int = 1, fold: bool = False) -> FittedPrompt:
        """Encode a chat up to its answer, for which `answer_tokens` are left free.

        Raises:
            InvalidRequestError: it does not fit, with `fold` not even the system message and the last turn.
        """
        limit = self._limit - answer_tokens
        folded_turns = 0
        if fold:
            messages, folded_turns = self._without_old_turns(messages, limit)
        cut = exchanges(messages)
        needed = cut.without_first(len(cut.starts) - 1, messages) if fold else messages
        what = "The messages" if len(needed) == len(messages) and not folded_turns else _LEAST
        self._refuse_megabytes(needed, what)
        old = surely_too_old(exchange_lengths(cut, messages), self._limit) if fold else 0
        kept, cut = _after(cut, old, messages)
        chat = self._encode(kept)
        while fold and len(chat.ids) > limit and len(cut.starts) > 1:
            # Once, unless a template writes more around the first turn than around the others.
            kept, cut = _after(cut, max(1, _to_drop(cut, chat, limit)), kept)
            chat = self._encode(kept)
        if len(chat.ids) > limit:
            chosen = answer_tokens > 1
            tokens = len(chat.ids) + (answer_tokens if chosen else 0)
            raise InvalidRequestError(
                _too_long(what + " with the choices" * chosen, str(tokens), len(chat.ids) - limit, self._limit)
            )
        return FittedPrompt(chat.ids, folded_turns + len(messages) - len(kept))

    def name(self, text: str) -> list[int]:
        """Encode a choice as the content of an answer."""
        with self._lock:
            return self._content(self._tokenizer, text)

    def _without_old_turns(self, messages: Messages, limit: int) -> tuple[Messages, int]:
        """Leave the oldest turns out of a transcript that fills the prompt alone. Return how many messages they were."""
        *before, last = messages
        if last["role"] != "user" or any(message["role"] != "system" for message in before):
            return messages, 0
        content = last["content"]
        # Megabytes may hold hundreds of thousands of turns: those that are too old are not even cut apart.
        starts = turn_starts(content)
        if len(starts) == 1:
            return messages, 0
        self._refuse_megabytes([*before, {**last, "content": content[starts[-1] :]}], _LEAST)
        old = surely_too_old([end - start for start, end in itertools.pairwise([*starts, len(content)])], self._limit)
        if not old and len(self._encode(messages).ids) <= limit:
            return messages, 0
        around = len(self._encode([*before, {**last, "content": ""}]).ids)
        dropped = old + self._turns_to_drop(transcript_turns(content, starts[old:]), limit - around)

        def without(count: int) -> Messages:
            return [*before, {**last, "content": content[starts[count] :]}]

        def fits(count: int) -> bool:
            return len(self._encode(without(count)).ids) <= limit

        # Cut elsewhere, words may make other tokens.
        if not fits(dropped):
            dropped = bisect.bisect_left(range(len(starts) - 1), True, lo=dropped, key=fits)
        return without(dropped), messages_between(content, starts[: dropped + 1])

    def _turns_to_drop(self, turns: Sequence[TranscriptTurn], room: int) -> int:
        said = [self._line(turn.said) for turn in turns[:-1]] + [self._line(turns[-1].said.rstrip())]
        lengths = [length + self._line(turn.answered) for length, turn in zip(said, turns, strict=True)]
        begins = [0, *itertools.accumulate(lengths[:-1])]
        asked = [begin + length for begin, length in zip(begins, said, strict=True)]
        return exchanges_to_drop(begins, asked, room)

    def _line(self, text: str) -> int:
        """Count the tokens of a line within a text, with one for its end."""
        if not text:
            return 0
        with self._lock:  # line by line: others need not wait for all of them
            return _of_part(self._content(self._tokenizer, _part(text))) + 1

    def _encode(self, messages: Messages) -> EncodedChat:
        with self._lock:
            try:
                return encode_chat(self._tokenizer, messages, add_generation_prompt=True, encode=self._content)
            except ChatTemplateError as error:
                raise InvalidRequestError(f"{error}".splitlines()[0]) from error

    def _content(self, tokenizer: Any, text: str) -> list[int]:
        kept = self._texts.get(text)
        if kept is not None:
            return kept.tolist()
        ids = encode_content(tokenizer, text)
        size = _ENTRY_BYTES + 4 * (len(text) + len(ids))
        # One giant must not push out all the others.
        if size <= _KEPT_BYTES // 8:
            self._texts.put(text, array("i", ids), size=size)
        return ids

    def _refuse_megabytes(self, messages: Messages, what: str) -> None:
        """Count tokens only as far as needed to know that texts of megabytes do not fit."""
        least = len(messages)  # each takes a token or more
        if least <= self._limit:
            least = self._least_tokens([message["content"] for message in messages])
        if least > self._limit:
            raise InvalidRequestError(_too_long(what, f"at least {least}", least - self._limit, self._limit))

    def _least_tokens(self, texts: list[str]) -> int:
        if sum(map(len, texts)) <= self._limit * _CHARACTERS_A_TOKEN:
            return 0
        count = 0
        for text in map(str.strip, texts):
            for start in range(0, len(text), _PIECE):
                with self._lock:
                    found = encode_content(self._tokenizer, _part(text[start : start + _PIECE]))
                # A cut adds one token at most where it splits a word. Fewer tokens are counted, never more.
                count += max(0, _of_part(found) - 1)
                if count > self._limit:
                    return count
        return 0


def _after(cut: Exchanges, count: int, messages: Messages) -> tuple[Messages, Exchanges]:
    """Leave out the first `count` exchanges."""
    if not count:
        return messages, cut
    kept = cut.without_first(count, messages)
    return kept, exchanges(kept)


def _part(text: str) -> str:
    """Enclose a part of a text in dots: at a text's own ends blanks are no tokens, within it they are."""
    return f".{text}."


def _of_part(ids: Sequence[int]) -> int:
    return max(0, len(ids) - 2)


def _to_drop(cut: Exchanges, chat: EncodedChat, limit: int) -> int:
    # A turn begins where the content before it ends: the template's text between them comes and goes with it.
    begins = [chat.content_spans[start - 1][1] if start else 0 for start in cut.starts]
    asked = [chat.content_spans[start + 1][0] for start in cut.starts[:-1]] + [len(chat.ids)]
    return exchanges_to_drop(begins, asked, limit)


def _too_long(what: str, tokens: str, excess: int, limit: int) -> str:
    return f"{what} are {tokens} tokens, {excess} too many for the model's context of {limit}. Shorten them."
