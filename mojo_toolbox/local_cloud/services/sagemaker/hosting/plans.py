"""An endpoint's plan, fixed when it is made, and the changes of an update."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.hosting.endpoint_rules import check_concurrency, require_traffic
from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_rules import containers_of
from mojo_toolbox.local_cloud.services.sagemaker.hosting.models import EndpointConfigs, Models
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused

# SageMaker's own default for ContainerStartupHealthCheckTimeoutInSeconds is not documented. A base model that has to be
# downloaded first takes minutes.
STARTUP_SECONDS = 900

Plan = dict[str, Any]


def make_plan(config_name: str, configs: EndpointConfigs, models: Models) -> Plan:
    """Fix an endpoint's needs, so that it outlives its configuration and models, as on AWS.

    Raises:
        ServiceError: the configuration or a model is gone.
    """
    config = configs.required(config_name).document
    variants = []
    for variant in config["ProductionVariants"]:
        containers = containers_of(models.required(variant["ModelName"]).document)
        variants.append(
            {
                "VariantName": variant["VariantName"],
                "Weight": variant.get("InitialVariantWeight", 1.0),
                "Instances": variant.get("InitialInstanceCount", 1),
                "StartupSeconds": variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS),
                "Container": containers[0],
                "Containers": len(containers),
                "Serverless": variant.get("ServerlessConfig"),
            }
        )
    return {"ConfigName": config_name, "Id": uuid.uuid4().hex[:12], "Variants": variants, "Config": config}


def require_updatable(old: Plan, new: Plan, *, guarded: bool) -> None:
    """Refuse updates that SageMaker does not make. `guarded` ones have a DeploymentConfig.

    Raises:
        ServiceError: instances would become serverless, or a guarded update would change the variants' names.
    """
    if any(variant["Serverless"] for variant in new["Variants"]) and not any(
        variant["Serverless"] for variant in old["Variants"]
    ):
        raise refused("An endpoint of instances cannot be updated to a serverless one: create another endpoint.")
    if guarded and _names(old) != _names(new):
        raise refused(
            f"With a DeploymentConfig, the new configuration needs the variant names of the old one: {_names(old)}, not "
            f"{_names(new)}."
        )


def retain_properties(old: Plan, new: Plan, *, excluded: Collection[str]) -> None:
    """Keep the weights and instance counts that variants have now, but for `excluded` properties."""
    before = {variant["VariantName"]: variant for variant in old["Variants"]}
    for variant in new["Variants"]:
        for name, key in (("DesiredWeight", "Weight"), ("DesiredInstanceCount", "Instances")):
            if variant["VariantName"] in before and name not in excluded:
                variant[key] = before[variant["VariantName"]][key]


def limit_execution(plan: Plan, deployment: Mapping[str, Any] | None) -> None:
    """Let servers start within MaximumExecutionTimeoutInSeconds, where a DeploymentConfig names it."""
    policy = (deployment or {}).get("BlueGreenUpdatePolicy", {})
    for variant in plan["Variants"]:
        limit = policy.get("MaximumExecutionTimeoutInSeconds", variant["StartupSeconds"])
        variant["StartupSeconds"] = min(variant["StartupSeconds"], limit)


def change_variants(plan: Plan, changes: Sequence[Mapping[str, Any]]) -> None:
    """Change weights, instance counts and concurrency as `DesiredWeightsAndCapacities` says.

    Raises:
        ServiceError: a variant is not there or of the wrong kind, or none would get a request.
    """
    variants = {variant["VariantName"]: variant for variant in plan["Variants"]}
    for desired in changes:
        name = desired["VariantName"]
        variant = variants.get(name)
        if variant is None:
            raise refused(f"The variant name(s) {name} do not exist.")
        variant["Weight"] = desired.get("DesiredWeight", variant["Weight"])
        if "DesiredInstanceCount" in desired and variant["Serverless"]:
            raise refused(f"The serverless variant {name} takes no DesiredInstanceCount.")
        variant["Instances"] = desired.get("DesiredInstanceCount", variant["Instances"])
        if "ServerlessUpdateConfig" in desired:
            if not variant["Serverless"]:
                raise refused(f"ServerlessUpdateConfig is only supported for serverless variants; {name} is not one.")
            variant["Serverless"] = {**variant["Serverless"], **desired["ServerlessUpdateConfig"]}
            check_concurrency(variant["Serverless"], name)
    require_traffic([variant["Weight"] for variant in plan["Variants"]])


def _names(plan: Plan) -> list[str]:
    return sorted(variant["VariantName"] for variant in plan["Variants"])
