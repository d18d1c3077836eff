"""SageMaker as far as it is executed here: training jobs, models, configurations, endpoints and their tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.running.environments import Environments
from mojo_toolbox.local_cloud.running.processes import sweep
from mojo_toolbox.local_cloud.services.logs.service import LogsService
from mojo_toolbox.local_cloud.services.sagemaker.checked_request import checked
from mojo_toolbox.local_cloud.services.sagemaker.hosting.hosted_endpoints import Endpoints
from mojo_toolbox.local_cloud.services.sagemaker.hosting.invocations import Invocations
from mojo_toolbox.local_cloud.services.sagemaker.hosting.models import EndpointConfigs, Models
from mojo_toolbox.local_cloud.services.sagemaker.resources.leftovers import remove_leftovers
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.services.sagemaker.resources.short_paths import clear_short_paths
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import (
    Folders,
    ObjectAccess,
    Surroundings,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.tags import Tags
from mojo_toolbox.local_cloud.services.sagemaker.search import answered_by_moto, refuse_search
from mojo_toolbox.local_cloud.services.sagemaker.training.training_jobs import TrainingJobs
from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID, REGION
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import AccessKey
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.json_protocol import json_answer
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.threads import in_thread

# AWS's own limits: a job is killed so long after SIGTERM, an invocation is answered within that time.
STOP_GRACE_SECONDS = 120.0
INVOCATION_SECONDS = 60.0
# The one operation of SageMaker's data services that moto remembers something by: a trial component's metrics.
_PUT_METRICS = "/BatchPutMetrics"
# Operations that would scale something. The others describe, or take back.
_SCALES = ("RegisterScalableTarget", "PutScalingPolicy", "PutScheduledAction")
_INVOCATION = re.compile(
    r"/endpoints/(?P<name>[^/]+)/(?P<kind>invocations|invocations-response-stream|async-invocations)"
)
_OURS = ("training-job", "model", "endpoint-config", "endpoint")


class SageMakerService:
    """Answers SageMaker's operations that run something, or describe running things. moto answers the others."""

    def __init__(  # noqa: PLR0917 - the order of the rooms below
        self,
        database: CloudDatabase,
        logs: LogsService,
        object_store: ObjectAccess,
        home: Folders,
        endpoint_url: str,
        credentials: AccessKey,
        *,
        region: str = REGION,
        account_id: str = ACCOUNT_ID,
        stop_grace_seconds: float = STOP_GRACE_SECONDS,
        invocation_seconds: float = INVOCATION_SECONDS,
    ) -> None:
        owner = str(home.jobs_dir.parent.resolve())
        self._cloud = cloud = Surroundings(
            database=database,
            logs=logs,
            object_store=object_store,
            folders=home,
            environments=Environments(home.environments_dir, owner=owner),
            endpoint_url=endpoint_url,
            credentials=credentials,
            region=region,
            account_id=account_id,
            stop_grace_seconds=stop_grace_seconds,
            invocation_seconds=invocation_seconds,
        )
        self._tags = Tags(database, self._exists)
        self._jobs = TrainingJobs(cloud, self._tags)
        self._models = Models(cloud, self._tags)
        self._configs = EndpointConfigs(cloud, self._tags, self._models)
        self._endpoints = Endpoints(cloud, self._tags, self._models, self._configs)
        self._invocations = Invocations(cloud, self._endpoints)
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "CreateTrainingJob": self._jobs.create,
            "DescribeTrainingJob": self._jobs.describe,
            "ListTrainingJobs": self._jobs.list,
            "StopTrainingJob": self._jobs.stop,
            "DeleteTrainingJob": self._jobs.delete,
            "CreateModel": self._models.create,
            "DescribeModel": self._models.describe,
            "ListModels": self._models.list,
            "DeleteModel": self._models.delete,
            "CreateEndpointConfig": self._configs.create,
            "DescribeEndpointConfig": self._configs.describe,
            "ListEndpointConfigs": self._configs.list,
            "DeleteEndpointConfig": self._configs.delete,
            "CreateEndpoint": self._endpoints.create,
            "DescribeEndpoint": self._endpoints.describe,
            "ListEndpoints": self._endpoints.list,
            "UpdateEndpoint": self._endpoints.update,
            "UpdateEndpointWeightsAndCapacities": self._endpoints.update_weights,
            "DeleteEndpoint": self._endpoints.delete,
            "Search": refuse_search,
        }
        self._tag_operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "AddTags": self._tags.add,
            "ListTags": self._tags.list,
            "DeleteTags": self._tags.remove,
        }

    async def answer_invocation(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the requests to an endpoint's address, as SageMaker Runtime does."""
        found = _INVOCATION.fullmatch(incoming.request.path)
        if incoming.service != "sagemaker" or found is None:
            return None
        name, headers, body = found["name"], incoming.request.headers, incoming.content
        if found["kind"] == "async-invocations":
            return self._invocations.refuse_async(name)
        if found["kind"] == "invocations-response-stream":
            return await self._invocations.invoke_stream(name, headers, body)
        return await self._invocations.invoke(name, headers, body)

    async def answer(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the operations that run something here, or describe it. moto has the records of the others.

        Raises:
            ServiceError: it is refused, with SageMaker's code and words.
        """
        return await in_thread(self._answer, incoming) if incoming.service == "sagemaker" else None

    async def check_scaling(self, incoming: Incoming) -> None:
        """Refuse to scale an endpoint that is not there, before moto takes down how it is to be scaled.

        Raises:
            ServiceError: another service's resource, or there is no such endpoint or variant.
        """
        if incoming.service == "application-autoscaling" and incoming.operation in _SCALES:
            await in_thread(self._check_scalable, incoming)

    def _answer(self, incoming: Incoming) -> HttpAnswer | None:
        if "x-amz-target" in incoming.request.headers:
            document = incoming.document()
            if self.handles(incoming.operation, document):
                return json_answer(self.handle(incoming.operation, document), incoming.request)
        elif incoming.request.path != _PUT_METRICS:
            # moto would answer for endpoints that it has never heard of.
            message = f"The local cloud does not offer {incoming.request.path}."
            raise ServiceError("UnknownOperationException", message, 404)
        return None

    def handles(self, operation: str, request: dict[str, Any] | None = None) -> bool:
        """Whether this operation is answered here. Tags are where the ARN in `request` names something of ours."""
        if operation in self._tag_operations:
            return request is None or self._names_ours(str(request.get("ResourceArn", "")))
        if operation == "Search":
            return request is None or not answered_by_moto(request)
        return operation in self._operations

    def handle(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request. A write is on disk when this returns.

        Raises:
            ServiceError: it is refused, with SageMaker's code and words.
        """
        execute = self._operations.get(operation) or self._tag_operations[operation]
        return execute(checked(operation, request))

    def _check_scalable(self, incoming: Incoming) -> None:
        request = incoming.document()
        resource = str(request.get("ResourceId", ""))
        kind, _, rest = resource.partition("/")
        name, _, variant = rest.partition("/variant/")
        if request.get("ServiceNamespace") != "sagemaker":
            raise refused(f"The local cloud scales nothing of {request.get('ServiceNamespace')}, only of sagemaker.")
        if kind != "endpoint" or not self._endpoints.has_variant(name, variant):
            message = f"The local cloud has no {resource} that could be scaled (endpoint/NAME/variant/VARIANT)."
            new = incoming.operation == "RegisterScalableTarget"
            raise ServiceError("ValidationException" if new else "ObjectNotFoundException", message)

    def recover(self) -> None:
        """Take up the state of an earlier local cloud: end its processes, fail its jobs, serve its endpoints."""
        sweep(self._cloud.owner)
        clear_short_paths(self._cloud.owner)
        endpoints = {record.name for record in self._endpoints.records.all()}
        remove_leftovers(self._cloud.folders, endpoints=endpoints)
        self._jobs.recover()
        self._endpoints.recover()

    def shutdown(self) -> None:
        """End every child process. Jobs that ran are Failed, endpoints come back with the next start."""
        self._jobs.shutdown()
        self._endpoints.shutdown()
        self._invocations.close()
        clear_short_paths(self._cloud.owner)

    def _names_ours(self, arn: str) -> bool:
        return _resource(arn)[0] in _OURS

    def _exists(self, arn: str) -> bool:
        kind, name = _resource(arn)
        rooms = {
            "training-job": self._jobs.records,
            "model": self._models.records,
            "endpoint-config": self._configs.records,
            "endpoint": self._endpoints.records,
        }
        return kind in rooms and self._cloud.arn(kind, name) == arn and rooms[kind].get(name) is not None


def _resource(arn: str) -> tuple[str, str]:
    """Return kind and name: the ARN's last part is `model/name`."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return kind, name
