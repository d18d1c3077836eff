"""Endpoints really serve: handlers, errors, updates, restarts."""

from __future__ import annotations

import io
import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from mojo_toolbox.local_cloud.wire.protocol import ServiceError

ECHO = "def predict_fn(data, model):\n    return {'got': data, 'model': model}\n"


def answering(text: str) -> str:
    return f"def model_fn(model_dir):\n    return {text!r}\n\ndef predict_fn(data, model):\n    return model\n"


def test_an_endpoint_serves_with_json_in_and_out_by_default(cloud):
    endpoint = cloud.deploy("echo", ECHO)
    assert endpoint["EndpointStatus"] == "InService", endpoint
    assert endpoint["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert cloud.ask("echo", {"a": ["ü"]}) == {"got": {"a": ["ü"]}, "model": None}
    status, headers, _ = cloud.invoke("echo", X_Amzn_SageMaker_Custom_Attributes="trace-1")
    assert status == 200
    assert headers["x-amzn-invoked-production-variant"] == "v0"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace-1"


def test_all_handlers_and_the_optional_context_are_called_as_the_toolkits_do(cloud):
    inference = """
import os, pathlib
from helper import shout

def model_fn(model_dir, context):
    assert context.system_properties["model_dir"] == model_dir
    return pathlib.Path(model_dir, "weights.txt").read_text()

def input_fn(body, content_type):
    return f"{type(body).__name__}:{body}" if content_type == "text/plain" else body.hex()

def predict_fn(data, model):
    return shout(f"{model}/{data}/{os.environ['KIND']}/{os.environ['SM_MODEL_DIR'] == os.environ['MOJO_ML_BASE'] + '/model'}")

def output_fn(prediction, accept, context):
    return prediction + context.get_request_header(0, "Accept"), "text/csv"
"""
    extra = {"code/helper.py": "def shout(text):\n    return text.upper()\n", "weights.txt": "w"}
    endpoint = cloud.deploy("all", inference, extra=extra, Environment={"KIND": "k"})
    assert endpoint["EndpointStatus"] == "InService", endpoint
    status, headers, body = cloud.invoke("all", b"hi", Content_Type="text/plain", Accept="a/b")
    assert (status, headers["content-type"], body) == (200, "text/csv", b"W/STR:HI/K/TRUEa/b")
    assert cloud.invoke("all", b"\xff", Content_Type="application/x-npy", Accept="a/b")[2] == b"W/FF/K/TRUEa/b"


def test_handler_errors_are_model_errors_with_the_containers_message(cloud):
    inference = """
def predict_fn(data, model, context):
    if data == "bad":
        context.set_response_status(422, "Unprocessable")
        return "messages must be a list"
    raise RuntimeError("CUDA out of memory")
"""
    cloud.deploy("errors", inference)
    refused = cloud.ask("errors", "bad")
    assert (refused["status"], refused["OriginalStatusCode"]) == (424, 422)
    assert json.loads(refused["OriginalMessage"]) == "messages must be a list"
    # multi-model-server answers every exception so, whoever is at fault; tests/serving_container asks the real one.
    broken = cloud.ask("errors", "x")
    assert json.loads(broken["OriginalMessage"]) == {
        "code": 400,
        "type": "InternalServerException",
        "message": "CUDA out of memory",
    }
    assert (broken["status"], broken["OriginalStatusCode"]) == (424, 400)
    assert broken["LogStreamArn"].startswith(
        "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/err"
    )
    assert "property name" in json.loads(cloud.invoke("errors", b"{")[2])["OriginalMessage"]
    cloud.until(
        lambda: cloud.log_lines("/aws/sagemaker/Endpoints/errors", "v0/"),
        lambda lines: "RuntimeError: CUDA out of memory" in lines,
    )


def test_an_endpoint_that_is_not_there_or_not_ready_is_a_validation_error(cloud):
    status, headers, body = cloud.invoke("nothing")
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert json.loads(body)["Message"] == "Endpoint nothing of account 123456789012 not found."
    cloud.model("slow", "import time\ntime.sleep(30)\n")
    cloud.config("slow", "slow")
    cloud.CreateEndpoint(EndpointName="slow", EndpointConfigName="slow")
    assert cloud.DescribeEndpoint(EndpointName="slow")["EndpointStatus"] == "Creating"
    assert cloud.invoke("slow")[0] == 400
    cloud.DeleteEndpoint(EndpointName="slow")
    gone(cloud, "slow")


def gone(cloud, name: str) -> None:
    cloud.until(lambda: cloud.ListEndpoints(NameContains=name)["Endpoints"], lambda found: not found)


def test_too_large_a_body_is_refused(cloud):
    cloud.deploy("large", ECHO)
    status, headers, _ = cloud.invoke("large", b"x" * (6 * 1024 * 1024 + 1))
    assert (status, headers["x-amzn-errortype"]) == (413, "ValidationError")


def test_an_invocation_that_takes_too_long_is_a_model_error(cloud):
    cloud.deploy("slow-answer", "import time\n\ndef predict_fn(data, model):\n    time.sleep(data)\n    return 1\n")
    answer = cloud.ask("slow-answer", 20)
    assert answer["status"] == 424
    assert "Your invocation timed out while waiting for a response from container primary" in answer["Message"]
    assert cloud.ask("slow-answer", 0) == 1


def test_a_long_failure_keeps_its_end(cloud):
    lines = f"for i in range(6):\n    print('x' * 300)\nraise ValueError('{'y' * 300} the end')\n"
    reason = cloud.deploy("long", lines)["FailureReason"]
    assert reason.startswith("The server of variant v0 ended (exit code 1).\n")
    assert reason.endswith("y the end")
    assert len(reason) == 1024


HANDLER = "sagemaker_huggingface_inference_toolkit.handler_service"
OWN = {"model": {"modelName": "model", "handler": HANDLER}, "runtime": "python"}


def own(**changes: object) -> dict[str, str]:
    """The server's own manifest, without what is None."""
    changed = {key: value for key, value in {**OWN, **changes}.items() if value is not None}
    return {"MAR-INF/MANIFEST.json": json.dumps(changed)}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"manifest.json": "{}"}, "takes manifest.json for its own manifest. Add MAR-INF/MANIFEST.json"),
        ({"encoder/Manifest.JSON": '{"kind": "encoder"}'}, "takes encoder/Manifest.JSON for its own"),
        ({"manifest.json": "not json"}, "takes manifest.json for its own"),
        ({"manifest.json": '{"Model": {"Service": "s.py"}}'}, "takes manifest.json for its own"),
        ({"manifest.json": "{}", "MAR-INF/MANIFEST.json": "[]"}, "the document: Input should be"),
        ({"MAR-INF/MANIFEST.json": "{"}, "MAR-INF/MANIFEST.json is no JSON"),
        (own(runtime=None), "runtime: Field required"),
        (own(runtime="python2"), "runtime: Input should be 'python' or 'python3'"),
        (own(model=None), "model: Field required"),
        (own(model={"modelName": "m"}), "model.handler: Field required"),
        (own(model={"modelName": "m", "handler": "nothing.py:handle"}), "runs sagemaker_huggingface"),
        (own(model={**OWN["model"], "extensions": "x"}), "model.extensions: Input should be"),
        (own(specificationVersion={"a": 1}), "specificationVersion: Input should be a valid string"),
        (own(engine={}), "engine.engineName: Field required"),
    ],
)
def test_an_archive_that_the_real_server_would_not_load_is_refused(cloud, files, says):
    endpoint = cloud.deploy("unloadable", ECHO, extra=files)
    assert endpoint["EndpointStatus"] == "Failed"
    assert says in endpoint["FailureReason"]


@pytest.mark.parametrize(
    ("image", "files"),
    [
        ("image", {"manifest.json": "{}", **own()}),
        ("image", own(runtime="python3", license="MIT", engine={"engineName": "e"}, more=[1])),
        ("image", {"deep/er/manifest.json": "{}"}),
        # Its server is TorchServe, which looks for no manifest.
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312", {"manifest.json": "{}"}),
    ],
)
def test_an_archive_that_it_would_load_is_not(cloud, image, files):
    assert cloud.deploy("loadable", ECHO, extra=files, Image=image)["EndpointStatus"] == "InService"


@pytest.mark.parametrize(
    ("inference", "says"),
    [
        ("def model_fn(model_dir):\n    raise ValueError('no weights here')\n", "ValueError: no weights here"),
        ("import not_a_module\n", "No module named 'not_a_module'"),
        # The toolkit refuses these, on AWS only once the endpoint is in service.
        (f"{ECHO}\ndef transform_fn(model, data, content_type, accept):\n    return data\n", "the one or the others"),
        ("def predict_fn(data):\n    return data\n", "predict_fn takes 2 arguments, or 3 with the context"),
        ("def input_fn(data, content_type, *, context):\n    return data\n", "input_fn takes 2 arguments"),
        (None, "no code/inference.py"),
    ],
)
def test_a_model_that_does_not_load_fails_the_endpoint_with_its_last_lines(cloud, inference, says):
    endpoint = cloud.deploy("broken", inference)
    assert endpoint["EndpointStatus"] == "Failed"
    assert says in endpoint["FailureReason"]
    with pytest.raises(ServiceError, match="Failed"):
        cloud.UpdateEndpoint(EndpointName="broken", EndpointConfigName="broken")
    cloud.DeleteEndpoint(EndpointName="broken")
    gone(cloud, "broken")


def test_an_archive_whose_paths_climb_out_fails_the_endpoint(cloud):
    endpoint = cloud.deploy("climber", ECHO, extra={"../../../../escaped.txt": "x"})
    assert endpoint["EndpointStatus"] == "Failed"
    assert "model.tar.gz was refused" in endpoint["FailureReason"]
    assert "escaped.txt" in endpoint["FailureReason"]
    assert not list(cloud.root.rglob("escaped.txt"))


def test_links_out_of_the_archive_and_damaged_archives_fail_the_endpoint(cloud):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("code")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
    whole = buffer.getvalue()
    damaged = whole[:12] + b"\xff\xff" + whole[14:]
    for name, content in (("link", whole), ("cut", whole[:40]), ("damaged", damaged), ("text", b"no archive")):
        uri = cloud.store.write("bucket", f"{name}.tar.gz", content)
        cloud.CreateModel(ModelName=name, PrimaryContainer={"Image": "i", "ModelDataUrl": uri})
        cloud.config(name, name)
        cloud.CreateEndpoint(EndpointName=name, EndpointConfigName=name)
        endpoint = cloud.wait_endpoint(name)
        assert endpoint["EndpointStatus"] == "Failed"
        assert "was refused" in endpoint["FailureReason"]


def test_an_update_switches_without_a_gap_and_outlives_what_it_replaced(cloud):
    cloud.deploy("up", answering("old"))
    cloud.model("new", answering("new"))
    cloud.config("new", "new")
    cloud.UpdateEndpoint(EndpointName="up", EndpointConfigName="new")
    assert cloud.DescribeEndpoint(EndpointName="up")["EndpointStatus"] == "Updating"
    assert cloud.ask("up", 1) == "old"
    with pytest.raises(ServiceError, match="Cannot update in-progress endpoint"):
        cloud.UpdateEndpoint(EndpointName="up", EndpointConfigName="new")
    answers = {"old"}
    while cloud.DescribeEndpoint(EndpointName="up")["EndpointStatus"] == "Updating":
        answers.add(cloud.ask("up", 1))
    assert answers <= {"old", "new"}
    assert cloud.ask("up", 1) == "new"
    assert cloud.DescribeEndpoint(EndpointName="up")["EndpointConfigName"] == "new"
    cloud.until(lambda: servers(cloud), lambda found: len(found) == 1)


def test_an_update_that_fails_leaves_the_old_configuration_in_service(cloud):
    cloud.deploy("back", answering("old"))
    cloud.model("bad", "raise ValueError('broken update')\n")
    cloud.config("bad", "bad")
    cloud.UpdateEndpoint(EndpointName="back", EndpointConfigName="bad")
    endpoint = cloud.wait_endpoint("back")
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "back")
    assert "broken update" in endpoint["FailureReason"]
    assert cloud.ask("back", 1) == "old"


def servers(cloud) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if any(str(cloud.root) in part for part in command) and not any("warden.py" in part for part in command):
            found.append(process)
    return found


def test_a_server_that_dies_is_started_again(cloud):
    cloud.deploy(
        "dies",
        "import os\n\ndef predict_fn(data, model):\n    if data == 'die':\n        os._exit(3)\n    return os.getpid()\n",
    )
    before = cloud.ask("dies", 1)
    died = cloud.ask("dies", "die")
    assert (died["status"], died["OriginalStatusCode"]) == (424, 503)
    after = cloud.until(lambda: cloud.ask("dies", 1), lambda answer: isinstance(answer, int))
    assert after != before
    assert cloud.DescribeEndpoint(EndpointName="dies")["EndpointStatus"] == "InService"


def test_endpoints_serve_again_after_a_restart_even_if_their_model_is_gone(cloud):
    cloud.deploy("again", answering("still"))
    cloud.DeleteModel(ModelName="again")
    cloud.DeleteEndpointConfig(EndpointConfigName="again")
    (cloud.root / "s3" / "bucket" / "again" / "model.tar.gz").unlink()
    cloud.close()
    assert not servers(cloud)
    cloud.start()
    assert cloud.DescribeEndpoint(EndpointName="again")["EndpointStatus"] == "InService"
    assert cloud.until(lambda: cloud.ask("again", 1), lambda answer: answer == "still")


def test_deleting_ends_the_server_and_frees_the_name(cloud):
    cloud.deploy("free", ECHO)
    cloud.DeleteEndpoint(EndpointName="free")
    gone(cloud, "free")
    assert not servers(cloud)
    assert not (cloud.root / "endpoints" / "free").exists()
    with pytest.raises(
        ServiceError, match='Could not find endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/free"'
    ):
        cloud.DescribeEndpoint(EndpointName="free")
    cloud.CreateEndpoint(EndpointName="free", EndpointConfigName="free")
    assert cloud.wait_endpoint("free")["EndpointStatus"] == "InService"


def test_variants_are_chosen_by_weight_or_by_name(cloud):
    cloud.model("one", answering("one"))
    cloud.model("two", answering("two"))
    cloud.config("both", "one", "two")
    cloud.CreateEndpoint(EndpointName="both", EndpointConfigName="both")
    assert cloud.wait_endpoint("both")["EndpointStatus"] == "InService"
    assert cloud.ask("both", 1, X_Amzn_SageMaker_Target_Variant="v1") == "two"
    cloud.UpdateEndpointWeightsAndCapacities(
        EndpointName="both", DesiredWeightsAndCapacities=[{"VariantName": "v1", "DesiredWeight": 0.0}]
    )
    assert {cloud.ask("both", 1) for _ in range(20)} == {"one"}
    assert cloud.ask("both", 1, X_Amzn_SageMaker_Target_Variant="nope")["status"] == 400


def test_a_base_model_can_be_staged_beside_the_adapter(cloud):
    inference = "import os, pathlib\n\ndef model_fn(model_dir):\n    return pathlib.Path(os.environ['BASE'], 'config.json').read_text()\n\ndef predict_fn(data, model):\n    return model\n"
    cloud.store.write("bucket", "base/config.json", "staged")
    endpoint = cloud.deploy(
        "staged",
        inference,
        Environment={"BASE": "/opt/ml/additional-model-data-sources/base_model"},
        AdditionalModelDataSources=[
            {
                "ChannelName": "base_model",
                "S3DataSource": {"S3Uri": "s3://bucket/base/", "S3DataType": "S3Prefix", "CompressionType": "None"},
            }
        ],
    )
    assert endpoint["EndpointStatus"] == "InService", endpoint
    assert cloud.ask("staged", 1) == "staged"


def test_many_callers_at_once_all_get_their_own_answer(cloud):
    cloud.deploy("many", ECHO)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: cloud.ask("many", number), range(64)))
    assert [answer["got"] for answer in answers] == list(range(64))


def test_models_and_configurations_are_refused_described_and_listed_as_on_aws(cloud):
    with pytest.raises(ServiceError, match=r"Could not find model data at s3://bucket/no\.tar\.gz"):
        cloud.CreateModel(ModelName="m", PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://bucket/no.tar.gz"})
    with pytest.raises(ServiceError, match='Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/m"'):
        cloud.config("c", "m")
    cloud.model("m", ECHO)
    with pytest.raises(ServiceError, match="Cannot create already existing model"):
        cloud.model("m", ECHO)
    with pytest.raises(ServiceError, match=r"productionVariants\.1\.member\.instanceType"):
        cloud.config("c", "m", InstanceType="ml.nope.xlarge")
    cloud.config("c", "m")
    described = cloud.DescribeEndpointConfig(EndpointConfigName="c")
    assert described["ProductionVariants"][0]["ModelName"] == "m"
    assert "VpcConfig" not in cloud.DescribeModel(ModelName="m")
    assert [model["ModelName"] for model in cloud.ListModels(NameContains="M")["Models"]] == ["m"]
    with pytest.raises(ServiceError, match='Could not find endpoint configuration "arn:'):
        cloud.CreateEndpoint(EndpointName="e", EndpointConfigName="none")


def test_tags_follow_their_resource(cloud):
    cloud.model("tagged", ECHO)
    arn = cloud.DescribeModel(ModelName="tagged")["ModelArn"]
    cloud.AddTags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "dev"}, {"Key": "x", "Value": "1"}])
    cloud.DeleteTags(ResourceArn=arn, TagKeys=["x"])
    assert cloud.ListTags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "dev"}]
    cloud.DeleteModel(ModelName="tagged")
    with pytest.raises(ServiceError, match="Could not find resource"):
        cloud.ListTags(ResourceArn=arn)


def test_servers_are_out_of_reach_for_other_users(cloud):
    from mojo_toolbox.local_cloud.services.sagemaker.resources.short_paths import socket_dir

    cloud.deploy("closed", ECHO)
    folder = socket_dir(str(cloud.root.resolve()))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == os.getuid()
    assert not [c for server in servers(cloud) for c in server.net_connections(kind="inet")]


def test_no_folder_of_sockets_is_left_behind(cloud):
    from mojo_toolbox.local_cloud.services.sagemaker.resources.short_paths import short_folder

    folder = short_folder(str(cloud.root.resolve()))
    assert not folder.exists()
    cloud.deploy("brief", ECHO)
    assert folder.is_dir()
    cloud.DeleteEndpoint(EndpointName="brief")
    cloud.close()
    assert not folder.exists()
    # What a killed local cloud left is removed at the next start.
    folder.mkdir()
    (folder / "socket").write_text("")
    cloud.start()
    assert not folder.exists()
