"""Conversations from a model of one's own: on a SageMaker endpoint, the local cloud's too."""

from __future__ import annotations

from mojo_toolbox.errors import (
    AWSError,
    ConfigurationError,
    EndpointNotFoundError,
    EndpointNotReadyError,
    LocalCloudError,
    ModelError,
    PredictionError,
    ProviderUnavailableError,
)
from mojo_toolbox.evaluation.routers.chat_models import EndpointChat
from mojo_toolbox.generation.providers import Messages, Reply
from mojo_toolbox.model import Model

_TOO_MANY, _FIRST_SERVER_ERROR = 429, 500
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "InternalFailure", "InternalServerError")


class EndpointProvider:
    """A deployed model, asked for plain chat. SageMaker ends an answer at 60 s, so `max_tokens` must fit into them."""

    def __init__(self, model: Model, *, name: str | None = None) -> None:
        """Ask `model`; conversations name it `name`, or as it names itself."""
        self._chat = EndpointChat(model, name=name)
        self.name = self._chat.name

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Ask once.

        Raises:
            ProviderUnavailableError: the endpoint is being made, busy, or gave no answer in time.
            ModelError: the container refuses this chat.
            EndpointNotFoundError: nothing is deployed there.
            EndpointNotReadyError: it failed, or is being deleted.
            AWSError, ConfigurationError, LocalCloudError: the call cannot be made, or AWS refuses it.
        """
        try:
            said = self._chat.chat(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
        except (EndpointNotFoundError, ConfigurationError, LocalCloudError):
            raise
        except AWSError as error:
            if error.code not in _THROTTLED:
                raise
            raise ProviderUnavailableError(str(error), rate_limited="rottl" in error.code) from error
        except EndpointNotReadyError as error:
            if error.is_final:
                raise
            raise ProviderUnavailableError(str(error)) from error
        except ModelError as error:
            if error.status < _FIRST_SERVER_ERROR and error.status != _TOO_MANY:
                raise
            raise ProviderUnavailableError(str(error), rate_limited=error.status == _TOO_MANY) from error
        except PredictionError as error:
            raise ProviderUnavailableError(str(error), maybe_paid=True) from error
        return Reply(said.content, said.usage, said.cut_off)
