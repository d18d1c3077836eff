"""A purpose of one's own, with data of its own kind, is trained without a change to any other room."""

import json
import tarfile

import pytest

from mojo_toolbox import Hub
from mojo_toolbox.data.jsonl import write_records
from mojo_toolbox.errors import ArtifactError, DataError
from mojo_toolbox.purposes.purpose import AllowedAnswers, PreparedData, Purpose
from mojo_toolbox.purposes.registry import PURPOSES

MOODS = ["happy", "sad", "other"]
RECORDS = [{"text": "what a day", "mood": "happy"}, {"text": "it rains", "mood": "sad"}]
KEY = {"product": "mojodex", "task": "mood", "model_id": "tiny-moods"}
QUICK = {"load_in_4bit": False, "dtype": "float32", "warmup_steps": 0, "lora_r": 2, "learning_rate": 0.5}


class Mood(Purpose):
    """Which mood a text is in: records have a text and its mood."""

    prompt_version = "mood-1"
    answers = AllowedAnswers(form="moods", fallback="other")
    best_metric = "eval_loss"

    def require_readable(self, source):
        if "mood" not in source[0]:
            raise DataError("a record has a text and its mood.")

    def prepare_training_data(self, source, target, *, mix):
        return self._write(source * mix.copies, target)

    def prepare_validation_data(self, source, target):
        return self._write(source, target)

    def _write(self, source, target):
        rows = write_records(target, (self._example(**record) for record in source))
        return PreparedData(target, rows=rows, sha256="m" * 64, augmented=False)

    def _example(self, text, mood):
        messages = [
            {"role": "system", "content": "Name the mood."},
            {"role": "user", "content": text},
            {"role": "assistant", "content": mood},
        ]
        return {"messages": messages, "choices": MOODS}


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(PURPOSES, "mood", Mood())


@pytest.mark.slow
def test_a_new_purpose_is_trained_with_its_own_data_prompt_and_metric(local_home, tiny_base, tmp_path, monkeypatch):
    hub = Hub(cloud_service="local", home=local_home)
    job = hub.train(
        base_model=tiny_base,
        train_data=RECORDS,
        validation_data=RECORDS,
        hyperparameters={**QUICK, "num_train_epochs": 4},
        **KEY,
    ).wait(progress=False)
    manifest = manifest_of(hub, job, tmp_path / "model.tar.gz")
    assert (manifest["prompt_version"], manifest["answers"]) == ("mood-1", "moods")
    assert manifest["training"]["dataset_sha256"] == "m" * 64
    assert manifest["training"]["metric_for_best_model"] == "eval_loss"
    epochs = [json.loads(line) for line in job.logs() if '"eval_loss"' in line and line.startswith('{"step"')]
    assert len(epochs) == 4
    assert manifest["metrics"]["eval_loss"] == min(epoch["eval_loss"] for epoch in epochs)

    assert hub.deploy(**KEY, dry_run=True)[0].operation == "CreateModel"
    monkeypatch.setattr(Mood, "prompt_version", "mood-2")
    with pytest.raises(ArtifactError, match="was trained on the prompt 'mood-1'; this library asks with 'mood-2'"):
        hub.deploy(**KEY, dry_run=True)


def manifest_of(hub, job, path):
    hub._account.storage(dry_run=False).download(job.model_data, path)
    with tarfile.open(path) as archive:
        return json.load(archive.extractfile("manifest.json"))


def told(tmp_path, **options):
    hub = Hub(cloud_service="aws", region_name="us-east-1", role="r", home=tmp_path)
    (request,) = hub.train(dry_run=True, **{**KEY, **options})
    return {name: json.loads(value) for name, value in request.parameters["HyperParameters"].items()}


def test_a_job_is_told_what_its_purpose_says(tmp_path):
    language_model = told(tmp_path, base_model="a/b", train_data=RECORDS)
    assert language_model["prompt_version"] == "mood-1"
    assert language_model["answers"] == "moods"
    assert language_model["metric_for_best_model"] == "eval_loss"
    encoder = told(tmp_path, recipe="encoder-router-small", train_data=RECORDS)
    assert encoder["fallback"] == "other"


def test_data_of_another_kind_is_refused_in_the_words_of_the_purpose(tmp_path):
    with pytest.raises(DataError, match="a record has a text and its mood"):
        told(tmp_path, base_model="a/b", train_data=[{"messages": []}])


def test_a_task_without_a_purpose_is_trained_on_chats_with_any_prompt(tmp_path):
    chat = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    plain = told(tmp_path, base_model="a/b", train_data=[chat], task="chat")
    assert plain["prompt_version"] == ""
    assert plain["metric_for_best_model"] == "eval_decision_accuracy"
