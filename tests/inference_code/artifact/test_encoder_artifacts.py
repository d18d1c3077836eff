"""What an encoder's artifact may hold, and where its base model is found."""

import json

import pytest
from tiny_choice_encoder import save_bert, save_choice_encoder, tasks_message
from tiny_model import write_manifest

from artifact.encoder import load_encoder_beside
from artifact.manifest import UnservableArtifactError, artifact_kind

TASKS = {"weather": "rain", "book_table": "dinner"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("MOJO_DTYPE", "MOJO_BASE_MODEL", "MOJO_BASE_MODEL_REVISION", "MOJO_ENCODER_BASE_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def folder(tmp_path, bert):
    return save_choice_encoder(tmp_path / "artifact", bert)


def weigh(folder):
    import inference

    server = inference.model_fn(str(folder))
    body = {"messages": [tasks_message(TASKS), {"role": "user", "content": "User: rain"}]}
    body["structured_outputs"] = {"choice": [*TASKS, "none"]}
    return json.loads(inference.answer(server, json.dumps(body)))["choices"][0]["choice_probabilities"]


def test_an_artifact_is_a_language_models_unless_it_says_otherwise(tmp_path, folder):
    assert artifact_kind(folder) == "encoder"
    assert artifact_kind(tmp_path) == "language_model"
    write_manifest(tmp_path / "plain")
    assert artifact_kind(tmp_path / "plain") == "language_model"


def test_another_kind_is_refused_with_the_known_ones(tmp_path):
    write_manifest(tmp_path, kind="diffusion")
    with pytest.raises(
        UnservableArtifactError, match="of the kind 'diffusion'; this server knows language_model and encoder"
    ):
        weigh(tmp_path)


def test_the_environment_names_the_base_model_before_the_manifest(folder, bert, monkeypatch):
    expected = weigh(folder)
    write_manifest(folder, kind="encoder", base_model={"id": "nowhere/at-all"})
    monkeypatch.setenv("MOJO_BASE_MODEL", str(bert))
    assert weigh(folder) == expected


def test_what_was_saved_is_what_answers(tmp_path, bert):
    first, second = (weigh(save_choice_encoder(tmp_path / str(seed), bert, seed=seed)) for seed in (1, 2))
    assert first != pytest.approx(second, abs=1e-3)


def remove(name):
    return lambda folder: (folder / name).unlink()


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove("choice_encoder.safetensors"), "has no choice_encoder.safetensors"),
        (remove("choice_encoder.json"), "has no choice_encoder.json"),
        (write("choice_encoder.json", b"{"), "cannot be loaded"),
        (write("choice_encoder.json", b'{"depth": 3}'), "depth"),
        (write("choice_encoder.json", b'{"comparing_width": 96}'), "cannot be loaded on the base model"),
        (write("choice_encoder.safetensors", b"not weights"), "cannot be loaded"),
        (write("manifest.json", b'{"contract_version": 1, "kind": "encoder"}'), "Set MOJO_BASE_MODEL"),
        (write("manifest.json", b'{"contract_version": 9, "kind": "encoder"}'), "contract version 9"),
    ],
)
def test_an_artifact_that_cannot_be_served_says_why_in_a_line(folder, spoil, words):
    spoil(folder)
    with pytest.raises(UnservableArtifactError) as caught:
        weigh(folder)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_wrong_dtype_is_refused(folder, monkeypatch):
    monkeypatch.setenv("MOJO_DTYPE", "int4")
    with pytest.raises(UnservableArtifactError, match="MOJO_DTYPE is 'int4'"):
        weigh(folder)


def test_an_encoder_beside_a_language_model_is_an_artifact_of_its_own(tmp_path, bert, monkeypatch):
    assert load_encoder_beside(tmp_path) is None
    save_choice_encoder(tmp_path / "encoder", bert)
    assert load_encoder_beside(tmp_path).base_model == str(bert)
    # The language model's base is not the encoder's.
    monkeypatch.setenv("MOJO_BASE_MODEL", "nowhere/at-all")
    assert load_encoder_beside(tmp_path).base_model == str(bert)
    (tmp_path / "encoder" / "manifest.json").unlink()
    with pytest.raises(UnservableArtifactError, match="Set MOJO_ENCODER_BASE_MODEL"):
        load_encoder_beside(tmp_path)
    monkeypatch.setenv("MOJO_ENCODER_BASE_MODEL", str(bert))
    assert load_encoder_beside(tmp_path).base_model == str(bert)


def test_an_encoders_base_model_can_lie_beside_its_weights(tmp_path):
    save_bert(tmp_path / "encoder")
    save_choice_encoder(tmp_path / "encoder", tmp_path / "encoder", base_model=None)
    assert load_encoder_beside(tmp_path).base_model == str(tmp_path / "encoder")
