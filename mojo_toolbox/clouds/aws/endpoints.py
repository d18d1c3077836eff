"""The handle on an endpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from mojo_toolbox import contract
from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.existing_endpoints import look_around, place
from mojo_toolbox.clouds.aws.invocation import invoke_endpoint
from mojo_toolbox.clouds.aws.requests import Request
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.waiting import Deadline
from mojo_toolbox.errors import (
    AccessDeniedError,
    AWSError,
    EndpointFailedError,
    EndpointNotFoundError,
    ModelError,
    NotFoundError,
    PredictionError,
)
from mojo_toolbox.progress import progress_bar

# How long a model may take to load after its server is up: a large base model is downloaded first.
_LOADING_SECONDS = 1800.0
# Every other status (Creating, Updating, RollingBack, …) is on its way.
_SETTLED = frozenset({"InService", "Failed", "OutOfService", "UpdateRollbackFailed"})


@dataclass(frozen=True)
class Deletion:
    """The things that `delete()` removed, and those that it could not remove, with the reason."""

    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    absence: str = ""
    """What to say where nothing was there: the name that was looked for."""

    def attempt(self, what: str, action: Callable[[], object]) -> None:
        """Run a deletion. A missing thing counts as neither removed nor failed."""
        try:
            action()
        except NotFoundError:
            return
        except AWSError as error:
            self.failed[what] = str(error)
            return
        self.removed.append(what)

    def __str__(self) -> str:
        lines = [f"removed {what}" for what in self.removed]
        lines += [f"NOT removed: {what} ({reason})" for what, reason in self.failed.items()]
        return "\n".join(lines) or f"nothing was there to remove. {self.absence}".rstrip()


class Endpoint:
    """An endpoint of a product, task, model_id and stage. Every property asks AWS anew."""

    def __init__(
        self,
        session: Session,
        name: str,
        *,
        version_base: str,
        expected_config: str | None = None,
        about_name: str = "",
    ) -> None:
        """Name the endpoint. `version_base` begins the names of all its models and configurations.

        Errors about a missing endpoint end with `about_name`.
        """
        self._session = session
        self.name = name
        self._version_base = version_base
        self._expected_config = expected_config
        self.about_name = f" {about_name}" if about_name else ""
        """The end, after a blank, of an error about a missing endpoint."""

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    def describe(self) -> dict[str, Any]:
        """Return DescribeEndpoint's answer.

        Raises:
            NotFoundError: there is no such endpoint. The message lists those that exist.
        """
        try:
            return self._session.call("sagemaker", "describe_endpoint", EndpointName=self.name)
        except NotFoundError as error:
            facts = {"code": error.code, "operation": error.operation, "request_id": error.request_id}
            raise NotFoundError(self._absence(), **facts) from error

    def _absence(self) -> str:
        """Return the error of a missing endpoint, with the list of existing ones."""
        found = look_around(self._session, self.name)
        if found.status:  # listed still, or already
            return f"AWS lists the endpoint {self.name!r} as {found.status}, but does not describe it. Ask again in a moment."
        return f"There is no endpoint {self.name!r} {place(self._session)}.{self.about_name}{found}"

    @property
    def status(self) -> str:
        """Creating, Updating, InService, Failed, Deleting and the like."""
        return str(self.describe()["EndpointStatus"])

    def status_if_there(self) -> str | None:
        """Return the status, or None if there is no such endpoint."""
        try:
            return self.status
        except NotFoundError:
            return None

    @property
    def failure_reason(self) -> str | None:
        """Why it failed, or why its newest version did not start, in AWS's words. None if neither did."""
        return self.describe().get("FailureReason")

    def removable(self) -> list[str]:
        """Return the things that `delete()` would remove now. The list is empty if no such stage was ever deployed."""
        try:
            found = [] if self.status == "Deleting" else [f"endpoint {self.name}"]
        except NotFoundError:
            found = []
        configs = self._versions("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName")
        models = self._versions("list_models", "Models", "ModelName")
        return [
            *found,
            *(f"endpoint configuration {name}" for name in configs),
            *(f"model {name}" for name in models),
        ]

    def wait(self, *, progress: bool = True, timeout: float | None = None) -> Endpoint:
        """Wait until the endpoint answers with the deployed model, then remove the versions before it.

        SageMaker calls an endpoint InService as soon as its server is up. The model may take minutes more to load. So
        this asks one question and waits for its answer. A caller without the permission to invoke endpoints waits for
        InService alone.

        Raises:
            EndpointFailedError: it failed, its model did not load, or AWS rolled back to the version before.
            WaitTimeoutError: it is not ready after `timeout` seconds. AWS goes on with it.
        """
        deadline = Deadline(timeout)
        with progress_bar(f"Endpoint {self.name}", show=progress) as report:

            def look() -> dict[str, Any]:
                found = self.describe()
                report(text=found["EndpointStatus"])
                return found

            description = deadline.until_settled(
                look,
                status="EndpointStatus",
                settled=_SETTLED,
                what=f"Endpoint {self.name!r}",
                pause=0.3 if self._session.is_local else 10.0,
            )
            self._require_served(description)
            status = description["EndpointStatus"]
            report(text=f"{status}, loading the model")
            self._await_answer(deadline)
            report(done=1, total=1, text=status)
        self.remove_versions(before=description["EndpointConfigName"])
        return self

    def _await_answer(self, deadline: Deadline) -> None:
        """Ask a first question until the model answers it, or refuses it in words of its own."""
        body = json.dumps(contract.first_question()).encode()
        last_try = time.monotonic() + _LOADING_SECONDS
        while True:
            try:
                invoke_endpoint(self._session, self.name, body)
            except AccessDeniedError:
                return
            except EndpointNotFoundError:
                raise
            except PredictionError as error:
                by_request = isinstance(error, ModelError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
                handled = isinstance(error, ModelError) and error.handled
                if handled and by_request:
                    return
                # multi-model-server answers 400 when the model could not be loaded, and 5xx while it tries again.
                failed = handled or by_request
                if failed or time.monotonic() > last_try:
                    raise EndpointFailedError(
                        f"Endpoint {self.name!r} is InService, but its model does not answer: {error}\n"
                        f"Logs: mojo logs {self.name}{self._session.cli_option}",
                        endpoint_name=self.name,
                        reason=str(error),
                    ) from error
                loading = f"Endpoint {self.name!r} is InService, but its model is still loading."
                deadline.pause(0.3 if self._session.is_local else 5.0, still=loading)
            else:
                return

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Yield the lines of all containers, oldest first. With `follow` they do not end."""
        newest, seen = 0, set[str]()
        while True:
            for event in self._log_events(since=newest):
                if event["eventId"] not in seen:
                    # Lines of several containers may share a millisecond: those of the newest one are asked for again.
                    seen = seen if event["timestamp"] == newest else set()
                    newest = event["timestamp"]
                    seen.add(event["eventId"])
                    yield str(event["message"]).rstrip("\n")
            if not follow:
                return
            time.sleep(0.5 if self._session.is_local else 5.0)

    def _log_events(self, *, since: int) -> Iterator[dict[str, Any]]:
        group = f"/aws/sagemaker/Endpoints/{self.name}"
        try:
            for page in self._session.pages("logs", "filter_log_events", logGroupName=group, startTime=since):
                yield from page["events"]
        except NotFoundError:
            return  # the group is there from the first line on

    def delete(self) -> Deletion:
        """Remove the endpoint, its configurations and its models. The artifacts in S3 stay.

        AWS takes a while to end the instances: until then the endpoint is listed as Deleting.
        """
        deletion = Deletion(absence=f"There is no endpoint {self.name!r}.{self.about_name}")
        deletion.attempt(f"endpoint {self.name}", self._delete_endpoint)
        self.remove_versions(deletion=deletion)
        return deletion

    def _delete_endpoint(self) -> None:
        found = self._session.call("sagemaker", "describe_endpoint", EndpointName=self.name)
        if found["EndpointStatus"] == "Deleting":
            raise NotFoundError(f"Endpoint {self.name!r} is being deleted already.")
        self._session.call("sagemaker", "delete_endpoint", EndpointName=self.name)

    def remove_failed(self) -> None:
        """Remove the endpoint if it failed: AWS cannot update it, and its name is wanted."""
        if self.status_if_there() in {"Failed", "OutOfService"}:
            self._session.call("sagemaker", "delete_endpoint", EndpointName=self.name)

    def take_back(self, request: Request) -> None:
        """Remove the things that a failed deployment has made."""
        deletion = Deletion()
        if request.operation == "CreateEndpointConfig":
            name = request.parameters["EndpointConfigName"]
            self._remove(deletion, "endpoint configuration", "delete_endpoint_config", EndpointConfigName=name)
        elif request.operation == "CreateModel":
            self._remove(deletion, "model", "delete_model", ModelName=request.parameters["ModelName"])

    def remove_versions(self, *, before: str | None = None, deletion: Deletion | None = None) -> Deletion:
        """Remove this endpoint's configurations and models: all, or those older than the version named `before`.

        A newer one is another process's, which is deploying it just now.
        """
        deletion = deletion or Deletion()

        def unwanted(name: str) -> bool:
            return before is None or names.version_time(name) < names.version_time(before)

        for name in filter(unwanted, self._versions("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName")):
            self._remove(deletion, "endpoint configuration", "delete_endpoint_config", EndpointConfigName=name)
        for name in filter(unwanted, self._versions("list_models", "Models", "ModelName")):
            self._remove(deletion, "model", "delete_model", ModelName=name)
        return deletion

    def _remove(self, deletion: Deletion, what: str, operation: str, **name: str) -> None:
        (value,) = name.values()
        deletion.attempt(f"{what} {value}", lambda: self._session.call("sagemaker", operation, **name))

    def _versions(self, operation: str, rows: str, name: str) -> list[str]:
        begin = f"{self._version_base}--"
        pages = self._session.pages("sagemaker", operation, NameContains=begin)
        taken = [str(row[name]) for page in pages for row in page[rows]]
        # NameContains matches anywhere. Only a name that begins so and goes on with one version is ours.
        return [n for n in taken if n.startswith(begin) and "--" not in n.removeprefix(begin)]

    def _require_served(self, description: Mapping[str, Any]) -> None:
        status, config = description["EndpointStatus"], description.get("EndpointConfigName")
        reason = description.get("FailureReason", "no reason was given")
        if status != "InService":
            raise EndpointFailedError(
                f"Endpoint {self.name!r} is {status}: {reason}\nLogs: mojo logs {self.name}{self._session.cli_option}",
                endpoint_name=self.name,
                reason=reason,
            )
        if self._expected_config is None or config == self._expected_config:
            return
        if config is not None and names.version_time(config) > names.version_time(self._expected_config):
            raise EndpointFailedError(
                f"Endpoint {self.name!r} serves {config}: another deployment, begun after this one, took its place.",
                endpoint_name=self.name,
                reason="superseded",
            )
        raise EndpointFailedError(
            f"Endpoint {self.name!r} went back to {config} because the new version did not start: {reason}\n"
            f"The old version still answers. Logs: mojo logs {self.name}{self._session.cli_option}",
            endpoint_name=self.name,
            reason=reason,
        )
