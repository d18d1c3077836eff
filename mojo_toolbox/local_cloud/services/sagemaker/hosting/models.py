"""Models and endpoint configurations, kept until an endpoint uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_rules import containers_of
from mojo_toolbox.local_cloud.services.sagemaker.resources.list_operations import list_page
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.services.sagemaker.resources.register import (
    NameTakenError,
    ResourceRecord,
    ResourceRegister,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.s3_transfer import (
    TransferError,
    object_exists,
    prefix_exists,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings
from mojo_toolbox.local_cloud.services.sagemaker.resources.tags import Tags


class _Kept:
    """Create, Describe, List and Delete of one kind of document."""

    kind: str
    noun: str
    key: str
    list_key: str

    def __init__(self, cloud: Surroundings, tags: Tags) -> None:
        self._cloud = cloud
        self._tags = tags
        self.records = ResourceRegister(cloud.database, self.kind)

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Keep the document, or refuse it."""
        name = request[f"{self.key}Name"]
        arn = self._cloud.arn(self.kind, name)
        self.check(request)
        document = {key: value for key, value in request.items() if key not in ("Tags", f"{self.key}Name") and value}
        try:
            with self._cloud.database.transaction():
                self.records.insert(name, document)
                self._tags.set(arn, request.get("Tags", []))
        except NameTakenError as error:
            taken = self._cloud.arn(self.kind, error.name)
            raise refused(f'Cannot create already existing {self.noun} "{taken}".') from None
        return {f"{self.key}Arn": arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the document."""
        record = self.required(request[f"{self.key}Name"])
        return {**self._head(record), **record.document}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page of summaries."""
        return list_page(self.records.all(), request, key=self.list_key, summary=self._head)

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Forget the document. Endpoints that use it go on serving."""
        record = self.required(request[f"{self.key}Name"])
        self.records.delete(record.name)
        self._tags.forget(self._cloud.arn(self.kind, record.name))
        return {}

    def required(self, name: str) -> ResourceRecord:
        """Return a record.

        Raises:
            ServiceError: nothing has that name, in SageMaker's words.
        """
        record = self.records.get(name)
        if record is None:
            arn = self._cloud.arn(self.kind, name)
            raise refused(f'Could not find {self.noun} "{arn}".')
        return record

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuse a document that could never be used."""

    def _head(self, record: ResourceRecord) -> dict[str, Any]:
        return {
            f"{self.key}Name": record.name,
            f"{self.key}Arn": self._cloud.arn(self.kind, record.name),
            "CreationTime": record.created,
        }


class Models(_Kept):
    """CreateModel and its siblings."""

    kind, noun, key, list_key = "model", "model", "Model", "Models"

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeModel."""
        return {"EnableNetworkIsolation": False, **super().describe(request)}

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuse a model of several containers, and model data that is not there."""
        containers = containers_of(request)
        if len(containers) > 1:
            raise refused("The local cloud hosts models of one container, not inference pipelines.")
        for container in containers:
            if container.get("ModelDataUrl"):
                self._check_data(container["ModelDataUrl"], prefix=False)
            for source in (container.get("ModelDataSource", {}), *container.get("AdditionalModelDataSources", [])):
                if "S3DataSource" in source:
                    at = source["S3DataSource"]
                    self._check_data(at["S3Uri"], prefix=at["S3DataType"] == "S3Prefix")

    def _check_data(self, uri: str, *, prefix: bool) -> None:
        store = self._cloud.object_store
        try:
            there = prefix_exists(store, uri) if prefix else object_exists(store, uri)
        except TransferError as error:
            raise refused(str(error)) from None
        if not there:
            raise refused(f"Could not find model data at {uri}.")


class EndpointConfigs(_Kept):
    """CreateEndpointConfig and its siblings."""

    kind, noun, key, list_key = "endpoint-config", "endpoint configuration", "EndpointConfig", "EndpointConfigs"

    def __init__(self, cloud: Surroundings, tags: Tags, models: Models) -> None:
        super().__init__(cloud, tags)
        self._models = models

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuse variants without an existing model, and the capture of data."""
        # SageMaker captures unless a request says no.
        if request.get("DataCaptureConfig", {}).get("EnableCapture", "DataCaptureConfig" in request):
            raise refused(
                "The local cloud does not offer CreateEndpointConfig's DataCaptureConfig: nothing is captured. Leave it "
                "out, set EnableCapture to false, or use AWS."
            )
        for variant in request["ProductionVariants"]:
            name = variant["VariantName"]
            if not variant.get("ModelName"):
                raise refused(
                    f"The production variant {name} has no ModelName: the local cloud has no inference components."
                )
            model = self._models.required(variant["ModelName"]).document
            if "ServerlessConfig" in variant and any("ModelDataSource" in one for one in containers_of(model)):
                raise refused(f"The serverless variant {name} takes no model with a ModelDataSource.")
