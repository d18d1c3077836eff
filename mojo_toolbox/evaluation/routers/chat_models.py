"""Chat models that answer in free text: behind any OpenAI-compatible server, or on an endpoint of ours.

They know nothing of tasks. `prompted.py` makes routers of them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mojo_toolbox.contract import chat_request
from mojo_toolbox.errors import (
    ConfigurationError,
    DataError,
    EvaluationError,
    ModelError,
    MojoError,
    PredictionError,
    PredictionTimeoutError,
)
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.evaluation.routers.chat_completions import (
    MOST_STOPS,
    Completion,
    Messages,
    Structured,
    chosen,
    completion_request,
    read_completion,
    refusal,
    refused_parameter,
    restriction,
    until,
)
from mojo_toolbox.evaluation.routers.question import require_endpoint
from mojo_toolbox.model import Model
from mojo_toolbox.settings import load_settings

if TYPE_CHECKING:
    from openai import OpenAI, OpenAIError

_OPENAI = "https://api.openai.com/v1"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ChatModel(Protocol):
    """A model that answers chats. Threads share it."""

    @property
    def name(self) -> str:
        """The model's name in reports."""

    def chat(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        choices: Sequence[str] | None = None,
        structured: Structured = "choice",
    ) -> Completion:
        """Answer without sampling, up to the first of `stop`.

        With `choices` the answer is one of them, and `structured` says how the request names them to the server.
        """


class EndpointChat:
    """A model on a SageMaker endpoint, the local cloud's too, asked for plain chat."""

    def __init__(self, model: Model, *, name: str | None = None) -> None:
        """Ask `model`. `name` is its name in reports. The default is the model's own."""
        self._model = model
        self.name = model.name if name is None else name

    def require_reachable(self) -> None:
        """Raise if there is no such endpoint, or the caller may not ask it. The model computes nothing."""
        require_endpoint(self._model)

    def chat(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        choices: Sequence[str] | None = None,
        structured: Structured = "choice",
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Completion:
        """Ask once.

        Raises:
            PredictionError: or one of its kinds: there is no answer.
            ConfigurationError: `structured` is "json_schema", which these endpoints do not know.
        """
        if choices is not None and structured != "choice":
            raise ConfigurationError(f'{self.name} knows no {structured}. Use structured="choice".')
        model = self._model
        body = chat_request(
            messages,
            choices=choices,
            max_tokens=max_tokens,
            temperature=temperature,
            adapter=model._adapter,  # noqa: SLF001
        )
        # predict() sends neither stop strings nor seeds, nor choices of a caller's own.
        body |= {"stop": list(stop[:MOST_STOPS])} if stop else {}
        body |= {} if seed is None else {"seed": seed}
        reply, _, _ = model._chat(body)  # noqa: SLF001
        content = until(reply.content, stop)
        used_up = choices is None and reply.usage.completion_tokens >= max_tokens
        probability = (reply.choice_probabilities or {}).get(content)
        return Completion(content, reply.usage, cut_off=used_up and content == reply.content, probability=probability)


class OpenAIChat:
    """A model behind OpenAI's chat completions: OpenAI's own, or any server that speaks them (vLLM, llama.cpp, Ollama)."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        max_retries: int = 3,
        seed: int = 0,
        reasoning_tokens: int = 4096,
        name: str | None = None,
    ) -> None:
        """Name the model. Nothing is sent.

        Args:
            model: the server's name for it.
            base_url: the server's address, mostly with /v1 at the end (OPENAI_BASE_URL, else OpenAI's own).
            api_key: its key (OPENAI_API_KEY). A server on this machine rarely needs one.
            timeout: seconds to wait for an answer, each time it is tried.
            max_retries: how often to try again after a lost connection, a time-out, a rate limit or a server's error.
            seed: the seed, for servers that sample even at temperature 0.
            reasoning_tokens: room for the thoughts of models that think before they answer, on top of the answer's own.
            name: the name in reports. The default is the model.

        Raises:
            ConfigurationError: no key for a server that wants one, no usable address, or no `evaluation` extra.
        """
        settings = load_settings(openai_base_url=base_url, openai_api_key=api_key)
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
        url = settings.openai_base_url or _OPENAI
        _check_access(url, key)
        self.name = model if name is None else name
        self._model = model
        self._key = key
        # For messages: without the password or the key that it may contain.
        self._where = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2], query="").geturl()
        self._seed = seed
        self._reasoning_tokens = reasoning_tokens
        self._client = _client(url, key, timeout=timeout, max_retries=max_retries)
        weakref.finalize(self, self._client.close)
        self._learning = threading.Lock()
        self._left_out: frozenset[str] = frozenset()
        self._answered = False

    def require_reachable(self) -> None:
        """Raise if there is no server, or it refuses the key. The model gets no question.

        Raises:
            EvaluationError: as in `chat()`.
        """
        import openai

        try:
            self._client.with_options(max_retries=0).models.with_raw_response.list()
        except openai.AuthenticationError as error:
            raise refusal(error, {}, name=self.name, where=self._where, secret=self._key) from error
        except (openai.APIStatusError, openai.APITimeoutError):
            return  # somebody is there: not every server lists its models
        except openai.APIConnectionError as error:
            raise self._failure(error) from error

    def chat(
        self,
        messages: Messages,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        choices: Sequence[str] | None = None,
        structured: Structured = "choice",
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Completion:
        """Ask once. If the model refuses a parameter, later requests omit it. `seed` defaults to the model's own.

        Raises:
            EvaluationError: asking is of no use: a wrong key, an unknown model, an account used up, no server.
            ModelError: the server answered an error, such as a rate limit or a conversation beyond the context.
            PredictionTimeoutError: no answer in time.
            PredictionError: the connection was lost.
        """
        while True:
            request = completion_request(
                messages,
                model=self._model,
                max_tokens=max_tokens,
                stop=stop,
                seed=self._seed if seed is None else seed,
                temperature=temperature,
                left_out=self._left_out,
                reasoning_tokens=self._reasoning_tokens,
            )
            if choices is not None:
                request |= restriction(choices, structured)
            completion = self._ask(request)
            if completion is not None:
                break
        content = until(completion.content, stop)
        if choices is not None and structured == "json_schema":
            content = chosen(content)
        return Completion(content, completion.usage, completion.cut_off)

    def most_tokens(self, max_tokens: int) -> int:
        """Return how long an answer may become with its thoughts. A model that was never asked may think."""
        thinks = not self._answered or "max_tokens" in self._left_out
        return max_tokens + (self._reasoning_tokens if thinks else 0)

    def _ask(self, request: dict[str, Any]) -> Completion | None:
        """Send it. Return None if the model refuses a parameter, which later requests omit."""
        import openai

        try:
            completion = read_completion(self._client.chat.completions.create(**request))
        except openai.APIStatusError as error:
            parameter = refused_parameter(error, request)
            if parameter is None:
                raise refusal(error, request, name=self.name, where=self._where, secret=self._key) from error
            with self._learning:
                self._left_out |= {parameter}
            return None
        except openai.OpenAIError as error:
            raise self._failure(error) from error
        except UnicodeEncodeError as error:
            raise DataError(
                f"a text holds half of a surrogate pair ({error.reason}): send whole characters."
            ) from error
        except ValueError as error:
            raise ModelError(
                f"{self.name} answered {error}. Is {self._where} the address?", endpoint_name=self.name
            ) from error
        self._answered = True
        return completion

    def _failure(self, error: OpenAIError) -> MojoError:
        """Return the error for a request without any answer."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return PredictionTimeoutError(f"{self.name} did not answer in time.", endpoint_name=self.name)
        cause = error.__cause__ or error
        reason = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
        if not self._answered:
            return EvaluationError(f"{self._where} cannot be reached: {reason}. Does the server run?")
        return PredictionError(f"{self.name} could not be reached: {reason}", endpoint_name=self.name)


def _check_access(url: str, key: str) -> None:
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise ConfigurationError(f"The address {url!r:.100} is no http:// or https:// address of a server (base_url).")
    if not key and url == _OPENAI:
        raise ConfigurationError(
            "OpenAI wants a key: set OPENAI_API_KEY, or give base_url, the address of another server."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError("The key (OPENAI_API_KEY) holds a blank, a line break or a letter that no key has.")


def _client(url: str, key: str, *, timeout: float, max_retries: int) -> OpenAI:
    with needed_for("Asking chat models", extra="evaluation"):
        from openai import DefaultHttpxClient, OpenAI
    # A company's proxy does not lead to this machine's loopback.
    http = DefaultHttpxClient(trust_env=urlsplit(url).hostname not in _LOOPBACK)
    # The client reads the environment itself for a key that is empty.
    return OpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=max_retries, http_client=http)
