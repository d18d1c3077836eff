"""Endpoints: created, updated with the new servers ready before the switch, deleted, served again after a restart."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.hosting.deployment import Deployment, variant_summary
from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_server import FAILURE_LENGTH, ServerFailedError
from mojo_toolbox.local_cloud.services.sagemaker.hosting.models import EndpointConfigs, Models
from mojo_toolbox.local_cloud.services.sagemaker.hosting.plans import (
    Plan,
    change_variants,
    limit_execution,
    make_plan,
    require_updatable,
    retain_properties,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.list_operations import list_page
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.services.sagemaker.resources.register import (
    NameTakenError,
    ResourceRecord,
    ResourceRegister,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings
from mojo_toolbox.local_cloud.services.sagemaker.resources.tags import Tags

# The servers that answer invocations: an endpoint that is being updated serves on with its old servers.
_SERVING = ("InService", "Updating")


class Endpoints:
    """CreateEndpoint and its siblings, and the running servers."""

    def __init__(self, cloud: Surroundings, tags: Tags, models: Models, configs: EndpointConfigs) -> None:
        self._cloud = cloud
        self._tags = tags
        self._models = models
        self._configs = configs
        self.records = ResourceRegister(cloud.database, "endpoint")
        self._lock = threading.Lock()
        self._live: dict[str, Deployment] = {}
        self._coming: dict[str, Deployment] = {}
        self._retiring: set[Deployment] = set()
        self._threads: set[threading.Thread] = set()
        self._closing = threading.Event()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateEndpoint: answers at once, the endpoint is Creating until its servers answer."""
        name = request["EndpointName"]
        arn = self._cloud.arn("endpoint", name)
        plan = make_plan(request["EndpointConfigName"], self._configs, self._models)
        private = {"plan": plan, "pending": None}
        document = {**_document(plan), **_deployment_document(request)}
        try:
            with self._cloud.database.transaction():
                self.records.insert(name, document, status="Creating", private=private)
                self._tags.set(arn, request.get("Tags", []))
        except NameTakenError as error:
            taken = self._cloud.arn("endpoint", error.name)
            raise refused(f'Cannot create already existing endpoint "{taken}".') from None
        self._begin(self._deploy, name, plan)
        return {"EndpointArn": arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeEndpoint."""
        record = self._required(request)
        answer = {
            "EndpointName": record.name,
            "EndpointArn": self._cloud.arn("endpoint", record.name),
            "EndpointStatus": record.status,
            "CreationTime": record.created,
            "LastModifiedTime": record.modified,
            **record.document,
        }
        if record.status in _SERVING:
            variants = record.private["plan"]["Variants"]
            answer["ProductionVariants"] = [variant_summary(variant) for variant in variants]
        return answer

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListEndpoints."""
        return list_page(
            self.records.all(),
            request,
            key="Endpoints",
            summary=lambda record: {
                "EndpointName": record.name,
                "EndpointArn": self._cloud.arn("endpoint", record.name),
                "EndpointStatus": record.status,
                "CreationTime": record.created,
                "LastModifiedTime": record.modified,
            },
        )

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdateEndpoint: the old servers answer until the new ones do. If those fail, the old ones stay."""
        name = request["EndpointName"]
        self._required(request)
        plan = make_plan(request["EndpointConfigName"], self._configs, self._models)

        def edit(record: ResourceRecord) -> None:
            self._require_settled(record)
            require_updatable(record.private["plan"], plan, guarded="DeploymentConfig" in request)
            if request.get("RetainAllVariantProperties"):
                retain_properties(
                    record.private["plan"],
                    plan,
                    excluded={
                        one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", [])
                    },
                )
            record.status = "Updating"
            record.private["pending"] = plan
            record.document.pop("FailureReason", None)
            record.document.update(_deployment_document(request))
            retained = record.document.get("LastDeploymentConfig") if request.get("RetainDeploymentConfig") else None
            limit_execution(plan, request.get("DeploymentConfig") or retained)

        self._change(name, edit)
        self._begin(self._switch, name, plan)
        return {"EndpointArn": self._cloud.arn("endpoint", name)}

    def update_weights(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdateEndpointWeightsAndCapacities: weights and concurrency count at once, instance counts are only noted."""
        name = request["EndpointName"]
        self._required(request)

        def edit(record: ResourceRecord) -> None:
            self._require_settled(record)
            change_variants(record.private["plan"], request["DesiredWeightsAndCapacities"])

        record = self._change(name, edit)
        with self._lock:
            if name in self._live:
                self._live[name].plan = record.private["plan"]
        return {"EndpointArn": self._cloud.arn("endpoint", name)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteEndpoint: answers at once, the endpoint is Deleting until its servers have ended."""
        name = request["EndpointName"]
        self._required(request)

        def edit(record: ResourceRecord) -> None:
            if record.status == "Deleting":
                raise refused(
                    f'Cannot update in-progress endpoint "{self._cloud.arn("endpoint", name)}".',
                )
            record.status = "Deleting"

        self._change(name, edit)
        self._begin(self._remove, name)
        return {}

    def serving(self, name: str) -> Deployment | None:
        """Return the servers that answer for an endpoint, or None if nothing is in service."""
        record = self.records.get(name)
        if record is None or record.status not in _SERVING:
            return None
        with self._lock:
            return self._live.get(name)

    def has_variant(self, name: str, variant: str) -> bool:
        """Whether there is an endpoint with a variant of that name."""
        record = self.records.get(name)
        return record is not None and any(one["VariantName"] == variant for one in record.private["plan"]["Variants"])

    def recover(self) -> None:
        """Serve the endpoints that were in service again, and go on with unfinished changes."""
        for record in self.records.all():
            plan, pending = record.private["plan"], record.private["pending"]
            self._clear_folders(record)
            if record.status in _SERVING:
                deployment = Deployment(self._cloud, record.name, plan)
                deployment.start(keep_trying=True)
                self._live[record.name] = deployment
            if record.status == "Creating":
                self._begin(self._deploy, record.name, plan)
            elif record.status == "Updating" and pending:
                self._begin(self._switch, record.name, pending)
            elif record.status == "Deleting":
                self._begin(self._remove, record.name)

    def shutdown(self) -> None:
        """End all servers. The records stay as they are, so that the next start serves again."""
        self._closing.set()
        with self._lock:
            deployments = [*self._live.values(), *self._coming.values(), *self._retiring]
            threads = list(self._threads)
        # All at once: each has some seconds of grace.
        stoppers = [threading.Thread(target=deployment.stop) for deployment in deployments]
        for stopper in stoppers:
            stopper.start()
        for thread in (*stoppers, *threads):
            thread.join()

    def _deploy(self, name: str, plan: Plan) -> None:
        deployment = Deployment(self._cloud, name, plan)
        failure = self._bring_up(name, deployment)
        if self._closing.is_set():
            return
        if failure:
            deployment.stop(remove=True)
        taken = False

        def edit(record: ResourceRecord) -> None:
            nonlocal taken
            # Deleted meanwhile, and perhaps another one of this name made.
            if record.status != "Creating" or record.private["plan"]["Id"] != plan["Id"]:
                return
            if failure:
                record.status = "Failed"
                record.document["FailureReason"] = failure
                return
            record.status = "InService"
            taken = True
            with self._lock:
                self._live[name] = deployment

        self.records.change(name, edit)
        if not taken:
            deployment.stop(remove=True)

    def _switch(self, name: str, plan: Plan) -> None:
        new = Deployment(self._cloud, name, plan)
        failure = self._bring_up(name, new)
        if self._closing.is_set():
            return
        retired: Deployment | None = new

        def edit(record: ResourceRecord) -> None:
            nonlocal retired
            pending = record.private["pending"]
            if record.status != "Updating" or not pending or pending["Id"] != plan["Id"]:
                return
            record.private["pending"] = None
            record.status = "InService"
            if failure:
                record.document["FailureReason"] = failure
                return
            record.private["plan"] = plan
            record.document = {**_document(plan), **_kept(record.document)}
            with self._lock:
                retired, self._live[name] = self._live.get(name), new

        self.records.change(name, edit)
        if retired is None:
            return
        with self._lock:
            self._retiring.add(retired)
        retired.stop(drain=True, remove=True)
        with self._lock:
            self._retiring.discard(retired)

    def _remove(self, name: str) -> None:
        with self._lock:
            deployments = [self._live.pop(name, None), self._coming.get(name)]
        for deployment in deployments:
            if deployment is not None:
                deployment.stop()
        if self._closing.is_set():
            return
        shutil.rmtree(self._cloud.folders.endpoints_dir / name, ignore_errors=True)
        self.records.delete(name)
        self._tags.forget(self._cloud.arn("endpoint", name))

    def _bring_up(self, name: str, deployment: Deployment) -> str:
        """Start servers and wait for them. Returns why they failed, nothing when they answer."""
        with self._lock:
            self._coming[name] = deployment
        try:
            deployment.start()
            deployment.wait_ready()
        except ServerFailedError as error:
            return str(error)[:FAILURE_LENGTH]
        except Exception as error:  # noqa: BLE001 - an endpoint must end in a state, whatever happened
            return f"{type(error).__name__}: {error}"[:FAILURE_LENGTH]
        finally:
            with self._lock:
                if self._coming.get(name) is deployment:
                    del self._coming[name]
        return ""

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            try:
                work(*arguments)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, daemon=True, name=f"endpoint {work.__name__}")
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _clear_folders(self, record: ResourceRecord) -> None:
        """Remove the files that half-made or superseded deployments unpacked."""
        plans = [record.private["plan"], record.private["pending"]]
        kept = {plan["Id"] for plan in plans if plan}
        folder = self._cloud.folders.endpoints_dir / record.name
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _change(self, name: str, edit: Callable[[ResourceRecord], None]) -> ResourceRecord:
        record = self.records.change(name, edit)
        return record if record is not None else self._required({"EndpointName": name})

    def _required(self, request: Mapping[str, Any]) -> ResourceRecord:
        name = request["EndpointName"]
        record = self.records.get(name)
        if record is None:
            raise refused(f'Could not find endpoint "{self._cloud.arn("endpoint", name)}".')
        return record

    def _require_settled(self, record: ResourceRecord) -> None:
        arn = self._cloud.arn("endpoint", record.name)
        if record.status == "Failed":
            raise refused(f'Cannot update endpoint "{arn}" in status Failed: delete and create it again.')
        if record.status != "InService":
            raise refused(f'Cannot update in-progress endpoint "{arn}".')


def _document(plan: Plan) -> dict[str, Any]:
    document: dict[str, Any] = {"EndpointConfigName": plan["ConfigName"]}
    capture = plan["Config"].get("DataCaptureConfig")
    if capture:
        document["DataCaptureConfig"] = {
            "EnableCapture": capture.get("EnableCapture", False),
            "CaptureStatus": "Stopped",
            "CurrentSamplingPercentage": capture.get("InitialSamplingPercentage", 0),
            "DestinationS3Uri": capture.get("DestinationS3Uri", ""),
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    return document


def _kept(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in ("LastDeploymentConfig",) if key in document}


def _deployment_document(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"LastDeploymentConfig": request["DeploymentConfig"]} if request.get("DeploymentConfig") else {}
