"""The container's door: SageMaker's handlers around the chat server.

Both the Hugging Face inference toolkit and the local cloud call `model_fn` once, then `input_fn`, `predict_fn` and
`output_fn` for each request. Refusals are exceptions of one line with a `status_code` (400: the request, 500: the model).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from artifact import load_artifact
from chat_request import ChatRequest, parse_chat_request
from chat_server import ChatServer

# SageMaker's adapter components set it; a plain InvokeEndpoint cannot, so the body's `model` means the same.
ADAPTER_HEADER = "X-Amzn-SageMaker-Adapter-Identifier"
DEFAULT_PREFIX_CACHE_BYTES = 512 * 2**20


def model_fn(model_dir: str, context: Any = None) -> ChatServer:  # noqa: ARG001 - the toolkit's signature
    """Load the artifact in `model_dir`."""
    loaded = load_artifact(Path(model_dir))
    return ChatServer(loaded, prefix_cache_bytes=_prefix_cache_bytes())


def input_fn(data: bytes | str, content_type: str = "application/json", context: Any = None) -> ChatRequest:  # noqa: ARG001
    """Check a request's body.

    Raises:
        InvalidRequestError: (status_code 400) it cannot be answered as it stands.
    """
    body = bytes(data) if isinstance(data, bytearray | memoryview) else data
    return parse_chat_request(body, adapter=_adapter_header(context))


def predict_fn(data: ChatRequest, model: ChatServer, context: Any = None) -> dict[str, Any]:  # noqa: ARG001
    """Answer a checked request.

    Raises:
        InvalidRequestError: (status_code 400) it does not fit the model: too long, an unknown adapter.
        ModelFailureError: (status_code 500) the model computes NaN.
    """
    return model.answer(data)


def output_fn(prediction: dict[str, Any], accept: str = "application/json", context: Any = None) -> str:  # noqa: ARG001
    """Write a reply as JSON, whatever `accept` asks for."""
    return json.dumps(prediction, ensure_ascii=False, allow_nan=False)


def _prefix_cache_bytes() -> int:
    given = os.environ.get("MOJO_PREFIX_CACHE_BYTES", "")
    if not given:
        return DEFAULT_PREFIX_CACHE_BYTES
    if not given.isdecimal():
        raise ValueError(f"MOJO_PREFIX_CACHE_BYTES is {given!r}. Set it to a number of bytes; 0 keeps nothing.")
    return int(given)


def _adapter_header(context: Any) -> str | None:
    """Read the adapter that the request's headers name, from the toolkit's context or a plain one."""
    processors = getattr(context, "request_processor", None)
    if isinstance(processors, list | tuple):
        processors = processors[0] if processors else None
    if processors is not None and hasattr(processors, "get_request_properties"):
        headers = processors.get_request_properties() or {}
        return next((value for name, value in headers.items() if name.lower() == ADAPTER_HEADER.lower()), None) or None
    if hasattr(context, "get_request_header"):
        return context.get_request_header(0, ADAPTER_HEADER) or None
    return None
