"""Recipes, through both doors: an encoder router is trained, deployed and asked like any other model."""

from __future__ import annotations

import json

import pytest
from tiny_encoder import save_tiny_encoder

from mojo_toolbox import AWSModel, Hub
from mojo_toolbox.errors import ConfigurationError, EndpointFailedError, HyperparameterError
from mojo_toolbox.purposes.routing.recipes import RECIPES

TASKS = [
    {"name": "book_table", "description": "book a table for dinner"},
    {"name": "get_weather", "description": "the weather forecast"},
]
KEY = {"product": "mojodex", "task": "routing", "model_id": "tiny-encoder"}
CONVERSATION = {
    "tasks": TASKS,
    "messages": [
        {"role": "user", "content": "a table for tomorrow", "task": "book_table"},
        {"role": "assistant", "content": "restaurant?"},
        {"role": "user", "content": "rain tomorrow?", "task": "get_weather"},
        {"role": "user", "content": "thanks bye", "task": None},
    ],
}


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    save_tiny_encoder(folder, longest=512)
    return folder


def dry_run(**changes):
    options = {"train_data": [CONVERSATION], "starter_conversations": 0, **KEY, **changes}
    return Hub(cloud_service="aws", region_name="us-east-1", role="r", bucket="b-123").train(dry_run=True, **options)[0]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_encoder_router_is_trained_deployed_and_asked(local_home, tiny_encoder):
    hub = Hub(cloud_service="local", home=local_home)
    job = hub.train(
        recipe="encoder-router",
        base_model=tiny_encoder,
        train_data=[CONVERSATION],
        validation_data=[CONVERSATION],
        starter_conversations=3,
        hyperparameters={"max_steps": 2, "warmup_steps": 0, "per_device_train_batch_size": 4},
        **KEY,
    ).wait(progress=False)
    assert 0 <= job.metrics["eval_decision_accuracy"] <= 1

    _, config, *_ = hub.deploy(**KEY, dry_run=True)
    assert config.parameters["ProductionVariants"][0]["InstanceType"] == "ml.c7i.xlarge"
    assert "-cpu-" in hub.deploy(**KEY, dry_run=True)[0].parameters["PrimaryContainer"]["Image"]
    hub.deploy(**KEY).wait(progress=False)
    model = AWSModel(**KEY, cloud_service="local", home=local_home)
    decision = model.predict([{"role": "user", "content": "a table"}], tasks=TASKS)
    assert decision.task in {"book_table", "get_weather", None}
    assert sum(decision.probabilities.values()) == pytest.approx(1)

    session = model.session(tasks=TASKS)
    session.route("a table for dinner")
    session.reply("tomorrow?")
    assert session.route("the weather").task in {"book_table", "get_weather", None}

    hub.deploy(**KEY, encoder=job.name).wait(progress=False)
    mixed_with_itself = model.predict([{"role": "user", "content": "a table"}], tasks=TASKS)
    assert mixed_with_itself.probabilities == pytest.approx(decision.probabilities, abs=1e-6)
    nowhere = {"MOJO_ENCODER_BASE_MODEL": "/no/such/folder"}  # missed only where the second encoder is really loaded
    with pytest.raises(EndpointFailedError, match="/no/such/folder"):
        hub.deploy(**KEY, encoder=job.name, environment=nowhere).wait(progress=False)
    hub.delete(**KEY)


@pytest.mark.parametrize(
    ("recipe", "program"),
    [
        ("router", "train_qlora.py"),
        ("encoder-router", "train_encoder.py"),
        ("encoder-router-small", "train_encoder.py"),
    ],
)
def test_a_recipe_names_the_script_and_the_base_model(recipe, program):
    told = dry_run(recipe=recipe).parameters["HyperParameters"]
    assert json.loads(told["sagemaker_program"]) == program
    assert json.loads(told["base_model_id"]) == RECIPES[recipe].base_model


def test_what_is_given_beside_a_recipe_wins():
    told = dry_run(recipe="router", hyperparameters={"learning_rate": 1e-5}).parameters["HyperParameters"]
    assert json.loads(told["learning_rate"]) == 1e-5
    assert json.loads(told["num_train_epochs"]) == RECIPES["router"].hyperparameters["num_train_epochs"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"recipe": "souffle"}, ConfigurationError, "no recipe 'souffle'. Known: plain, router, encoder-router"),
        ({"recipe": "plain"}, ConfigurationError, "needs a base_model"),
        ({"recipe": "router", "starter_conversations": -1}, ConfigurationError, "starter_conversations=-1"),
        ({"recipe": "encoder-router", "hyperparameters": {"lora_r": 8}}, HyperparameterError, "lora_r"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(changes, error, words):
    with pytest.raises(error, match=words.replace(".", r"\.").replace("(", r"\(")):
        dry_run(**changes)


@pytest.mark.parametrize(
    ("recipe", "instance_type", "hours"),
    [
        ("router", "ml.g5.2xlarge", 24),
        ("encoder-router", "ml.c7i.2xlarge", 6),
        ("encoder-router-small", "ml.c7i.xlarge", 6),
    ],
)
def test_a_recipe_brings_the_instance_and_the_limit_that_fit_it(recipe, instance_type, hours):
    parameters = dry_run(recipe=recipe).parameters
    assert parameters["ResourceConfig"]["InstanceType"] == instance_type
    assert parameters["StoppingCondition"]["MaxRuntimeInSeconds"] == hours * 3600
    given = dry_run(recipe=recipe, instance_type="ml.m5.xlarge", max_runtime_seconds=60).parameters
    assert given["ResourceConfig"]["InstanceType"] == "ml.m5.xlarge"
    assert given["StoppingCondition"]["MaxRuntimeInSeconds"] == 60
