"""A second serving container, of which nothing but its own module and its line in the table knows."""

import io
import json
import tarfile

import pytest

from mojo_toolbox import AWSModel, Hub
from mojo_toolbox.clouds.aws.container_paths import ADDITIONAL_DATA_DIR, BASE_MODEL_CHANNEL
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.serving import containers
from mojo_toolbox.serving.artifacts import add_file, copy_trained, writing_archive

KEY = {"product": "mojodex", "task": "routing", "model_id": "scripted-container"}
TASKS = [{"name": "recap", "description": "Sum up"}, {"name": "email", "description": "Write"}]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:scripted"
# Answers with what the weights say, once its base model is where the environment says.
PROGRAM = """
import os
from pathlib import Path


def model_fn(model_dir):
    assert (Path(os.environ["SCRIPTED_BASE"]) / "config.json").is_file()
    return (Path(model_dir) / "weights" / "answer.txt").read_text()


def predict_fn(request, answer):
    return {"choices": [{"message": {"role": "assistant", "content": answer}}]}
"""


class ScriptedContainer:
    """Has its weights in a folder of their own, another image, and variables with other names than ours."""

    def image(self, *, region_name, instance_type):
        return IMAGE

    def instance_type(self, kind):
        return "ml.m5.large"

    def pack_trained(self, trained, target, *, encoder=None):
        if encoder is not None:
            raise ConfigurationError("This container serves one model only.")
        with writing_archive(target) as archive:
            manifest = copy_trained(trained, archive, prefix="weights/")
            add_file(archive, "code/inference.py", PROGRAM.encode())
        return manifest, None

    def pack_base(self, base, target):
        raise ConfigurationError("This container serves trained models only.")

    def environment(self, bases):
        base = bases[BASE_MODEL_CHANNEL]
        return {"SCRIPTED_BASE": f"{ADDITIONAL_DATA_DIR}/{BASE_MODEL_CHANNEL}" if base.uri else base.reference.id}


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setitem(containers.CONTAINERS, "scripted", ScriptedContainer())
    return "scripted"


@pytest.fixture
def hub(local_home):
    return Hub(cloud_service="local", home=local_home)


@pytest.fixture
def model_data(hub):
    """The artifact of a model whose answer is always the same."""
    manifest = {"contract_version": 1, "prompt_version": "routing-2", "base_model": {"id": "org/tiny"}}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in (("manifest.json", json.dumps(manifest)), ("answer.txt", "email")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    hub._session.call("s3", "create_bucket", Bucket="scripted-container")
    hub._session.call("s3", "put_object", Bucket="scripted-container", Key="model.tar.gz", Body=content.getvalue())
    return "s3://scripted-container/model.tar.gz"


def test_a_second_container_is_deployed_and_asked_like_the_first(hub, scripted, model_data, tiny_base, local_home):
    chosen = {**KEY, "model_data": model_data, "base_model": tiny_base, "container": scripted}
    create_model, create_config, _ = hub.deploy(**chosen, dry_run=True)
    container = create_model.parameters["PrimaryContainer"]
    assert container["Image"] == IMAGE
    assert set(container["Environment"]) == {"SCRIPTED_BASE"}
    assert create_config.parameters["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"

    hub.deploy(**chosen).wait(progress=False)
    model = AWSModel(**KEY, cloud_service="local", home=local_home)
    decision = model.predict([{"role": "user", "content": "hello"}], tasks=TASKS)
    assert (decision.task, decision.probabilities) == ("email", None)
    assert len(hub.delete(**KEY).removed) == 3


def test_what_a_container_cannot_serve_it_refuses_itself(hub, scripted, tiny_base):
    with pytest.raises(ConfigurationError, match="serves trained models only"):
        hub.deploy(**KEY, base_model=tiny_base, container=scripted, dry_run=True)


def test_a_container_that_nobody_knows_is_refused_before_anything_is_sent(hub, tiny_base):
    with pytest.raises(ConfigurationError, match=r"no serving container 'vllm'\. Known: own_handler"):
        hub.deploy(**KEY, base_model=tiny_base, container="vllm")
