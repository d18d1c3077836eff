"""SageMaker's rules between the fields of endpoints and their configurations, which its service model does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.instance_types import has_local_storage
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused, require_one_of, require_unique

SERVERLESS_MEMORY_STEP = 1024
_CAPACITY = ("InstanceType", "InstancePools", "ServerlessConfig")
_NOT_SERVERLESS = (
    "InitialInstanceCount",
    "VolumeSizeInGB",
    "AcceleratorType",
    "CoreDumpConfig",
    "InferenceAmiVersion",
    "ManagedInstanceScaling",
    "RoutingConfig",
    "VariantInstanceProvisionTimeoutInSeconds",
)
# The size that each kind of traffic shift needs, with the least and the most per cent of it.
_SIZES = {"CANARY": ("CanarySize", 1, 50), "LINEAR": ("LinearStepSize", 10, 50)}


def check_endpoint_config(request: Mapping[str, Any]) -> None:
    """Refuse fields that exclude each other, need each other, or contradict each other.

    Raises:
        ServiceError: with the fields that are wrong.
    """
    production, shadow = request["ProductionVariants"], request.get("ShadowProductionVariants", [])
    variants = [*production, *shadow]
    require_unique((variant["VariantName"] for variant in variants), "The names of production variants")
    if shadow and (len(production), len(shadow)) != (1, 1):
        raise refused("With ShadowProductionVariants, give one production variant and one shadow variant.")
    if len(variants) > 1 and any("ServerlessConfig" in variant for variant in variants):
        raise refused("A serverless endpoint has one production variant.")
    require_traffic([variant.get("InitialVariantWeight", 1.0) for variant in production])
    for variant in variants:
        _check_variant(variant, key=request.get("KmsKeyId"))


def check_deployment(request: Mapping[str, Any]) -> None:
    """Refuse a DeploymentConfig that no endpoint could be updated by, and contradictions around it.

    Raises:
        ServiceError: with the fields that are wrong.
    """
    if request.get("RetainDeploymentConfig") and "DeploymentConfig" in request:
        raise refused("Give a DeploymentConfig or RetainDeploymentConfig, not both.")
    excluded = request.get("ExcludeRetainedVariantProperties", [])
    if excluded and not request.get("RetainAllVariantProperties"):
        raise refused("ExcludeRetainedVariantProperties needs RetainAllVariantProperties set to true.")
    require_unique((one["VariantPropertyType"] for one in excluded), "ExcludeRetainedVariantProperties")
    config = request.get("DeploymentConfig")
    if not config:
        return
    if "BlueGreenUpdatePolicy" in config and "RollingUpdatePolicy" in config:
        raise refused("Only one update policy should be used in the DeploymentConfig: blue/green or rolling.")
    if "BlueGreenUpdatePolicy" in config:
        _check_blue_green(config["BlueGreenUpdatePolicy"])
    for name in ("MaximumBatchSize", "RollbackMaximumBatchSize"):
        most = 50 if name == "MaximumBatchSize" else 100
        if name in config.get("RollingUpdatePolicy", {}):
            _check_size(config["RollingUpdatePolicy"][name], f"RollingUpdatePolicy.{name}", least=5, most=most)


def check_weights(request: Mapping[str, Any]) -> None:
    """Refuse variants that are named twice or that nothing is asked of, and an endpoint without instances.

    Raises:
        ServiceError: with the variant that is wrong.
    """
    desired = request["DesiredWeightsAndCapacities"]
    require_unique((one["VariantName"] for one in desired), "The names of variants in DesiredWeightsAndCapacities")
    for one in desired:
        name = one["VariantName"]
        if len(one) == 1:
            raise refused(f"DesiredWeightsAndCapacities asks nothing of variant {name}: give a weight or a capacity.")
        if one.get("DesiredInstanceCount") == 0:
            raise refused(f"The DesiredInstanceCount of variant {name} must be at least 1.")
        check_concurrency(one.get("ServerlessUpdateConfig", {}), name)


def require_traffic(weights: Sequence[float]) -> None:
    """Refuse weights of which none is above zero: no variant would get a request.

    Raises:
        ServiceError: all are zero.
    """
    if not any(weights):
        raise refused("At least one production variant needs a weight above 0.")


def _check_variant(variant: Mapping[str, Any], *, key: str | None) -> None:
    name = variant["VariantName"]
    require_one_of(_CAPACITY, variant, f"The production variant {name}")
    if variant.get("ModelName") and "ManagedInstanceScaling" in variant:
        raise refused("ManagedInstanceScaling is only supported for inference component endpoints.")
    if "ServerlessConfig" in variant:
        _check_serverless(variant)
        return
    instance_type = variant.get("InstanceType", "")
    if has_local_storage(instance_type):
        if "VolumeSizeInGB" in variant:
            raise refused(f"VolumeSizeInGB parameter is not allowed for the selected Instance type {instance_type}.")
        if key:
            raise refused(
                f"KmsKeyId cannot be requested for {instance_type}: the instance encrypts its local storage itself."
            )
    routing = variant.get("RoutingConfig", {})
    if ("PrefixAwareRoutingConfig" in routing) != (routing.get("RoutingStrategy") == "PREFIX_AWARE"):
        raise refused("PrefixAwareRoutingConfig and the RoutingStrategy PREFIX_AWARE need each other.")


def _check_serverless(variant: Mapping[str, Any]) -> None:
    name, config = variant["VariantName"], variant["ServerlessConfig"]
    wrong = [field for field in _NOT_SERVERLESS if field in variant]
    if wrong:
        raise refused(f"The serverless variant {name} takes no {wrong[0]}.")
    if config["MemorySizeInMB"] % SERVERLESS_MEMORY_STEP:
        raise refused(
            f"The MemorySizeInMB of variant {name} must be 1024, 2048, 3072, 4096, 5120 or 6144, not "
            f"{config['MemorySizeInMB']}."
        )
    check_concurrency(config, name)


def check_concurrency(config: Mapping[str, Any], name: str) -> None:
    """Refuse a serverless variant for which more concurrency is provisioned than there may be.

    Raises:
        ServiceError: with both numbers.
    """
    provisioned, most = config.get("ProvisionedConcurrency"), config.get("MaxConcurrency")
    if provisioned is not None and most is not None and provisioned > most:
        raise refused(
            f"The ProvisionedConcurrency ({provisioned}) of variant {name} must be at most its MaxConcurrency ({most})."
        )


def _check_blue_green(policy: Mapping[str, Any]) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    kind = routing["Type"]
    for wanted, (name, least, most) in _SIZES.items():
        if (name in routing) != (kind == wanted):
            raise refused(f"TrafficRoutingConfiguration's {name} and its Type {wanted} need each other.")
        if name in routing:
            _check_size(routing[name], f"TrafficRoutingConfiguration.{name}", least=least, most=most)
    waits = routing["WaitIntervalInSeconds"] + policy.get("TerminationWaitInSeconds", 0)
    limit = policy.get("MaximumExecutionTimeoutInSeconds")
    if limit is not None and limit <= waits:
        raise refused(
            f"MaximumExecutionTimeoutInSeconds ({limit}) must be larger than TerminationWaitInSeconds and "
            f"WaitIntervalInSeconds together ({waits})."
        )


def _check_size(size: Mapping[str, Any], where: str, *, least: int, most: int) -> None:
    if size["Type"] == "CAPACITY_PERCENT" and not least <= size["Value"] <= most:
        raise refused(f"{where} must be {least} to {most} per cent, not {size['Value']}.")
