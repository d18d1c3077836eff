"""The manifest: what a training script writes is what the library reads."""

import json

import pytest

from mojo_toolbox import contract
from mojo_toolbox.contract import EncoderHyperparameters, TrainingHyperparameters
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.errors import ArtifactError

SCRIPTS = [("train_qlora", TrainingHyperparameters), ("train_encoder", EncoderHyperparameters)]


@pytest.mark.parametrize(("script", "model"), SCRIPTS)
def test_the_manifest_that_a_script_writes_is_read(shipped, settings_of, tmp_path, script, model):
    settings = settings_of(script)(
        base_model_id="owner/base", base_model_revision="abc", prompt_version="routing-2", dataset_sha256="0" * 64
    )
    job = shipped("job.environment").Job(
        train=tmp_path,
        validation=None,
        base_model=None,
        model_dir=tmp_path,
        checkpoint_dir=None,
        num_gpus=0,
        name="job-1",
    )
    path = tmp_path / "manifest.json"
    writing = shipped("saving.manifest")
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
    assert shipped("job.records").channel_sha256(tmp_path) == ours.hexdigest()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"contract_version": "x", "base_model": {"id": "b"}}'])
def test_what_is_no_manifest_is_refused_by_its_name(text):
    with pytest.raises(ArtifactError, match=r"s3://b/model\.tar\.gz"):
        contract.parse_manifest(text, source="s3://b/model.tar.gz")


def test_a_manifest_of_another_contract_is_refused_with_what_to_do():
    text = json.dumps({"contract_version": 2, "base_model": {"id": "b"}})
    with pytest.raises(ArtifactError, match="contract version 2; this library speaks version 1"):
        contract.parse_manifest(text, source="x")
