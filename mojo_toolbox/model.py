"""The programmer's door: ask a deployed model."""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

from pydantic import BaseModel, ValidationError

from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.invocation import MAX_BODY_BYTES, invoke_endpoint
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.contract import ENCODER_REFUSAL, ChatReply, Usage, chat_request, parse_chat_reply
from mojo_toolbox.data import Message, Task
from mojo_toolbox.data.conversations import Text, describe
from mojo_toolbox.data.keys import CHAT_TURN
from mojo_toolbox.errors import ConfigurationError, DataError, InvalidAnswerError, ModelError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.names import ModelKey
from mojo_toolbox.purposes.routing.prompt import UNKNOWN, Unknown, require_text, routing_prompt
from mojo_toolbox.purposes.routing.session import RoutingSession
from mojo_toolbox.settings import CloudService, load_settings, require_names

_FILTER = "A chat is asked with text. Keep those messages: [m for m in messages if isinstance(m.get('content'), str)]"
# The sum of many probabilities in floating point may be a little more than 1.
_MOST_LIKELY = 1 + 1e-6


@dataclass(frozen=True)
class Decision:
    """Which task is in charge now."""

    task: str | None
    """One of the tasks given. None says that no listed task is wanted."""
    probabilities: dict[str | None, float] | None
    """One for each task and for None, summing to 1. The field is None if the server gives no probabilities."""
    latency_ms: float
    """From sending the request to having the answer, in milliseconds."""
    usage: Usage
    request_id: str
    abstained: bool = False
    """Whether `probability` is below the `abstain_below` that was given. `task` is still the likeliest answer."""

    @property
    def probability(self) -> float | None:
        """The answer's probability, or None if the server gives no probabilities."""
        return None if self.probabilities is None else self.probabilities.get(self.task)


@dataclass(frozen=True)
class ChatAnswer:
    """A plain chat reply."""

    content: str
    latency_ms: float
    usage: Usage
    request_id: str


@dataclass(frozen=True)
class ServerReply:
    """A server's reply: the body, and the id of the request for its operator."""

    body: bytes
    request_id: str


class Model(ABC):
    """A deployed model, wherever it runs. Safe to share between threads."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The model's name in errors."""

    @abstractmethod
    def _ask(self, body: bytes) -> ServerReply:
        """Send one request, and raise a PredictionError when there is no answer."""

    @overload
    def predict(
        self,
        messages: Sequence[Message | Mapping[str, Any]],
        *,
        tasks: Sequence[Task | Mapping[str, Any]],
        previous: str | Unknown | None = UNKNOWN,
        abstain_below: float | None = None,
    ) -> Decision: ...

    @overload
    def predict(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tasks: None = None,
        max_tokens: int = 128,
        temperature: float = 0.0,
    ) -> ChatAnswer: ...

    def predict(
        self,
        messages: Sequence[Message | Mapping[str, Any]],
        *,
        tasks: Sequence[Task | Mapping[str, Any]] | None = None,
        previous: str | Unknown | None = UNKNOWN,
        abstain_below: float | None = None,
        max_tokens: int = 128,
        temperature: float = 0.0,
    ) -> Decision | ChatAnswer:
        """Ask the model once: for the task in charge after the last message, or without `tasks` for a chat reply.

        Args:
            messages: `{"role": …, "content": …}`, oldest first, the user's last. When routing, an earlier user message's
                `task` (a name or None) is the decision that was given then. Without the key it is unknown.
            tasks: `{"name": …, "description": …}` of each task that the assistant can do now.
            previous: the decision at the last earlier user turn, in short form. None means "no task". Leave it out if unknown.
            abstain_below: mark the decision as `abstained` if its probability is below this number from 0 to 1.
                `Report.threshold(precision=…)` finds one.
            max_tokens: the longest chat reply, in tokens. A decision is as long as its name.
            temperature: the temperature of a chat reply. 0 takes the likeliest token each time.

        Raises:
            DataError: messages or tasks that cannot be asked, such as an empty last message.
            ConfigurationError: `abstain_below` is not a probability, or the server gives no probabilities.
            EndpointNotFoundError: nothing is deployed under this name.
            EndpointNotReadyError: the endpoint exists but is not ready (`status`), or it failed (`reason`).
            ModelError: the container answered an error.
            PredictionTimeoutError: no answer within a minute.
            InvalidAnswerError: the answer is not one of the tasks.
        """
        _check_threshold(abstain_below)
        if tasks is None:
            routing = {"previous": not isinstance(previous, Unknown), "abstain_below": abstain_below is not None}
            for name in (name for name, given in routing.items() if given):
                raise ConfigurationError(f"{name}= belongs to routing; give tasks= too, or leave it out.")
            reply, request_id, latency = self._plain_chat(_chat_body(messages, max_tokens, temperature, self._adapter))
            return ChatAnswer(reply.content, latency, reply.usage, request_id)
        prompt = routing_prompt(messages, tasks, previous=previous)
        body = chat_request(prompt.messages, choices=prompt.choices, adapter=self._adapter)
        reply, request_id, latency = self._chat(body)
        if reply.content not in prompt.choices:
            raise InvalidAnswerError(
                f"{self.name} answered {reply.content[:80]!r}, which is not one of the {len(prompt.choices)} choices. "
                "Its server may not support constrained choices.",
                endpoint_name=self.name,
                request_id=request_id,
                answer=reply.content,
                choices=prompt.choices,
            )
        probabilities = reply.choice_probabilities
        decision = Decision(
            task=prompt.decisions[reply.content],
            probabilities=None
            if probabilities is None
            else {prompt.decisions.get(choice, choice): p for choice, p in probabilities.items()},
            latency_ms=latency,
            usage=reply.usage,
            request_id=request_id,
        )
        return decision if abstain_below is None else self._abstaining(decision, abstain_below)

    def _abstaining(self, decision: Decision, below: float) -> Decision:
        if decision.probability is None:
            raise ConfigurationError(
                f"{self.name} gives no probabilities, so abstain_below={below} has nothing to compare with. Leave it out, or "
                "serve the model with the toolbox's own container."
            )
        # NaN is below nothing: a broken model would never abstain.
        if not 0 <= decision.probability <= _MOST_LIKELY:
            raise ModelError(
                f"{self.name} gives its answer the probability {decision.probability}, which is none.",
                endpoint_name=self.name,
                request_id=decision.request_id,
            )
        return replace(decision, abstained=decision.probability < below)

    def session(
        self, *, tasks: Sequence[Task | Mapping[str, Any]], abstain_below: float | None = None
    ) -> RoutingSession[Decision]:
        """Begin a conversation that is routed turn by turn. It keeps its messages and decisions. Nothing is sent yet.

        With `abstain_below` a turn whose answer is less likely is `abstained`, and is not kept as a decision.

        Raises:
            DataError: tasks that cannot be listed.
            ConfigurationError: `abstain_below` is not a probability.
        """
        _check_threshold(abstain_below)

        def ask(messages: Sequence[Mapping[str, Any]], *, tasks: Sequence[Task | Mapping[str, Any]]) -> Decision:
            return self.predict(messages, tasks=tasks, abstain_below=abstain_below)

        return RoutingSession(ask, tasks)

    @property
    def _adapter(self) -> str | None:
        """The adapter to ask for, on a server that has several."""
        return None

    def _plain_chat(self, request: Mapping[str, Any]) -> tuple[ChatReply, str, float]:
        try:
            return self._chat(request)
        except ModelError as error:
            if ENCODER_REFUSAL not in error.container_message:
                raise
            raise ModelError(
                f"{self.name} is an encoder router: it chooses among tasks, and writes no replies. Give tasks=…",
                endpoint_name=self.name,
                request_id=error.request_id,
                status=error.status,
                container_message=error.container_message,
                handled=error.handled,
            ) from error

    def _chat(self, request: Mapping[str, Any]) -> tuple[ChatReply, str, float]:
        try:
            body = json.dumps(request, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"a text holds half of a surrogate pair ({error.reason}): send whole characters."
            ) from error
        except TypeError as error:
            raise DataError(f"the request cannot be written as JSON: {error}.") from error
        if len(body) > MAX_BODY_BYTES:
            raise DataError(
                f"the request has {len(body) / 1e6:.1f} MB; SageMaker takes {MAX_BODY_BYTES / 1e6:.1f} MB. "
                "Send fewer or shorter messages."
            )
        started = time.perf_counter()
        answer = self._ask(body)
        latency = (time.perf_counter() - started) * 1000
        try:
            return parse_chat_reply(answer.body), answer.request_id, latency
        except ValueError as error:
            raise ModelError(
                f"{self.name} answered something that is no chat completion: {answer.body[:200]!r}",
                endpoint_name=self.name,
                request_id=answer.request_id,
                container_message=answer.body[:1000].decode(errors="replace"),
            ) from error


class AWSModel(Model):
    """A model on a SageMaker endpoint, or with `cloud_service="local"` on this machine's local cloud."""

    def __init__(
        self,
        *,
        product: str | None = None,
        model_id: str | None = None,
        task: str | None = None,
        stage: str | None = None,
        region_name: str | None = None,
        cloud_service: CloudService | None = None,
        adapter: str | None = None,
        api_auth_token: str | None = None,
        home: Path | str | None = None,
    ) -> None:
        """Name the endpoint. Nothing is sent and nothing looked up: the endpoint's name follows from the arguments.

        Args:
            product: the application that asks. If you leave it out, MOJO_PRODUCT or `mojo.toml` gives it.
            model_id: the fine-tuned model's name, with defaults as for `product`.
            task: the model's purpose, such as "routing", with defaults as for `product`.
            stage: "dev", "prod" or another. MOJO_STAGE or `mojo.toml` can change the default, "dev".
            region_name: the AWS region. If you leave it out, the environment gives it.
            cloud_service: "aws" (the default) or "local".
            adapter: which adapter to ask, on an endpoint that has several.
            api_auth_token: reserved for the gateway of a later version. Today it is an error to give one.
            home: the local cloud's folder (MOJO_HOME, else `~/.mojo`).

        Raises:
            ConfigurationError: a setting that cannot be used.
            InvalidNameError: a part of the name that cannot be used.
        """
        if api_auth_token:
            raise ConfigurationError(
                "api_auth_token is for the API gateway of a later version; this one signs requests with AWS credentials. "
                "Leave it out."
            )
        settings = load_settings(cloud_service=cloud_service, region_name=region_name, home=home)
        self._session = Session(settings)
        key = ModelKey(**require_names(settings, product=product, task=task, model_id=model_id))
        stage = settings.stage if stage is None else stage
        self._name = names.endpoint_name(key, stage)
        self._about_name = names.about_hash(key, stage)
        self._adapter_name = adapter

    def __repr__(self) -> str:
        return f"AWSModel({self._name!r})"

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self._name

    @property
    def _adapter(self) -> str | None:
        return self._adapter_name

    def _ask(self, body: bytes) -> ServerReply:
        answer, request_id = invoke_endpoint(self._session, self._name, body, about_name=self._about_name)
        return ServerReply(body=answer, request_id=request_id)


class _ChatTurn(BaseModel):
    """A message of a plain chat, with whatever role its server knows."""

    role: Text
    content: Text


def _chat_body(
    messages: Sequence[Message | Mapping[str, Any]], max_tokens: int, temperature: float, adapter: str | None
) -> dict[str, Any]:
    if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable) or not messages:
        raise DataError(
            'messages must be a list such as [{"role": "user", "content": "…"}], with at least one message.'
        )
    if not isinstance(max_tokens, int) or max_tokens < 1:
        raise DataError(f"max_tokens={max_tokens!r} must be a whole number of at least 1.")
    if not isinstance(temperature, int | float) or not 0 <= temperature < math.inf:
        raise DataError(f"temperature={temperature!r} must be a number of at least 0.")
    plain = []
    for number, message in enumerate(messages, start=1):
        given = message.model_dump() if isinstance(message, Message) else message
        try:
            turn = _ChatTurn.model_validate(given)
        except ValidationError as error:
            no_text = isinstance(given, Mapping) and not isinstance(given.get("content"), str)
            hint = f" {_FILTER}" if no_text else ""
            raise DataError(f"messages cannot be used: message {number}: {describe(error)}.{hint}") from error
        if problem := CHAT_TURN.dropped(given):
            raise DataError(f"messages cannot be used: message {number}: {sentence(problem)}")
        plain.append(turn.model_dump())
    if plain[-1]["role"] == "user":
        require_text(plain[-1]["content"])
    return chat_request(plain, max_tokens=max_tokens, temperature=temperature, adapter=adapter)


def _check_threshold(given: object) -> None:
    # True is a number to Python, and NaN is neither above nor below anything.
    if given is not None and (isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1):
        raise ConfigurationError(f"abstain_below={given!r:.80} must be a number from 0 to 1.")
