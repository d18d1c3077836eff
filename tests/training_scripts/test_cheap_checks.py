"""What is wrong is said before a model is loaded, the cheap checks first."""

import io
import json
import math
import types

import pytest
from misfit_bases import OTHER_CLASSES, UNFIT_WEIGHTS
from tiny_base import conversation, conversations, make_tokenizer, save_tiny_base, write_channel

import job.settings
import qlora.base_model
import train_encoder
import train_qlora
from encoder_training.base_model import load_encoder
from encoder_training.settings import EncoderSettings
from job.errors import TrainingInputError
from mojo_toolbox.contract import EncoderHyperparameters, TrainingHyperparameters
from qlora.base_model import check_base_model, load_base_model, load_tokenizer
from qlora.settings import QloraSettings
from saving.sealed_folders import seal

PLAIN = {"load_in_4bit": False, "dtype": "float32"}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """A job of two conversations; returns its folder."""
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(write_channel(tmp_path / "train", conversations(2))))
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.setenv("SM_CHECKPOINT_DIR", str(tmp_path / "checkpoints"))
    for name in ("SM_CHANNEL_VALIDATION", "MOJO_DATA_RECIPE", "SM_CHANNEL_BASE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(script, monkeypatch, base, *, may_load=(), **settings):
    """Run a script in this process; loading more than `may_load` fails the test."""

    def forbid(name):
        def fail(*_args, **_options):
            pytest.fail(f"{name} was called first")

        monkeypatch.setattr(script, name, fail)

    heavy = ("load_tokenizer", "load_base_model") if script is train_qlora else ("load_encoder",)
    for name in set(heavy) - set(may_load):
        forbid(name)
    monkeypatch.setattr(script, "StopSignal", lambda: types.SimpleNamespace(requested=False))
    monkeypatch.setattr(script, "claim_stdout", io.StringIO)
    flags = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["train", "--base_model", str(base), *flags])
    script.main()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lora_r": 0}, "lora_r is 0. Set it to at least 1"),
        ({"learning_rate": 2}, "learning_rate is 2.0. Set it to more than 0 and less than 1"),
        ({"num_train_epochs": 0}, "num_train_epochs is 0.0"),
        ({"layers_to_transform": "upper"}, "'upper' is no number"),
        ({"layers_to_transform": "7"}, "no layer 7; the base model's layers are 0 to 1"),
        ({"target_modules": "query"}, "'query' matches no module"),
        ({"target_modules": "query", "layers_to_transform": "1"}, "'query' matches no module"),
        ({"optim": "adamm"}, "adamm"),
        ({"dtype": "float16", "load_in_4bit": False}, "float16 needs a GPU"),
        ({"data_versions": 3}, "which are not data_versions=3 of each"),
    ],
)
def test_settings_are_refused_before_a_tokenizer_is_loaded(environment, monkeypatch, tiny_base, settings, words):
    with pytest.raises(TrainingInputError, match=words):
        run(train_qlora, monkeypatch, tiny_base, **{"load_in_4bit": False, **settings})


@pytest.mark.parametrize("channel", ["train", "validation"])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("no json", r"data.jsonl:3: this line is no JSON"),
        ('{"messages": []}', r"data.jsonl:3: expected"),
        ('{"messages": [{"role": "user", "content": "hi"}]}', r"data.jsonl:3: no assistant message bears loss"),
    ],
)
def test_bad_data_is_refused_before_a_tokenizer_is_loaded(environment, monkeypatch, tiny_base, channel, line, words):
    folder = write_channel(environment / channel, conversations(2))
    with (folder / "data.jsonl").open("a") as file:
        file.write(line + "\n")
    monkeypatch.setenv(f"SM_CHANNEL_{channel.upper()}", str(folder))
    with pytest.raises(TrainingInputError, match=words):
        run(train_qlora, monkeypatch, tiny_base, **PLAIN)


def test_a_conversation_longer_than_the_models_context_is_refused_before_it_is_loaded(
    environment, monkeypatch, tiny_base
):
    write_channel(environment / "train", [conversation("please " * 600, "email")])
    with pytest.raises(TrainingInputError, match="and the base model reads 512 at most"):
        run(train_qlora, monkeypatch, tiny_base, may_load=["load_tokenizer"], **PLAIN)


@pytest.mark.parametrize("script", [train_qlora, train_encoder], ids=["language model", "encoder"])
def test_another_runs_checkpoints_are_refused_before_the_model_is_loaded(
    environment, monkeypatch, tiny_base, tiny_encoder, script
):
    folder = environment / "checkpoints" / "checkpoint-7"
    folder.mkdir(parents=True)
    seal(folder, {"fingerprint": "another"})
    base, settings = (tiny_base, PLAIN) if script is train_qlora else (tiny_encoder, {})
    if script is train_encoder:
        from encoder_chats import chats

        write_channel(environment / "train", chats(4))
    with pytest.raises(TrainingInputError, match="of a run with other data"):
        run(script, monkeypatch, base, may_load=["load_tokenizer"], **settings)


def test_a_model_folder_that_cannot_be_written_is_refused_at_once(environment, monkeypatch, tiny_base):
    (environment / "model").write_text("a file")
    with pytest.raises(TrainingInputError, match=r"cannot be saved in .*model"):
        run(train_qlora, monkeypatch, tiny_base)


def test_a_data_recipe_that_is_no_json_is_refused_at_once(environment, monkeypatch, tiny_base):
    monkeypatch.setenv("MOJO_DATA_RECIPE", "{")
    with pytest.raises(TrainingInputError, match="MOJO_DATA_RECIPE is no JSON"):
        run(train_qlora, monkeypatch, tiny_base)


def test_four_bits_without_bitsandbytes_are_refused_at_once(environment, monkeypatch, tiny_base):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingInputError, match="load_in_4bit needs the package bitsandbytes"):
        run(train_qlora, monkeypatch, tiny_base)


def test_a_package_that_is_not_installed_has_no_version():
    from saving.manifest import _version

    assert _version("no-such-package-at-all") is None
    assert _version("torch")


@pytest.mark.parametrize(
    ("settings", "known"),
    [(QloraSettings, TrainingHyperparameters), (EncoderSettings, EncoderHyperparameters)],
    ids=["language model", "encoder"],
)
def test_numbers_have_the_ranges_of_the_contract(settings, known):
    tried = 0
    for name, field in known.model_fields.items():
        beyond = [value for rule in field.metadata for value in beyond_of(rule)]
        for value in [*beyond, *([math.nan] if field.annotation is float else [])]:
            with pytest.raises(TrainingInputError, match=rf"^{name} is "):
                job.settings.check_numbers(settings(**{name: value}))
            tried += 1
        for value in [value for rule in field.metadata for value in within(rule)]:
            job.settings.check_numbers(settings(**{name: value}))
    assert tried > 20
    job.settings.check_numbers(settings())


def beyond_of(rule):
    steps = {"gt": 0, "ge": -1, "lt": 0, "le": 1}
    return [getattr(rule, kind) + step for kind, step in steps.items() if getattr(rule, kind, None) is not None]


def within(rule):
    return [getattr(rule, kind) for kind in ("ge", "le") if getattr(rule, kind, None) is not None]


@pytest.mark.parametrize("make", OTHER_CLASSES, ids=lambda make: make.__name__)
def test_a_base_that_is_no_causal_language_model_is_refused_by_its_configuration(make, tmp_path):
    with pytest.raises(TrainingInputError, match="no causal language model"):
        check_base_model(str(make(tmp_path)), QloraSettings())


@pytest.mark.parametrize("in_4bit", [False, True], ids=["bf16", "NF4"])
@pytest.mark.parametrize("make", UNFIT_WEIGHTS, ids=lambda make: make.__name__)
def test_a_base_whose_weights_do_not_fit_is_not_trained(make, in_4bit, tmp_path):
    import torch

    words = UNFIT_WEIGHTS[make] if not in_4bit else "do not fit|cannot be loaded"
    settings = QloraSettings(load_in_4bit=in_4bit)
    with pytest.raises(TrainingInputError, match=words) as caught:
        load_base_model(str(make(tmp_path)), settings, torch.device("cpu"))
    assert len(str(caught.value).splitlines()) == 1


def test_a_tokenizer_that_is_another_models_is_refused_before_the_model_is_loaded(environment, monkeypatch, tmp_path):
    base = save_tiny_base(tmp_path / "base", vocab_size=200)
    with pytest.raises(TrainingInputError, match="do not belong together"):
        run(train_qlora, monkeypatch, base, may_load=["load_tokenizer"], **PLAIN)


def test_an_encoders_base_without_its_layers_is_refused(tiny_encoder, tmp_path):
    import shutil

    base = shutil.copytree(tiny_encoder, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(TrainingInputError, match=r"lack encoder\.layer\.2"):
        load_encoder(str(base), EncoderSettings())


def test_an_encoders_settings_are_refused_before_its_model_is_loaded(environment, monkeypatch, tiny_encoder):
    from encoder_chats import chats

    write_channel(environment / "train", chats(2))
    with pytest.raises(TrainingInputError, match=r"continue_share is 2\.0"):
        run(train_encoder, monkeypatch, tiny_encoder, continue_share=2)


def test_the_tokenizer_is_of_the_revision_that_the_weights_are_of(monkeypatch):
    asked = []

    def read(source, *, revision=None):
        asked.append(revision)
        return make_tokenizer()

    monkeypatch.setattr(qlora.base_model, "read_tokenizer", read)
    load_tokenizer("some/model", QloraSettings(base_model_revision="abc"), vocabulary=400)
    assert asked == ["abc"]
