"""What the page's scripts send, checked before anything is done with it."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from mojo_toolbox.data import Message, Task
from mojo_toolbox.data.conversations import Label, Text, describe
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.review.records import LONGEST_NOTE, LONGEST_REASON, Action

# A conversation of 200 long turns has less than a tenth of this.
_MAX_BODY_BYTES = 4 * 1024 * 1024
# Made by the page; sent again, it counts once.
Key = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[\w-]+$")]
# What databases call an integer.
Number = Annotated[int, Field(ge=0, lt=2**31)]
# NaN is none: JSON could not say it again to those who are shown it.
Share = Annotated[float, Field(ge=0, le=1)]
_Body = TypeVar("_Body", bound=BaseModel)


class DecisionBody(BaseModel):
    """One of the four actions on a conversation."""

    model_config = ConfigDict(extra="forbid")

    item: Number
    version: Number
    action: Action
    labels: dict[Number, Label] = Field(default_factory=dict)
    note: Annotated[Text, Field(max_length=LONGEST_NOTE)] = ""
    reason: Annotated[Text, Field(max_length=LONGEST_REASON)] = ""
    key: Key
    database: str | None = None
    """Which one the page shows, as `state` names it; left out, whichever is served."""


class BackBody(BaseModel):
    """BACK, or whatever else needs no more than its key."""

    model_config = ConfigDict(extra="forbid")

    key: Key
    database: str | None = None


class LeaveBody(BackBody):
    """LEAVE UNDECIDED, on a conversation that an admin settles."""

    item: Number


class TurnBody(BaseModel):
    """A playground's chat so far, the user's new turn last; earlier user turns bear their decision as `task`."""

    model_config = ConfigDict(extra="forbid")

    messages: tuple[Message, ...] = Field(min_length=1)
    tasks: tuple[Task, ...] = Field(min_length=1)


class CorrectionBody(TurnBody):
    """A playground's chat in which a person has said what is right at the messages with the indexes `judged`."""

    chat: Key
    judged: tuple[int, ...] = Field(min_length=1)
    decisions: dict[Number, tuple[Label, Share | None]] = Field(default_factory=dict)
    """What the router answered, with its probability."""


async def read(request: Request, kind: type[_Body]) -> _Body:
    """Return a request's body as `kind`.

    Raises:
        DataError: it is too large, no JSON, or something else.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise DataError("send JSON, with content-type application/json.")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BODY_BYTES:
            raise DataError(f"the request is larger than {_MAX_BODY_BYTES // 1024**2} MB.")
    try:
        return kind.model_validate(_document(bytes(content)))
    except ValidationError as error:
        raise DataError(f"this request cannot be used: {sentence(describe(error))}") from error


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the request is no JSON: {error}.") from error
