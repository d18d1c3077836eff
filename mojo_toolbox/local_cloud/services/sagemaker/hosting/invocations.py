"""InvokeEndpoint: an endpoint's answer, or the error that AWS gives in its place."""

from __future__ import annotations

import asyncio
import binascii
import json
import random
import struct
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.hosting.deployment import Deployment
from mojo_toolbox.local_cloud.services.sagemaker.hosting.hosted_endpoints import Endpoints
from mojo_toolbox.local_cloud.services.sagemaker.hosting.invocation_headers import Invocation, read_invocation
from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_server import (
    LOG_GROUP_PREFIX,
    ContainerReply,
    ModelServer,
    NotReadyError,
)
from mojo_toolbox.local_cloud.services.sagemaker.hosting.serverless import ServerlessConcurrency
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

MAX_BODY_BYTES = 6 * 1024 * 1024
INVOCATIONS_AT_ONCE = 64
_PASSED_BACK = (
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-new-session-id",
    "x-amzn-sagemaker-closed-session-id",
)
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each "
    "container in Amazon CloudWatch, resolve the issue, and try again."
)


class Invocations:
    """Finds the server of an endpoint, asks it, and words errors as AWS does."""

    def __init__(self, cloud: Surroundings, endpoints: Endpoints) -> None:
        self._cloud = cloud
        self._endpoints = endpoints
        self._seconds = cloud.invocation_seconds
        self._pool = ThreadPoolExecutor(INVOCATIONS_AT_ONCE, thread_name_prefix="invocation")
        self._serverless = ServerlessConcurrency()

    async def invoke(self, name: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Answer one invocation. Never raises for an endpoint's fault."""
        return await self._in_thread("InvokeEndpoint", name, headers, body)

    def refuse_async(self, name: str) -> HttpAnswer:
        """Refuse one asynchronous invocation."""
        if self._endpoints.serving(name) is None:
            return _refused(self._not_found(name))
        return _refused(
            f"Endpoint {name} is no asynchronous endpoint: the local cloud has no asynchronous inference. Use "
            "InvokeEndpoint, or AWS."
        )

    async def invoke_stream(self, name: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Answer one invocation as an event stream. The container's whole answer is its one event."""
        answer = await self._in_thread("InvokeEndpointWithResponseStream", name, headers, body)
        if answer.status != HTTPStatus.OK or not isinstance(answer.body, bytes):
            return answer
        stream_headers = {
            "content-type": "application/vnd.amazon.eventstream",
            "x-amzn-sagemaker-content-type": answer.headers["content-type"],
        }
        kept = {key: value for key, value in answer.headers.items() if key != "content-type"}
        return HttpAnswer(answer.status, {**kept, **stream_headers}, _event(answer.body))

    def close(self) -> None:
        """Take no more invocations."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, operation: str, name: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._invoke, operation, name, headers, body)

    def _not_found(self, name: str) -> str:
        return f"Endpoint {name} of account {self._cloud.account_id} not found."

    def _invoke(self, operation: str, name: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        deployment = self._endpoints.serving(name)
        if deployment is None:
            return _refused(self._not_found(name))
        if len(body) > MAX_BODY_BYTES:
            return _refused(
                f"Request {len(body)} bytes is too large for the InvokeEndpoint operation: at most {MAX_BODY_BYTES}.",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        try:
            asked = read_invocation(operation, name, headers)
            variant = _chosen_variant(name, deployment, asked)
        except ServiceError as error:
            return _refused(error.message)
        with self._serverless.place(name, variant, most=_most_at_once(deployment, variant)) as free:
            if not free:
                return _error(HTTPStatus.BAD_REQUEST, "ThrottlingException", {"Message": "Rate exceeded"})
            return self._ask(name, variant, deployment.servers[variant], asked.passed_on, body)

    def _ask(self, name: str, variant: str, server: ModelServer, passed: Mapping[str, str], body: bytes) -> HttpAnswer:
        started = time.monotonic()
        try:
            reply = server.ask(body, passed, timeout=self._seconds)
        except TimeoutError:
            return self._model_error(name, server, 0, _TIMED_OUT)
        except NotReadyError:
            if time.monotonic() - started >= self._seconds:
                return self._model_error(name, server, 0, _TIMED_OUT)
            message = "The model's server ended and is being started again. Its log says why."
            return self._model_error(name, server, HTTPStatus.SERVICE_UNAVAILABLE, message)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return self._model_error(name, server, reply.status, reply.body.decode("utf-8", "replace"))
        return HttpAnswer(reply.status, _answer_headers(variant, reply), reply.body)

    def _model_error(self, name: str, server: ModelServer, status: int, message: str) -> HttpAnswer:
        kind = "client" if 400 <= status < 500 else "server"  # noqa: PLR2004 - HTTP's classes
        region = self._cloud.region
        where = (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={LOG_GROUP_PREFIX}{name} in account {self._cloud.account_id} for more information."
        )
        return _error(
            HTTPStatus.FAILED_DEPENDENCY,
            "ModelError",
            {
                "Message": f'Received {kind} error ({int(status)}) from primary with message "{message}". See {where}',
                "OriginalMessage": message,
                "OriginalStatusCode": int(status),
                "LogStreamArn": server.log_stream_arn,
            },
        )


def _chosen_variant(endpoint: str, deployment: Deployment, asked: Invocation) -> str:
    if asked.session and not asked.variant and len(deployment.servers) > 1:
        raise refused("The local cloud keeps a session on one variant: say which with TargetVariant.")
    variant = asked.variant or _weighted_choice(deployment)
    if variant not in deployment.servers:
        raise refused(f"Variant {variant} not found for endpoint {endpoint}.")
    return variant


def _most_at_once(deployment: Deployment, variant: str) -> int | None:
    """Return a serverless variant's MaxConcurrency."""
    (config,) = (one["Serverless"] for one in deployment.plan["Variants"] if one["VariantName"] == variant)
    return int(config["MaxConcurrency"]) if config else None


def _weighted_choice(deployment: Deployment) -> str:
    variants = deployment.plan["Variants"]
    weights = [variant["Weight"] for variant in variants]
    if not any(weights):
        weights = [1] * len(variants)
    return str(random.choices(variants, weights)[0]["VariantName"])


def _answer_headers(variant: str, reply: ContainerReply) -> dict[str, str]:
    kept = {name: reply.headers[name] for name in _PASSED_BACK if name in reply.headers}
    return {
        "content-type": reply.headers.get("content-type", "application/octet-stream"),
        "x-amzn-invoked-production-variant": variant,
        **kept,
    }


def _refused(message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> HttpAnswer:
    return _error(status, "ValidationError", {"Message": message})


def _error(status: int, code: str, document: dict[str, Any]) -> HttpAnswer:
    headers = {"content-type": "application/json", "x-amzn-errortype": code}
    # Clients of older protocols look for `message`.
    body = {"__type": code, "message": document["Message"], **document}
    return HttpAnswer(int(status), headers, json.dumps(body).encode())


def _event(payload: bytes) -> bytes:
    """Frame a payload as AWS's event stream does: lengths and headers, each part with its checksum."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!BH", 7, len(value)) + value
        for name, value in (
            (b":event-type", b"PayloadPart"),
            (b":content-type", b"application/octet-stream"),
            (b":message-type", b"event"),
        )
    )
    total = 12 + len(headers) + len(payload) + 4
    prelude = struct.pack("!II", total, len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", binascii.crc32(message))
