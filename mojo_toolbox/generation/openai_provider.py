"""Conversations from any OpenAI-compatible server: OpenAI's own, vLLM, llama.cpp, Ollama."""

from __future__ import annotations

from mojo_toolbox.errors import (
    EvaluationError,
    GenerationError,
    ModelError,
    MojoError,
    PredictionError,
    ProviderUnavailableError,
)
from mojo_toolbox.evaluation.routers.chat_completions import seconds_to_wait
from mojo_toolbox.evaluation.routers.chat_models import OpenAIChat
from mojo_toolbox.generation.providers import Messages, Reply

_TOO_MANY, _FIRST_SERVER_ERROR = 429, 500
# A time-out of a server's own, a conflict of locks, too early: OpenAI's client tries these again too.
_WILL_PASS = (408, 409, 425, _TOO_MANY)
_NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout"}


class OpenAIProvider:
    """A model behind OpenAI's chat completions. It tries each request once: who asks decides about the next time."""

    def __init__(
        self, model: str, *, base_url: str | None = None, api_key: str | None = None, timeout: float = 180.0
    ) -> None:
        """Name the model; nothing is sent.

        Args:
            model: as the server calls it.
            base_url: the server's address, mostly with /v1 at the end (OPENAI_BASE_URL, else OpenAI's own).
            api_key: its key (OPENAI_API_KEY); a server on this machine mostly needs none.
            timeout: seconds to wait for an answer; a whole conversation takes longer than a decision.

        Raises:
            ConfigurationError: no key for a server that wants one, no usable address, or no `evaluation` extra.
        """
        self._chat = OpenAIChat(model, base_url=base_url, api_key=api_key, timeout=timeout, max_retries=0)
        self.name = self._chat.name

    def most_tokens(self, max_tokens: int) -> int:
        """Return how long an answer may become with the thoughts before it."""
        return self._chat.most_tokens(max_tokens)

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Ask once.

        Raises:
            ProviderUnavailableError: a rate limit, an error of the server, a lost connection, no answer in time.
            ModelError: the server refuses this chat.
            GenerationError: asking on is of no use: a wrong key, an unknown model, an account used up.
        """
        try:
            said = self._chat.chat(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
        except ModelError as error:
            passing = _passing(error)
            if passing is None:
                raise
            raise passing from error
        except PredictionError as error:
            raise ProviderUnavailableError(str(error), maybe_paid=_was_sent(error)) from error
        except EvaluationError as error:
            raise _unreachable(error) or GenerationError(str(error)) from error
        return Reply(said.content, said.usage, said.cut_off)


def _passing(error: ModelError) -> ProviderUnavailableError | None:
    """Return a refusal that may pass; None for one that stands."""
    if error.status and error.status not in _WILL_PASS and error.status < _FIRST_SERVER_ERROR:
        return None
    from openai import APIStatusError

    # Without a status: a page of a proxy, or half an answer, where a completion was expected.
    cause = error.__cause__
    wait = seconds_to_wait(cause) if isinstance(cause, APIStatusError) else None
    return ProviderUnavailableError(str(error), retry_after=wait, rate_limited=error.status == _TOO_MANY)


def _unreachable(error: EvaluationError) -> ProviderUnavailableError | None:
    """Return a first connection that failed, which may be a server that still starts; None for other errors."""
    from openai import APIConnectionError

    if not isinstance(error.__cause__, APIConnectionError):
        return None
    return ProviderUnavailableError(str(error), maybe_paid=_was_sent(error))


def _was_sent(error: MojoError) -> bool:
    """Whether the server may have read the request before the connection was lost."""
    lost = error.__cause__ and error.__cause__.__cause__
    # By name: openai's client stands on httpx or on httpx2, and to import the other one while lanes ask disturbs it.
    return not _NEVER_SENT & {kind.__name__ for kind in type(lost).__mro__}
