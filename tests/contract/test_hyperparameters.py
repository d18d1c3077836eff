"""Hyperparameters: the library and the training scripts know the same ones, and wrong ones are named."""

import dataclasses
import re
from typing import get_type_hints

import pytest

from mojo_toolbox.contract import EncoderHyperparameters, TrainingHyperparameters, check_hyperparameters
from mojo_toolbox.errors import HyperparameterError

# What the library itself gives the scripts, beside the user's hyperparameters: one of the last two.
OURS = {"base_model", "base_model_id", "base_model_revision", "prompt_version"}
OURS |= {"metric_for_best_model", "data_versions", "dataset_sha256", "validation_sha256", "answers", "fallback"}

SCRIPTS = [("train_qlora", TrainingHyperparameters), ("train_encoder", EncoderHyperparameters)]


@pytest.mark.parametrize(("script", "model"), SCRIPTS)
def test_a_script_knows_the_same_hyperparameters_with_the_same_defaults_and_types(settings_of, script, model):
    settings = settings_of(script)
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
def test_hyperparameters_arrive_in_the_script_as_they_were_given(shipped, settings_of, script, kind, given):
    checked = check_hyperparameters(given, kind=kind).model_dump()
    assert given.items() <= checked.items()
    # sagemaker-training decodes the JSON and writes the values as flags.
    flags = [text for name, value in checked.items() for text in (f"--{name}", str(value))]
    settings = shipped("job.settings").read_settings(settings_of(script), flags, description="")
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
