"""Shortens a long list of choices to those that an encoder finds likely, before a language model decides among them.

A language model reads every line of the list. An encoder reads no line twice. The answer is never a choice that the encoder left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chat.request import ChatRequest
from encoders.decider import EncoderDecision
from model_code.encoder_questions import choice_lines


@dataclass(frozen=True)
class Shortlist:
    """Keeps the `most` likeliest choices, the one that is running and the fallback, in the order of the list.

    With `most` 0 every choice is kept.
    """

    most: int
    fallback: str

    def kept(self, request: ChatRequest, decision: EncoderDecision) -> list[str] | None:
        """Return which choices stay, None where all do. `decision` is the encoder's of the same request."""
        choices = request.choices or []
        if not self.most or len(choices) - (self.fallback in choices) <= self.most:
            return None
        likeliest = sorted(zip(decision.log_probabilities, choices, strict=True), key=lambda pair: -pair[0])
        found = {name for _, name in [pair for pair in likeliest if pair[1] != self.fallback][: self.most]}
        answered = (m["content"] for m in reversed(request.messages) if m["role"] == "assistant")
        found |= {self.fallback, next(answered, None) or decision.running or self.fallback}
        return [name for name in choices if name in found]

    def shortened(self, request: ChatRequest, kept: list[str]) -> ChatRequest:
        """Return the request with `kept` alone for choices, and without the lines of the others in its system messages.

        Earlier answers stay as they are, those that were left out too.
        """
        every, stay = request.choices or [], set(kept)
        systems = [m["content"] for m in request.messages if m["role"] == "system"]
        lines = iter(choice_lines("\n".join(systems), every))
        messages = []
        for message in request.messages:
            content = message["content"]
            if message["role"] == "system":
                own = [next(lines) for _ in range(len(choice_lines(content, [])))]
                content = "\n".join(line for line, name in own if name is None or name in stay)
            messages.append({**message, "content": content})
        return replace(request, messages=messages, choices=kept)
