"""Requests that need no execution (IAM, scaling policies, model packages, …): moto answers, and a journal keeps them."""

from __future__ import annotations

import datetime as dt
import importlib
import logging
import random
import secrets
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import unquote

from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.services.moto.model_checks import check_for_moto
from mojo_toolbox.local_cloud.services.moto.record_rules import check_against_records
from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID, REGION
from mojo_toolbox.local_cloud.state.acknowledged import AcknowledgedChange, AcknowledgedChanges
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.threads import in_thread

_log = logging.getLogger(__name__)

# Services that moto answers from its memory alone, and that people meet next to SageMaker.
SERVICES = frozenset({"application-autoscaling", "iam", "sagemaker"})
_READS = ("Get", "List", "Describe", "Search", "BatchGet", "BatchDescribe", "Lookup", "Simulate", "Query", "Generate")
# moto may make these: records that need no execution. It would call anything else done at once.
_REMEMBERED = frozenset(
    [
        "CreateExperiment",
        "CreateModelCard",
        "CreateModelPackage",
        "CreateModelPackageGroup",
        "CreateNotebookInstanceLifecycleConfig",
        "CreatePipeline",
        "CreateTrial",
        "CreateTrialComponent",
    ]
)
_MAKES = ("Create", "Start", "Retry")


class MotoBridge:
    """moto, imported and brought up to date at the first request for it. One request at a time."""

    def __init__(self, database: CloudDatabase) -> None:
        self._journal = AcknowledgedChanges(database)
        self._lock = threading.RLock()
        self._application: Any = None

    async def answer(self, incoming: Incoming) -> HttpAnswer:
        """Answer one request. A change is on disk before it is acknowledged.

        Raises:
            ServiceError: the service or operation is not offered.
        """
        return await in_thread(self._answer, incoming)

    def _answer(self, incoming: Incoming) -> HttpAnswer:
        request, body, verified, operation = incoming.request, incoming.content, incoming.verified, incoming.operation
        if verified.service not in SERVICES:
            raise ServiceError(
                "UnknownOperationException", f"The local cloud does not offer the service {verified.service}."
            )
        if verified.service == "sagemaker" and operation.startswith(_MAKES) and operation not in _REMEMBERED:
            raise ServiceError(
                "ValidationException", f"The local cloud does not execute {operation}: it needs AWS itself."
            )
        members = check_for_moto(verified.service, operation, request, body)
        entry = AcknowledgedChange(
            time=time.time(),
            seed=secrets.token_hex(32),
            method=request.method,
            path=unquote(request.raw_path),
            query="&".join(pair for pair in request.raw_query.split("&") if not pair.startswith("X-Amz-")),
            content_type=request.headers.get("content-type", ""),
            target=request.headers.get("x-amz-target", ""),
            # moto reads region, service and user from it. The signature itself has been checked and is not kept.
            # It keeps each region's records apart: the local cloud serves all regions alike, so it knows one.
            authorization=f"AWS4-HMAC-SHA256 Credential={verified.key.access_key_id}/20000101/{REGION}/"
            f"{verified.service}/aws4_request, SignedHeaders=host, Signature=0",
            body=body,
        )
        with self._lock:
            self._load()
            check_against_records(verified.service, operation, members)
            try:
                status, media, content = self._ask(entry)
            except NotImplementedError as error:
                code = "InvalidAction" if verified.service == "iam" else "UnknownOperationException"
                raise ServiceError(code, f"The local cloud does not offer {operation}.") from error
            except Exception as error:
                self._forget()
                raise _refusal(operation, error, verified.service) from error
            if status < 300 and not operation.startswith(_READS):  # noqa: PLR2004
                self._keep(entry)
        return HttpAnswer(status, {"content-type": media, "x-amzn-requestid": request.request_id}, content)

    def iam_key(self, access_key_id: str) -> tuple[str, str, str] | None:
        """Return (secret, ARN, user id) of an active access key of an IAM user."""
        with self._lock:
            if not self._journal:
                return None
            self._load()
            from moto.iam.models import iam_backends

            for user in iam_backends[ACCOUNT_ID]["aws"].users.values():
                for key in user.access_keys:
                    if key.access_key_id == access_key_id and key.status == "Active":
                        return key.secret_access_key, user.arn, user.id
        return None

    def _load(self) -> None:
        if self._application is not None:
            return
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._application = DomainDispatcherApplication(create_backend_app)
        for entry in self._journal.entries():
            status, _, content = self._ask(_in_the_one_region(entry))
            if status >= 300:  # noqa: PLR2004
                # Another version of moto may refuse a request that an earlier one took: the rest is still worth having.
                _log.warning("moto refuses what it once took (%s %s): %s", entry.target, entry.path, content[:300])

    def _keep(self, entry: AcknowledgedChange) -> None:
        try:
            self._journal.append(entry)
        except BaseException:
            # It is not acknowledged, so it must not be.
            self._forget()
            raise

    def _forget(self) -> None:
        """Drop everything that moto holds in memory. The next request starts from the journal again."""
        from moto.core.model_instances import reset_model_data

        reset_model_data()
        _reset_backends()
        self._application = None

    def _ask(self, entry: AcknowledgedChange) -> tuple[int, str, bytes]:
        from werkzeug.test import run_wsgi_app

        environ: dict[str, Any] = {
            "REQUEST_METHOD": entry.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": entry.path.encode("utf-8").decode("latin-1"),
            "QUERY_STRING": entry.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": entry.authorization,
            "CONTENT_TYPE": entry.content_type,
            "CONTENT_LENGTH": str(len(entry.body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(entry.body),
            "wsgi.errors": StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if entry.target:
            environ["HTTP_X_AMZ_TARGET"] = entry.target
        with _same_chance_and_time(entry):
            content, status, headers = run_wsgi_app(self._application, environ, buffered=True)
        return int(status.split()[0]), headers.get("content-type", "application/json"), b"".join(content)


def _in_the_one_region(entry: AcknowledgedChange) -> AcknowledgedChange:
    """Return an entry as it would be kept today. Earlier ones have the region that their client signed for."""
    key, date, _, service, rest = entry.authorization.split("/", 4)
    return replace(entry, authorization=f"{key}/{date}/{REGION}/{service}/{rest}")


def _refusal(operation: str, error: Exception, service: str) -> ServiceError:
    """Return what to answer where moto fails inside: it looks things up without asking whether they are there."""
    _log.warning("moto cannot answer %s", operation, exc_info=error)
    if isinstance(error, KeyError):
        code, status = ("NoSuchEntity", 404) if service == "iam" else ("ResourceNotFound", 400)
        return ServiceError(code, f"{operation}: the local cloud has no {str(error)[:200]}.", status)
    code = "ValidationError" if service == "iam" else "ValidationException"
    return ServiceError(code, f"The local cloud's moto cannot answer this {operation}: {str(error)[:200]}")


@contextmanager
def _same_chance_and_time(entry: AcknowledgedChange) -> Iterator[None]:
    """Let moto draw the same ids and read the same clock whenever it gets this entry."""
    from moto.moto_api._internal import mock_random

    # Every date that moto writes comes from this module's utcnow().
    clock: Any = importlib.import_module("moto.core.utils")
    real = clock.datetime

    class Frozen(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Frozen:
            return cls.fromtimestamp(entry.time, tz)

    mock_random.seed(entry.seed)
    random.seed(entry.seed)
    clock.datetime = types.SimpleNamespace(**{**vars(real), "datetime": Frozen})
    try:
        yield
    finally:
        clock.datetime = real
        # Nobody may foresee the next numbers from earlier answers.
        mock_random.seed()
        random.seed()


def _reset_backends() -> None:
    from moto.backends import get_backend

    for service in ("iam", "sts", "applicationautoscaling", "sagemaker"):
        for regions in get_backend(service).values():
            for backend in regions.values():
                backend.reset()
