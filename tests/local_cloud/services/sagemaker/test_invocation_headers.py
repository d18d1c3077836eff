"""What an invocation asks for in its headers is done, or refused in one line."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

HEADERS = """
def predict_fn(data, model, context):
    names = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Session-Id",
             "X-Amzn-SageMaker-Inference-Id", "X-Amzn-SageMaker-Target-Variant")
    return {name: context.get_request_header(0, name) for name in names}
"""
ECHO = "def predict_fn(data, model):\n    return data\n"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (
            {"X_Amzn_SageMaker_Target_Model": "a.tar.gz"},
            "Endpoint echo is not a multi-model endpoint and does not support target model header.",
        ),
        ({"X_Amzn_SageMaker_Target_Container_Hostname": "a"}, "does not support target container hostname header"),
        ({"X_Amzn_SageMaker_Enable_Explanations": "`true`"}, "EnableExplanations: it has no explainers"),
        ({"X_Amzn_SageMaker_Inference_Component": "a"}, "InferenceComponentName: it has no inference components"),
        ({"X_Amzn_SageMaker_Prefix_Aware_Id": "a"}, "PrefixAwareId: a variant has one server"),
        ({"X_Amzn_SageMaker_Target_Variant": "nope"}, "Variant nope not found for endpoint echo."),
        ({"X_Amzn_SageMaker_Target_Variant": "not_a_name"}, "'targetVariant' failed to satisfy"),
        ({"X_Amzn_SageMaker_Custom_Attributes": "x" * 1025}, "length less than or equal to 1024"),
        ({"X_Amzn_SageMaker_Custom_Attributes": "caf\xe9"}, "regular expression pattern"),
        ({"X_Amzn_SageMaker_Session_Id": "two words"}, "'sessionId' failed to satisfy"),
        ({"X_Amzn_SageMaker_Inference_Id": "x" * 65}, "length less than or equal to 64"),
    ],
)
def test_headers_that_ask_for_what_is_not_here_are_refused(cloud, headers, says):
    cloud.deploy("echo", ECHO)
    status, answered, body = cloud.invoke("echo", **headers)
    assert (status, answered["x-amzn-errortype"]) == (400, "ValidationError")
    assert says in json.loads(body)["Message"]


def test_streams_refuse_the_headers_that_they_know_and_strip_the_others(cloud):
    cloud.deploy("echo", ECHO)

    def stream(header: str) -> int:
        return cloud.post("/endpoints/echo/invocations-response-stream", {f"X-Amzn-SageMaker-{header}": "a"}, b"{}")[0]

    assert stream("Inference-Component") == stream("Target-Container-Hostname") == stream("Prefix-Aware-Id") == 400
    assert stream("Target-Model") == stream("Enable-Explanations") == 200


def test_the_container_gets_the_headers_that_sagemaker_passes_on(cloud):
    cloud.deploy("headers", HEADERS)
    given = {
        "X_Amzn_SageMaker_Custom_Attributes": "trace",
        "X_Amzn_SageMaker_Session_Id": "s-1",
        "X_Amzn_SageMaker_Inference_Id": "i-1",
        "X_Amzn_SageMaker_Target_Variant": "v0",
        "Accept": "application/json",
    }
    seen = cloud.ask("headers", {}, **given)
    assert seen == {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "X-Amzn-SageMaker-Custom-Attributes": "trace",
        "X-Amzn-SageMaker-Session-Id": "s-1",
        "X-Amzn-SageMaker-Inference-Id": "i-1",
        "X-Amzn-SageMaker-Target-Variant": None,
    }


def test_a_stream_has_its_accept_header_under_a_name_of_its_own(cloud):
    cloud.deploy("headers", HEADERS)
    given = {"Content-Type": "application/json", "X-Amzn-SageMaker-Accept": "application/json"}
    status, answered, body = cloud.post("/endpoints/headers/invocations-response-stream", given, b"{}")
    assert (status, answered["x-amzn-sagemaker-content-type"]) == (200, "application/json")
    assert b'"Accept": "application/json"' in body


def test_asynchronous_invocations_are_refused(cloud):
    def ask(name: str) -> str:
        status, answered, body = cloud.post(f"/endpoints/{name}/async-invocations", {})
        assert (status, answered["x-amzn-errortype"]) == (400, "ValidationError")
        return json.loads(body)["Message"]

    assert ask("never") == "Endpoint never of account 123456789012 not found."
    cloud.deploy("echo", ECHO)
    assert "no asynchronous inference" in ask("echo")


def test_a_session_stays_on_the_variant_that_is_named(cloud):
    for name in ("one", "two"):
        cloud.model(name, ECHO)
    cloud.config("both", "one", "two")
    cloud.CreateEndpoint(EndpointName="both", EndpointConfigName="both")
    cloud.wait_endpoint("both")
    refused = cloud.ask("both", 1, X_Amzn_SageMaker_Session_Id="s-1")
    assert "say which with TargetVariant" in refused["Message"]
    assert cloud.ask("both", 1, X_Amzn_SageMaker_Session_Id="s-1", X_Amzn_SageMaker_Target_Variant="v1") == 1


def test_a_serverless_variant_answers_as_many_at_once_as_it_may(cloud):
    cloud.model("slow", "import time\n\ndef predict_fn(data, model):\n    time.sleep(data)\n    return 'done'\n")
    cloud.CreateEndpointConfig(
        EndpointConfigName="slow",
        ProductionVariants=[
            {
                "VariantName": "v",
                "ModelName": "slow",
                "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
            }
        ],
    )
    cloud.CreateEndpoint(EndpointName="slow", EndpointConfigName="slow")
    assert cloud.wait_endpoint("slow")["EndpointStatus"] == "InService"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: cloud.ask("slow", 1), range(4)))
    throttled = [answer for answer in answers if answer != "done"]
    assert answers.count("done") >= 1
    assert {(answer["status"], answer["__type"]) for answer in throttled} == {(400, "ThrottlingException")}
    # A place is free again once its answer is sent, and more of them after an update.
    assert cloud.ask("slow", 0) == "done"
    more = {"VariantName": "v", "ServerlessUpdateConfig": {"MaxConcurrency": 4}}
    cloud.UpdateEndpointWeightsAndCapacities(EndpointName="slow", DesiredWeightsAndCapacities=[more])
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: cloud.ask("slow", 0.5), range(4))) == ["done"] * 4
