"""The contract, its two sides held against each other: the library here, what ships to containers there."""

import dataclasses
import importlib
import io
import json
import re
from types import SimpleNamespace
from typing import get_type_hints

import pytest
from pages import ROOT

from mojo_toolbox import contract
from mojo_toolbox.contract import EncoderHyperparameters, TrainingHyperparameters, check_hyperparameters
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.errors import ArtifactError, HyperparameterError
from mojo_toolbox.serving import artifacts

# What the library itself gives the scripts, beside the user's hyperparameters: one of the last two.
OURS = {"base_model", "base_model_id", "base_model_revision", "prompt_version"}
OURS |= {"data_versions", "dataset_sha256", "validation_sha256", "answers", "fallback"}


@pytest.fixture
def shipped(monkeypatch):
    """Import a module of the training scripts."""
    monkeypatch.syspath_prepend(ROOT / "training_scripts")
    return importlib.import_module


@pytest.fixture
def chat_request(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "inference_code")
    import chat_request

    return chat_request


def test_both_sides_give_an_artifact_the_same_manifest_for_the_server(shipped):
    of_a_job = shipped("manifest")
    assert of_a_job.SERVER_MANIFEST == artifacts.SERVER_MANIFEST
    assert of_a_job.SERVER_MANIFEST_CONTENT == artifacts.SERVER_MANIFEST_CONTENT


# ------------------------------------------------------------------------------------------------ hyperparameters


SCRIPTS = [("train_qlora", TrainingHyperparameters), ("train_encoder", EncoderHyperparameters)]


@pytest.mark.parametrize(("script", "model"), SCRIPTS)
def test_a_script_knows_the_same_hyperparameters_with_the_same_defaults_and_types(shipped, script, model):
    settings = shipped(script).Settings
    in_script = {field.name: field.default for field in dataclasses.fields(settings)}
    library = {name: field.default for name, field in model.model_fields.items()}
    assert {name: value for name, value in in_script.items() if name not in OURS} == library
    assert len(OURS - in_script.keys()) == 1
    types = get_type_hints(settings)
    assert {n: types[n] for n in library} == {n: f.annotation for n, f in model.model_fields.items()}


@pytest.mark.parametrize(
    ("script", "kind", "given"),
    [
        (
            "train_qlora",
            "language_model",
            {"learning_rate": 1e-5, "num_train_epochs": 0.5, "load_in_4bit": False, "target_modules": "q_proj,v_proj"},
        ),
        ("train_encoder", "encoder", {"head_learning_rate": 1e-5, "num_train_epochs": 0.5, "calibrate": False}),
    ],
)
def test_hyperparameters_arrive_in_the_script_as_they_were_given(shipped, script, kind, given):
    checked = check_hyperparameters(given, kind=kind).model_dump()
    assert given.items() <= checked.items()
    # sagemaker-training decodes the JSON and writes the values as flags.
    flags = [text for name, value in checked.items() for text in (f"--{name}", str(value))]
    settings = shipped("job").read_settings(shipped(script).Settings, flags, description="")
    assert {n: v for n, v in dataclasses.asdict(settings).items() if n not in OURS} == checked


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learnin_rate": 1}, "Did you mean 'learning_rate'"),
        ({"lora_rank": 8}, "Did you mean"),
        ({"lr": 1e-4}, "Did you mean 'learning_rate'"),
        ({"zzz": 1}, "Known: num_train_epochs"),
        ({"learning_rate": 2}, "'learning_rate' cannot be 2"),
        ({"lora_r": 0}, "'lora_r' cannot be 0"),
        ({"lora_r": "many"}, "'lora_r' cannot be 'many'"),
        ({"lr_scheduler_type": "triangle"}, "'lr_scheduler_type'"),
        ({"dtype": "int8"}, "'dtype'"),
        ({"layers_to_transform": "1-"}, "'layers_to_transform' cannot be '1-'"),
        ({"layers_to_transform": "upper"}, "'layers_to_transform' cannot be 'upper'"),
    ],
)
def test_a_wrong_hyperparameter_is_named(given, words):
    with pytest.raises(HyperparameterError, match=re.escape(words)):
        check_hyperparameters(given)


@pytest.mark.parametrize(("given", "flag"), [([3, 4], "3,4"), (7, "7"), ("15-29", "15-29"), ("", "")])
def test_layers_are_given_as_text_or_as_peft_has_them(given, flag):
    assert check_hyperparameters({"layers_to_transform": given}).layers_to_transform == flag


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lora_r": 8}, "'lora_r'. It is known to a language model's training, not to an encoder's. Known: num_train"),
        ({"head_lr": 1e-4}, "Did you mean 'head_learning_rate'"),
        ({"continue_share": 1.5}, "'continue_share' cannot be 1.5"),
        ({"head_learning_rate": float("nan")}, "'head_learning_rate' cannot be nan"),
    ],
)
def test_a_wrong_hyperparameter_of_an_encoder_is_named(given, words):
    with pytest.raises(HyperparameterError, match=re.escape(words)):
        check_hyperparameters(given, kind="encoder")


def test_no_hyperparameters_are_the_defaults():
    assert check_hyperparameters(None) == TrainingHyperparameters()
    assert check_hyperparameters(None, kind="encoder") == EncoderHyperparameters()


# -------------------------------------------------------------------------------------------------- progress lines


def read_metrics(line):
    """Read a line as CloudWatch does."""
    found = {d["Name"]: re.search(d["Regex"], line) for d in contract.METRIC_DEFINITIONS}
    return {name: float(match[1]) for name, match in found.items() if match}


@pytest.mark.parametrize(
    "values",
    [
        {"loss": 2.3456, "learning_rate": 0.0, "tokens_per_second": 120.5},
        {"loss": 1e-07, "learning_rate": 1.25e-05, "tokens_per_second": 0.0},
        {"loss": 0.5, "learning_rate": 8e-05, "decisions_per_second": 31.0},
        {"eval_loss": 0.25, "eval_decision_accuracy": 1.0},
    ],
)
def test_metrics_are_read_from_the_lines_that_the_scripts_print(shipped, values):
    stream = io.StringIO()
    state = SimpleNamespace(global_step=3, max_steps=16, epoch=0.5)
    shipped("run_callbacks").Progress(stream, is_printer=True).write(state, **values)
    assert read_metrics(stream.getvalue()) == values


def test_every_metric_has_a_line():
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "training_scripts").glob("*.py"))
    assert all(f"{definition['Name']}=" in scripts for definition in contract.METRIC_DEFINITIONS)


# -------------------------------------------------------------------------------------------------------- manifest


@pytest.mark.parametrize(("script", "model"), SCRIPTS)
def test_the_manifest_that_a_script_writes_is_read(shipped, tmp_path, script, model):
    settings = shipped(script).Settings(
        base_model_id="owner/base", base_model_revision="abc", prompt_version="routing-2", dataset_sha256="0" * 64
    )
    job = shipped("job").Job(
        train=tmp_path,
        validation=None,
        base_model=None,
        model_dir=tmp_path,
        checkpoint_dir=None,
        num_gpus=0,
        name="job-1",
    )
    path = tmp_path / "manifest.json"
    writing = shipped("manifest")
    of_the_model = {"kind": "encoder", "fallback": "none"} if script == "train_encoder" else {}
    writing.write_manifest(
        path,
        settings,
        job,
        of_the_model=of_the_model,
        of_the_training={"rows": {"train": 3, "validation": None}},
        packages=["torch"],
        metrics={"eval_loss": 0.5},
    )
    manifest = contract.parse_manifest(path.read_bytes(), source="here")
    assert manifest.contract_version == contract.CONTRACT_VERSION == writing.CONTRACT_VERSION
    assert manifest.base_model == contract.BaseModelReference(id="owner/base", revision="abc")
    assert (manifest.prompt_version, manifest.answers, manifest.merged) == ("routing-2", "names", False)
    assert (manifest.kind, manifest.fallback) == (
        ("encoder", "none") if script == "train_encoder" else ("language_model", None)
    )
    assert manifest.metrics == {"eval_loss": 0.5}
    assert manifest.training["job_name"] == "job-1"
    assert set(manifest.training["hyperparameters"]) == set(model.model_fields)


def test_a_data_set_has_the_same_hash_on_both_sides(shipped, tmp_path):
    records = [
        {"messages": [{"role": "user", "content": "né \u2028 \U0001f642"}], "b": 1, "a": [1.5, None]},
        {"x": "\ud800"},
    ]
    ours = ContentHash()
    for record in records:
        ours.add(record)
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert shipped("records").channel_sha256(tmp_path) == ours.hexdigest()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"contract_version": "x", "base_model": {"id": "b"}}'])
def test_what_is_no_manifest_is_refused_by_its_name(text):
    with pytest.raises(ArtifactError, match=r"s3://b/model\.tar\.gz"):
        contract.parse_manifest(text, source="s3://b/model.tar.gz")


def test_a_manifest_of_another_contract_is_refused_with_what_to_do():
    text = json.dumps({"contract_version": 2, "base_model": {"id": "b"}})
    with pytest.raises(ArtifactError, match="contract version 2; this library speaks version 1"):
        contract.parse_manifest(text, source="x")


# ------------------------------------------------------------------------------------------------ request and reply


def test_the_server_takes_what_the_caller_builds(chat_request):
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    body = contract.chat_request(messages, choices=["a", "none"], max_tokens=16, adapter="blue")
    read = chat_request.parse_chat_request(json.dumps(body))
    assert (read.messages, read.choices, read.adapter) == (messages, ["a", "none"], "blue")
    assert (read.max_tokens, read.temperature, read.logprobs) == (16, 0.0, True)
    plain = chat_request.parse_chat_request(json.dumps(contract.chat_request(messages)))
    assert (plain.choices, plain.adapter, plain.temperature) == (None, None, 0.0)


def test_a_reply_without_our_extras_is_read():
    """A vLLM container leaves `choice_probabilities` out, and may give null for details."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "prompt_tokens_details": None}
    body = {"choices": [{"message": {"role": "assistant", "content": "a"}}], "usage": usage}
    reply = contract.parse_chat_reply(json.dumps(body).encode())
    assert (reply.content, reply.choice_probabilities) == ("a", None)
    assert reply.usage == contract.Usage(prompt_tokens=9, completion_tokens=2, total_tokens=11)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": 3}}]}', b"null"]
)
def test_what_is_no_reply_is_refused(body):
    with pytest.raises(ValueError, match=r"Expecting value|not a chat completion"):
        contract.parse_chat_reply(body)


def test_the_channels_and_folders_have_the_names_that_both_sides_use(shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(tmp_path))
    monkeypatch.setenv(f"SM_CHANNEL_{contract.BASE_MODEL_CHANNEL.upper()}", str(tmp_path / "base"))
    assert shipped("job").read_environment().base_model == tmp_path / "base"


@pytest.mark.parametrize(
    "name", ["output_dir", "eval_steps", "report_to", "deepspeed", "logging_strategy", "load_in_8bit", "lora_bias"]
)
def test_a_hyperparameter_of_another_meaning_is_not_proposed(name):
    with pytest.raises(HyperparameterError) as caught:
        check_hyperparameters({name: 1})
    assert "Did you mean" not in str(caught.value)
    assert "Known: num_train_epochs" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lora_rank", "lora_r"),
        ("epochs", "num_train_epochs"),
        ("learnin_rate", "learning_rate"),
        ("max_len", "max_length"),
    ],
)
def test_a_hyperparameter_that_is_misspelt_is_proposed(name, meant):
    with pytest.raises(HyperparameterError, match=f"Did you mean '{meant}'"):
        check_hyperparameters({name: 1})
