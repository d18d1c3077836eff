"""The encoder's script as a job: progress, artifact, checkpoints, and what it says when it cannot go on."""

import io
import json
import signal

import pytest
from encoder_chats import CHOICES, chat, chats
from shipped_script import Outcome, start_script
from tiny_base import write_channel

from encoder_training.base_model import check_is_encoder, load_encoder
from encoder_training.decisions import load_decisions
from encoder_training.measuring import answer
from encoder_training.run import EncoderRun, rate_share
from encoder_training.schedule import scheduled
from encoder_training.settings import EncoderSettings
from job.errors import TrainingInputError
from job.progress import ProgressLines
from model_code.choice_encoder import ChoiceEncoder
from model_code.encoder_questions import labelled_questions
from mojo_toolbox.contract import parse_manifest
from saving.checkpoints import Checkpoints
from saving.sealed_folders import by_step

SETTINGS = {"learning_rate": 3e-3, "head_learning_rate": 1e-3, "warmup_steps": 2, "per_device_train_batch_size": 8}
LONG = {**SETTINGS, "num_train_epochs": 6, "save_steps": 5, "logging_steps": 1}


def channels(folder):
    return {
        "SM_CHANNEL_TRAIN": write_channel(folder / "train", chats(60)),
        "SM_CHANNEL_VALIDATION": write_channel(folder / "validation", chats(8, seed=1)),
    }


@pytest.fixture
def job(tmp_path):
    return {
        **channels(tmp_path),
        "SM_MODEL_DIR": tmp_path / "model",
        "SM_CHECKPOINT_DIR": tmp_path / "checkpoints",
        "TRAINING_JOB_NAME": "router-1",
    }


def start(base, environment, **settings):
    return start_script(base, environment=environment, script="train_encoder.py", **settings)


def finish(process):
    stdout, stderr = process.communicate(timeout=250)
    return Outcome(process.returncode, stdout, stderr)


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_a_job_learns_and_leaves_a_whole_artifact(tiny_encoder, job):
    settings = {**SETTINGS, "num_train_epochs": 6, "logging_steps": 4, "prompt_version": "7", "base_model_id": "tiny/b"}
    outcome = finish(start(tiny_encoder, job, **settings))
    assert outcome.returncode == 0, outcome.stderr

    steps = [line for line in outcome.progress if "loss" in line]
    last = outcome.progress[-1]["max_steps"]
    assert [line["step"] for line in steps] == list(range(4, last + 1, 4))
    assert all({"epoch", "learning_rate", "decisions_per_second"} < line.keys() for line in steps)
    epochs = [line for line in outcome.progress if "eval_loss" in line]
    assert [line["epoch"] for line in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1]["eval_decision_accuracy"] > epochs[0]["eval_decision_accuracy"]
    assert epochs[-1]["eval_loss"] < epochs[0]["eval_loss"] * 0.8

    written = parse_manifest((job["SM_MODEL_DIR"] / "manifest.json").read_bytes(), source="here")
    assert (written.kind, written.fallback, written.base_model.id) == ("encoder", "none", "tiny/b")
    assert (written.training["rows"], written.training["job_name"]) == ({"train": 60, "validation": 8}, "router-1")
    assert written.training["decisions"] == sum(
        len(batch)
        for epoch in range(6)
        for batch in scheduled(load_decisions(job["SM_CHANNEL_TRAIN"], fallback="none"), EncoderSettings()).batches(
            epoch
        )
    )
    assert written.metrics["eval_decision_accuracy"] == max(line["eval_decision_accuracy"] for line in epochs)
    assert written.metrics["train_loss"] < steps[0]["loss"]
    assert {"temperature", "eval_ece", "eval_ece_uncalibrated", "best_epoch"} < written.metrics.keys()

    model = ChoiceEncoder.from_folder(job["SM_MODEL_DIR"], str(tiny_encoder))
    assert model.config.temperature == pytest.approx(written.metrics["temperature"], abs=1e-4)
    answers = answer(model, load_decisions(job["SM_CHANNEL_VALIDATION"], fallback="none"), 64)
    assert answers.accuracy() == pytest.approx(written.metrics["eval_decision_accuracy"], abs=1e-6)
    # The temperature is in these probabilities already.
    assert answers.calibration_error(1.0) == pytest.approx(written.metrics["eval_ece"], abs=1e-4)


@pytest.fixture(scope="module")
def uninterrupted(tiny_encoder, tmp_path_factory):
    """What comes out of the long run when nothing happens."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    outcome = finish(start(tiny_encoder, {**channels(folder), "SM_MODEL_DIR": folder / "model"}, **LONG))
    assert outcome.returncode == 0, outcome.stderr
    return folder / "model", outcome.progress


@pytest.mark.long
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_an_interrupted_run_ends_with_the_very_weights_of_an_uninterrupted_one(
    tiny_encoder, job, uninterrupted, sent, code
):
    model_dir, progress = uninterrupted
    process = start(tiny_encoder, job, **LONG)
    for line in process.stdout:
        if json.loads(line)["step"] >= 20:
            process.send_signal(sent)
            break
    _, stderr = process.communicate(timeout=250)
    assert process.returncode == code, stderr
    assert not job["SM_MODEL_DIR"].exists()
    newest = int(by_step(job["SM_CHECKPOINT_DIR"], "checkpoint-*")[0].name.split("-")[1])

    outcome = finish(start(tiny_encoder, job, **LONG))
    assert outcome.returncode == 0, outcome.stderr
    assert "Resuming from checkpoint-" in outcome.stderr
    timing = {"decisions_per_second"}
    expected = [{k: v for k, v in line.items() if k not in timing} for line in progress]
    resumed = [{k: v for k, v in line.items() if k not in timing} for line in outcome.progress]
    assert newest - 5 <= resumed[0]["step"] <= newest < expected[-1]["max_steps"]
    assert resumed[1:] == expected[-len(resumed[1:]) :]
    for name in ("choice_encoder.safetensors", "choice_encoder.json"):
        assert (job["SM_MODEL_DIR"] / name).read_bytes() == (model_dir / name).read_bytes(), name
    assert manifest_of(job["SM_MODEL_DIR"])["metrics"] == manifest_of(model_dir)["metrics"]


def test_checkpoints_that_are_resumed_at_an_epochs_end_have_it_measured(tiny_encoder, job):
    settings = EncoderSettings(per_device_train_batch_size=8, num_train_epochs=2, warmup_steps=0)
    folder = job["SM_CHECKPOINT_DIR"]
    run, _ = made_run(tiny_encoder, job, settings)
    for batch in run.batches_left(0):
        run.step(batch, ProgressLines(io.StringIO(), is_printer=False))
    run.save(Checkpoints(folder, "ours", limit=2))

    again, _ = made_run(tiny_encoder, job, settings)
    again.load(folder / f"checkpoint-{run.global_step}")
    assert again.epochs_left() == [0, 1]
    assert (again.batches_left(0), again.epoch, again.decisions_read) == ([], 1.0, run.decisions_read)
    assert again.batches_left(1) == run.schedule.batches(1)


def made_run(base, job, settings):
    model = load_encoder(str(base), settings)
    train = load_decisions(job["SM_CHANNEL_TRAIN"], fallback="none")
    return EncoderRun(model, scheduled(train, settings), settings), train


def test_a_loss_that_is_no_number_ends_the_job(tiny_encoder, job):
    run, _ = made_run(tiny_encoder, job, EncoderSettings(learning_rate=1e30, warmup_steps=0))
    batch = run.batches_left(0)[0]
    run.step(batch, ProgressLines(io.StringIO(), is_printer=True))
    with pytest.raises(TrainingInputError, match="no number any more at step 2: lower learning_rate"):
        run.step(batch, ProgressLines(io.StringIO(), is_printer=True))


def test_the_base_models_own_weights_and_the_new_ones_learn_at_their_own_rates(tiny_encoder, job):
    settings = EncoderSettings(head_learning_rate=1e-30, warmup_steps=0, weight_decay=0)
    run, _ = made_run(tiny_encoder, job, settings)
    before = {name: weight.detach().clone() for name, weight in run.model.named_parameters()}
    run.step(run.batches_left(0)[0], ProgressLines(io.StringIO(), is_printer=False))
    # A rate of 1e-30 still moves what is 0.
    changed = {n for n, weight in run.model.named_parameters() if (weight - before[n]).abs().max() > 1e-20}
    assert changed
    assert all(name.startswith("encoder.") for name in changed)
    assert "encoder.embeddings.word_embeddings.weight" not in changed


@pytest.mark.parametrize(
    ("step", "kind", "share"),
    [(0, "linear", 0.2), (3, "constant", 0.8), (12, "linear", 0.5), (12, "cosine", 0.5), (19, "constant", 1)],
)
def test_the_learning_rate_rises_then_falls(step, kind, share):
    assert rate_share(step, 20, warmup=4, kind=kind) == pytest.approx(share)


def test_halves_of_surrogate_pairs_and_empty_turns_are_read(tiny_encoder):
    record = chat(("rain \ud83d tomorrow", "get_weather"), ("", "none"), choices=[*CHOICES, "\udc00"])
    model = load_encoder(str(tiny_encoder), EncoderSettings())
    questions = labelled_questions(record["messages"], record["choices"], fallback="none")
    assert model.loss(questions).isfinite()


def test_a_language_model_is_refused_in_one_line(tiny_base, job):
    outcome = finish(start(tiny_base, job))
    assert (outcome.returncode, outcome.progress) == (1, [])
    assert outcome.stderr.splitlines()[-1] == (
        f"TrainingInputError: The base model '{tiny_base}' (LlamaForCausalLM) is no sentence encoder: name one, such as "
        "sentence-transformers/all-MiniLM-L6-v2, or train a language model with train_qlora.py."
    )


def test_a_base_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TrainingInputError, match="cannot be loaded"):
        check_is_encoder(str(tmp_path / "nowhere"), EncoderSettings())
