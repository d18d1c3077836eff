"""Every field of every operation is honoured, without effect, or refused; the tables name nothing that AWS does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mojo_toolbox.local_cloud.services.logs.request_rules import FIELDS as LOGS_FIELDS
from mojo_toolbox.local_cloud.services.s3.honoured_parameters import (
    ALWAYS_HONOURED,
    ALWAYS_REFUSED,
    ALWAYS_WITHOUT_EFFECT,
)
from mojo_toolbox.local_cloud.services.s3.honoured_parameters import FIELDS as S3_FIELDS
from mojo_toolbox.local_cloud.services.sagemaker.resources.honoured_fields import FIELDS as SAGEMAKER_FIELDS
from mojo_toolbox.local_cloud.wire.fields import Fields, refuse_unhonoured
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.validation import service_shapes

FIELDS = {**SAGEMAKER_FIELDS, **LOGS_FIELDS, **S3_FIELDS}
DOCS = Path(__file__).parents[3] / "docs" / "local-cloud.md"
IN_EVERY_S3_TABLE = {*ALWAYS_HONOURED, *ALWAYS_WITHOUT_EFFECT, *ALWAYS_REFUSED}
RUNTIME = ("InvokeEndpoint", "InvokeEndpointWithResponseStream")


def model_of(operation: str) -> dict[str, Any]:
    if operation in LOGS_FIELDS:
        return service_shapes("logs")
    if operation in S3_FIELDS:
        return service_shapes("s3")
    return service_shapes("sagemaker-runtime" if operation in RUNTIME else "sagemaker")


def paths(operation: str) -> dict[str, Any]:
    """Every path of an operation's request, with a value that asks for something."""
    model = model_of(operation)
    if "input" not in model["operations"][operation]:
        return {}
    found: dict[str, Any] = {}

    def walk(name: str, path: str, wrap: Any, seen: tuple[str, ...]) -> None:
        shape = model["shapes"][name]
        found[path] = wrap(value_of(shape))
        if shape["type"] == "structure" and name not in seen:
            for member, target in shape["members"].items():
                child = f"{path}.{member}" if path else member
                walk(target["shape"], child, lambda v, m=member: wrap({m: v}), (*seen, name))
        elif shape["type"] == "list":
            walk(shape["member"]["shape"], f"{path}[]", lambda v: wrap([v]), seen)

    walk(model["operations"][operation]["input"]["shape"], "", lambda value: value, ())
    del found[""]
    return found


def value_of(shape: dict[str, Any]) -> Any:
    plain = {"string": "text", "blob": "text", "boolean": True, "map": {"a": "b"}, "structure": {}, "list": []}
    return shape.get("enum", [plain.get(shape["type"], 7)])[-1]


def leaves(operation: str) -> dict[str, Any]:
    every = paths(operation)
    return {path: value for path, value in every.items() if not any(is_below(other, path) for other in every)}


def is_below(path: str, parent: str) -> bool:
    return path.startswith((f"{parent}.", f"{parent}[]"))


def covered(path: str, fields: Fields) -> bool:
    named = fields.accepted | set(fields.values)
    return any(path == one or is_below(path, one) for one in named)


@pytest.mark.parametrize("operation", FIELDS)
def test_the_tables_name_fields_that_aws_has(operation):
    fields = FIELDS[operation]
    named = {*fields.honoured, *fields.without_effect, *fields.values, *fields.reasons, *fields.nothing_by_itself}
    # The streaming sibling takes fewer.
    known = set(paths("InvokeEndpoint" if operation in RUNTIME else operation))
    assert named - (IN_EVERY_S3_TABLE if operation in S3_FIELDS else set()) <= known


def test_what_every_s3_table_has_is_a_field_of_some_operation():
    assert set.union(*(set(paths(operation)) for operation in S3_FIELDS)) >= IN_EVERY_S3_TABLE


@pytest.mark.parametrize("operation", S3_FIELDS)
def test_every_parameter_of_s3_is_in_its_table(operation):
    fields = S3_FIELDS[operation]
    decided = fields.accepted | fields.parents | {*fields.values, *fields.reasons}
    assert {path for path in paths(operation) if path.isidentifier()} <= decided


@pytest.mark.parametrize("operation", FIELDS)
def test_a_field_stands_in_one_column_only(operation):
    fields = FIELDS[operation]
    assert not fields.honoured & set(fields.without_effect)
    assert not fields.accepted & set(fields.values)
    assert not fields.accepted & set(fields.reasons)


@pytest.mark.parametrize(
    ("operation", "path"),
    [(operation, path) for operation in FIELDS for path in leaves(operation) if not covered(path, FIELDS[operation])],
)
def test_every_field_outside_of_the_tables_is_refused_by_name(operation, path):
    with pytest.raises(ServiceError) as caught:
        refuse_unhonoured(operation, leaves(operation)[path], FIELDS[operation])
    named = caught.value.message.split("does not offer ")[1].split("'s ")[1].split(":")[0].split(". ")[0]
    assert path == named or is_below(path, named)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("operation", "path"),
    [(operation, path) for operation in FIELDS for path in leaves(operation) if covered(path, FIELDS[operation])],
)
def test_every_field_of_the_tables_is_taken_or_says_which_values_are(operation, path):
    fields = FIELDS[operation]
    if path not in fields.values:
        refuse_unhonoured(operation, leaves(operation)[path], fields)
        return
    steps = path.replace("[]", ".[]").split(".")
    for value in fields.values[path]:
        request: Any = value
        for step in reversed(steps):
            request = [request] if step == "[]" else {step: request}
        refuse_unhonoured(operation, request, fields)


@pytest.mark.parametrize(
    "request_",
    [
        {"VpcConfig": {}, "EnableNetworkIsolation": False, "RemoteDebugConfig": {"EnableRemoteDebug": False}},
        {"ProfilerConfig": {"DisableProfiler": False}, "DebugRuleConfigurations": []},
        {"ProfilerConfig": {"DisableProfiler": True}, "ExperimentConfig": {"TrialName": ""}, "RemoteDebugConfig": {}},
        {"InputDataConfig": [{"CompressionType": "None", "RecordWrapperType": "None", "InputMode": "FastFile"}]},
    ],
)
def test_what_switches_nothing_on_is_taken(request_):
    refuse_unhonoured("CreateTrainingJob", request_, FIELDS["CreateTrainingJob"])


def structures(operation: str) -> dict[str, Any]:
    """Every structure of a request that nothing is accepted of, given empty."""
    fields, found = FIELDS[operation], {}
    for path, value in paths(operation).items():
        inner = value
        while isinstance(inner, (dict, list)) and inner:
            inner = inner[0] if isinstance(inner, list) else next(iter(inner.values()))
        if inner == {} and not covered(path, fields) and path not in fields.parents:
            found[path] = value
    return found


@pytest.mark.parametrize(
    ("operation", "path"), [(operation, path) for operation in FIELDS for path in structures(operation)]
)
def test_an_empty_structure_is_refused_unless_the_tables_say_that_it_asks_for_nothing(operation, path):
    request, fields = structures(operation)[path], FIELDS[operation]
    if path in fields.nothing_by_itself:
        refuse_unhonoured(operation, request, fields)
        return
    with pytest.raises(ServiceError, match=f"does not offer {operation}'s ") as caught:
        refuse_unhonoured(operation, request, fields)
    named = caught.value.message.split("'s ")[1].split(":")[0].split(". ")[0]
    assert path == named or is_below(path, named)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("CreateEndpointConfig", {"AsyncInferenceConfig": {"OutputConfig": {}}}),
        ("CreateEndpointConfig", {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": ""}, "ClientConfig": {}}}),
        (
            "CreateEndpointConfig",
            {"ExplainerConfig": {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {}}}}},
        ),
        ("CreateEndpointConfig", {"ShadowProductionVariants": [{}]}),
        ("CreateTrainingJob", {"InputDataConfig": [{"ShuffleConfig": {}}]}),
        ("CreateTrainingJob", {"DebugRuleConfigurations": [{"RuleParameters": {}}]}),
        ("CreateModel", {"PrimaryContainer": {"MultiModelConfig": {"ModelCacheSetting": ""}}}),
    ],
)
def test_a_structure_that_switches_something_on_by_being_there_is_refused(operation, request_):
    with pytest.raises(ServiceError, match="The local cloud does not offer"):
        refuse_unhonoured(operation, request_, FIELDS[operation])


def test_a_field_that_no_model_knows_is_refused():
    with pytest.raises(ServiceError, match=r"does not offer CreateTrainingJob's ResourceConfig\.Nonsense"):
        refuse_unhonoured("CreateTrainingJob", {"ResourceConfig": {"Nonsense": 1}}, FIELDS["CreateTrainingJob"])


def test_the_docs_list_every_field_that_is_without_effect_and_why():
    text = " ".join(DOCS.read_text(encoding="utf-8").split())
    missing = [
        (operation, path)
        for operation, fields in FIELDS.items()
        for path in fields.without_effect
        if f"`{path.rpartition('.')[2]}`" not in text
    ]
    assert not missing
