"""The container's door: SageMaker's handlers around a language model or an encoder.

Both the Hugging Face inference toolkit and the local cloud call `model_fn` once, then `transform_fn` for each request. A
refusal is an answer too, of one JSON line with a status of its own (400: the request, 500: the model). The toolkit would
answer an exception with status 400, whoever is at fault.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

# Before torch: on CPUs oneDNN keeps compiled code for the last 1,024 shapes of operands. Prompts come in all lengths, so that
# grows to gigabytes, and was no faster (docs/lab-notebook.md).
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

from chat.request import InvalidRequestError, ModelFailureError, parse_chat_request
from servers.loading import load_server
from servers.server import Server

# SageMaker's adapter components set it. A plain InvokeEndpoint cannot, so the body's `model` means the same.
ADAPTER_HEADER = "X-Amzn-SageMaker-Adapter-Identifier"
BAD_REQUEST = 400


_log = logging.getLogger(__name__)


def model_fn(model_dir: str, context: Any = None) -> Server:
    """Load the artifact in `model_dir`, a language model on the GPU that the server chose for this process."""
    use_all_cores()
    return load_server(Path(model_dir), gpu_id=_gpu_id(context))


def transform_fn(
    model: Server,
    data: bytes | str,
    content_type: str = "application/json",  # noqa: ARG001 - the toolkit's signature
    accept: str = "application/json",  # noqa: ARG001 - an answer is JSON, whatever is asked for
    context: Any = None,
) -> str:
    """Answer one request. An impossible request is refused with a status and `{"error": "..."}` in one line."""
    try:
        return answer(model, data, context)
    except (InvalidRequestError, ModelFailureError) as error:
        if not hasattr(context, "set_response_status"):
            raise
        # The phrase is part of the reply's first line, which takes no line breaks and no other characters.
        context.set_response_status(
            error.status_code, "Bad Request" if error.status_code == BAD_REQUEST else "Model Error"
        )
        return json.dumps({"error": str(error)}, ensure_ascii=False) + "\n"


def answer(model: Server, data: bytes | str, context: Any = None) -> str:
    """Answer one request's body with a chat completion in JSON.

    Raises:
        InvalidRequestError: (status_code 400) it cannot be answered as it stands, or does not fit the model: too long, an
            unknown adapter, no choices for an encoder.
        ModelFailureError: (status_code 500) the model computes NaN.
    """
    body = bytes(data) if isinstance(data, bytearray | memoryview) else data
    completion = model.answer(parse_chat_request(body, adapter=_adapter_header(context)))
    return json.dumps(completion, ensure_ascii=False, allow_nan=False)


def use_all_cores() -> None:
    """Compute on all cores where the server said nothing of threads.

    multi-model-server sets OMP_NUM_THREADS to 1 in its worker processes, since it starts one for each core. We run one
    (SAGEMAKER_MODEL_SERVER_WORKERS=1), so all other cores would stay idle.
    """
    if "mms" not in sys.modules or _given_from_outside("OMP_NUM_THREADS"):
        return
    import psutil
    import torch

    torch.set_num_threads(psutil.cpu_count(logical=False) or 1)
    _log.info("Computing with %d threads.", torch.get_num_threads())


def _given_from_outside(variable: str) -> bool:
    """Whether the environment that this process was started with names a variable, whatever was set since."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return True
    return any(entry.startswith(f"{variable}=".encode()) for entry in entries)


def _gpu_id(context: Any) -> int | None:
    """Return the GPU of this worker process, or None if it has none."""
    given = getattr(context, "system_properties", {}).get("gpu_id")
    return None if given is None else int(given)


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
