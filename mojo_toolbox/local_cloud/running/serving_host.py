"""Hosts a model's `code/inference.py` on a Unix socket, by the rules of the Hugging Face serving container.

Run by file name in the endpoint's own environment, so it imports nothing of this package. `model_fn`, `input_fn`,
`predict_fn`, `output_fn` or `transform_fn` come from the program. Missing ones default to JSON in and JSON out. Each
may take the toolkit's `context` as a last argument. `/ping` answers 503 until `model_fn` has returned.

The rules and the form of errors are those of sagemaker-huggingface-inference-toolkit 2.6.0 (handler_service.py) on
multi-model-server 1.1.11: a handler's exception becomes status 400, and only `context.set_response_status()` gives another.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import inspect
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MAX_BODY_BYTES = 6 * 1024 * 1024
# Requests answered at once. In the container it is the number of worker processes, each with a model of its own.
_WORKERS_VARIABLE = "SAGEMAKER_MODEL_SERVER_WORKERS"
DEFAULT_WORKERS = 4
_TEXT_TYPES = ("application/json", "application/jsonlines", "text/")
# The arguments of each handler. Every handler may take the context as one argument more.
_ARGUMENTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2, "transform_fn": 4}


class ProgramError(Exception):
    """A program that the toolkit would not load. The message says why."""


@dataclass(frozen=True)
class HandlerReply:
    """The answer to a request."""

    status: int
    body: bytes
    content_type: str


class Context:
    """The context of handlers that ask for it: the model's folder and the request's headers."""

    def __init__(self, model_dir: str, headers: Mapping[str, str]) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None, "batch_size": 1}
        self.manifest: dict[str, Any] = {}
        self._headers = {name.lower(): value for name, value in headers.items()}
        self.response_content_type: str | None = None
        self.response_status: int = HTTPStatus.OK

    def get_request_header(self, idx: int, key: str, default: str | None = None) -> str | None:
        """Return one header of the request."""
        del idx
        return self._headers.get(key.lower(), default)

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        """Return all headers of the request."""
        del idx
        return dict(self._headers)

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Choose the content type of the answer."""
        del idx
        self.response_content_type = value

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Choose the HTTP status of the answer."""
        del phrase, idx
        self.response_status = code


class Program:
    """The handlers of one inference program, with defaults for those it does not define."""

    def __init__(self, module: ModuleType, model_dir: str) -> None:
        self._model_dir = model_dir
        self._handlers = {name: getattr(module, name, None) for name in _ARGUMENTS}
        _require_loadable(self._handlers)
        self._model: Any = None

    def load(self) -> None:
        """Call `model_fn`."""
        if self._handlers["model_fn"]:
            context = Context(self._model_dir, {})
            self._model = _call(self._handlers["model_fn"], [self._model_dir], context)

    def answer(self, body: bytes, headers: Mapping[str, str]) -> HandlerReply:
        """Run one request through the handlers."""
        context = Context(self._model_dir, headers)
        content_type = headers.get("content-type", "application/json")
        accept = headers.get("accept", "")
        # Whoever takes anything gets JSON, as from the toolkits.
        accept = "application/json" if accept in ("", "*/*") else accept
        data = body.decode("utf-8") if content_type.startswith(_TEXT_TYPES) and _is_utf8(body) else body
        if self._handlers["transform_fn"]:
            result = _call(self._handlers["transform_fn"], [self._model, data, content_type, accept], context)
        else:
            parsed = _call(self._handlers["input_fn"] or _default_input, [data, content_type], context)
            prediction = _call(self._handlers["predict_fn"] or _default_predict, [parsed, self._model], context)
            result = _call(self._handlers["output_fn"] or _default_output, [prediction, accept], context)
        content, kind = result if isinstance(result, tuple) and len(result) == 2 else (result, accept)  # noqa: PLR2004
        return HandlerReply(context.response_status, _bytes(content), context.response_content_type or str(kind))


def _require_loadable(handlers: Mapping[str, Any]) -> None:
    """Refuse handlers that the toolkit refuses, on AWS only once the endpoint is in service."""
    given = {name: handler for name, handler in handlers.items() if handler is not None}
    steps = [name for name in ("input_fn", "predict_fn", "output_fn") if name in given]
    if "transform_fn" in given and steps:
        raise ProgramError(f"inference.py defines transform_fn and {', '.join(steps)}: define the one or the others.")
    for name, handler in given.items():
        least = _ARGUMENTS[name]
        parameters = inspect.signature(handler).parameters.values()
        by_place = all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
        if not by_place or len(parameters) not in (least, least + 1):
            raise ProgramError(
                f"{name} takes {least} arguments, or {least + 1} with the context, all of them by place; "
                f"inference.py defines {name}{inspect.signature(handler)}."
            )


def _call(handler: Callable[..., Any], arguments: list[Any], context: Context) -> Any:
    """Call a handler, with the context when it takes one argument more."""
    if len(inspect.signature(handler).parameters) > len(arguments):
        return handler(*arguments, context)
    return handler(*arguments)


def _default_input(data: str | bytes, content_type: str) -> Any:
    if not content_type.startswith("application/json"):
        raise ValueError(f"Content type {content_type} is not supported: send application/json.")
    return json.loads(data)


def _default_predict(data: Any, model: Any) -> Any:
    if not callable(model):
        raise TypeError("inference.py defines neither predict_fn nor transform_fn, and model_fn returned no callable.")
    return model(data)


def _default_output(prediction: Any, accept: str) -> Any:
    del accept
    return json.dumps(prediction, default=_plain), "application/json"


def _plain(value: Any) -> Any:
    """Arrays and tensors as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: define output_fn.")


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    return content.encode() if isinstance(content, str) else json.dumps(content, default=_plain).encode()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _import(program: Path) -> ModuleType:
    # The program's own folder, for the modules next to it.
    sys.path.insert(0, str(program.parent))
    spec = importlib.util.spec_from_file_location(program.stem, program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[program.stem] = module
    spec.loader.exec_module(module)
    return module


class Host:
    """The web application around one program."""

    def __init__(self, program: Path, model_dir: str) -> None:
        self._path = program
        self._model_dir = model_dir
        self._program: Program | None = None
        workers = int(os.environ.get(_WORKERS_VARIABLE) or DEFAULT_WORKERS)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="handler")
        self.application = Starlette(
            routes=[Route("/ping", self._ping), Route("/invocations", self._invocations, methods=["POST"])]
        )

    def load(self) -> None:
        """Import the program and load the model. Ends this process when that fails."""
        try:
            program = Program(_import(self._path), self._model_dir)
            program.load()
        except BaseException:  # noqa: BLE001 - whatever it is, this server will never answer
            traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)
        self._program = program

    async def _ping(self, _: Request) -> Response:
        return Response(status_code=503 if self._program is None else 200)

    async def _invocations(self, request: Request) -> Response:
        if self._program is None:
            return _error(503, "The model is still loading.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return _error(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        run = asyncio.get_running_loop().run_in_executor
        try:
            reply = await run(self._pool, self._program.answer, bytes(body), dict(request.headers))
        except Exception as error:  # noqa: BLE001 - the handlers' errors are answers
            traceback.print_exc()
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        headers = {}
        attributes = request.headers.get("x-amzn-sagemaker-custom-attributes")
        if attributes:
            headers["x-amzn-sagemaker-custom-attributes"] = attributes
        return Response(reply.body, status_code=reply.status, headers={**headers, "content-type": reply.content_type})


def _error(status: int, message: str) -> Response:
    """Answer as multi-model-server does."""
    document = {"code": status, "type": "InternalServerException", "message": message}
    return Response(json.dumps(document, indent=2) + "\n", status_code=status, media_type="application/json")


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--socket", required=True)
    arguments = parser.parse_args()
    host = Host(arguments.program, arguments.model_dir)
    with contextlib.suppress(FileNotFoundError):
        Path(arguments.socket).unlink()
    threading.Thread(target=host.load, daemon=True, name="load").start()
    uvicorn.run(
        host.application,
        uds=arguments.socket,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=2,
        # SageMaker keeps connections for a while. Ours are one request each.
        timeout_keep_alive=5,
    )


if __name__ == "__main__":
    main()
