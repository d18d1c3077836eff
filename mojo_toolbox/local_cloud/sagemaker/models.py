"""Models and endpoint configurations: what is kept until an endpoint uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.protocol import ServiceError
from mojo_toolbox.local_cloud.sagemaker.cloud import Cloud
from mojo_toolbox.local_cloud.sagemaker.listing import list_page
from mojo_toolbox.local_cloud.sagemaker.records import NameTakenError, Record, Records
from mojo_toolbox.local_cloud.sagemaker.s3_transfer import TransferError, object_exists
from mojo_toolbox.local_cloud.sagemaker.tags import Tags


class _Kept:
    """Create, Describe, List and Delete of one kind of document."""

    kind: str
    noun: str
    key: str
    list_key: str

    def __init__(self, cloud: Cloud, tags: Tags) -> None:
        self._cloud = cloud
        self._tags = tags
        self.records = Records(cloud.database, self.kind)

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
        except NameTakenError:
            raise ServiceError("ValidationException", f'Cannot create already existing {self.noun} "{arn}".') from None
        return {f"{self.key}Arn": arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the document."""
        record = self.required(request[f"{self.key}Name"])
        return {**self._head(record), **record.document}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page of summaries."""
        return list_page(self.records.all(), request, key=self.list_key, summary=self._head)

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Forget the document; endpoints that use it go on serving."""
        record = self.required(request[f"{self.key}Name"])
        self.records.delete(record.name)
        self._tags.forget(self._cloud.arn(self.kind, record.name))
        return {}

    def required(self, name: str) -> Record:
        """Return a record.

        Raises:
            ServiceError: there is none of that name, in SageMaker's words.
        """
        record = self.records.get(name)
        if record is None:
            arn = self._cloud.arn(self.kind, name)
            raise ServiceError("ValidationException", f'Could not find {self.noun} "{arn}".')
        return record

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuse a document that could never be used."""

    def _head(self, record: Record) -> dict[str, Any]:
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
        """Refuse a model without containers, and model data that is not there."""
        containers = containers_of(request)
        if not containers:
            raise ServiceError("ValidationException", "A model needs a PrimaryContainer or Containers.")
        for container in containers:
            if not any(container.get(key) for key in ("Image", "ModelPackageName", "InferenceSpecificationName")):
                raise ServiceError("ValidationException", "A container needs an Image.")
            source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
            uris = [container.get("ModelDataUrl"), source.get("S3Uri") if _is_object(source) else None]
            for uri in filter(None, uris):
                self._check_data(uri)

    def _check_data(self, uri: str) -> None:
        try:
            there = object_exists(self._cloud.object_store, uri)
        except TransferError as error:
            raise ServiceError("ValidationException", str(error)) from None
        if not there:
            raise ServiceError("ValidationException", f"Could not find model data at {uri}.")


class EndpointConfigs(_Kept):
    """CreateEndpointConfig and its siblings."""

    kind, noun, key, list_key = "endpoint-config", "endpoint configuration", "EndpointConfig", "EndpointConfigs"

    def __init__(self, cloud: Cloud, tags: Tags, models: Models) -> None:
        super().__init__(cloud, tags)
        self._models = models

    def check(self, request: Mapping[str, Any]) -> None:
        """Refuse variants without an existing model, an instance type or a name of their own."""
        if request.get("AsyncInferenceConfig"):
            raise ServiceError("ValidationException", "The local cloud has no asynchronous inference.")
        variants = request["ProductionVariants"]
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise ServiceError("ValidationException", f"The names of production variants must differ: {names}.")
        for variant in variants:
            if not variant.get("ModelName"):
                raise ServiceError(
                    "ValidationException",
                    f"The production variant {variant['VariantName']} has no ModelName: the local cloud has no "
                    "inference components.",
                )
            self._models.required(variant["ModelName"])
            if not variant.get("InstanceType") and not variant.get("ServerlessConfig"):
                raise ServiceError(
                    "ValidationException",
                    f"The production variant {variant['VariantName']} needs an InstanceType or a ServerlessConfig.",
                )


def containers_of(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a model, however it names them."""
    primary = model.get("PrimaryContainer")
    return [primary] if primary else list(model.get("Containers") or [])


def _is_object(source: Mapping[str, Any]) -> bool:
    return source.get("S3DataType") == "S3Object"
