"""The real sentence encoder learns from a few dozen batches of the conversations that ship with the library."""

import json

import pytest
from shipped_script import Outcome, start_script
from tiny_base import write_channel

from encoder_training.base_model import load_encoder
from encoder_training.decisions import load_decisions
from encoder_training.measuring import answer
from encoder_training.settings import EncoderSettings
from mojo_toolbox.base_models import MINILM, minilm_folder
from mojo_toolbox.data.starter import starter_conversations, starter_pool
from mojo_toolbox.purposes.routing.training import training_examples, validation_example


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_encoder_gets_more_held_out_decisions_right(tmp_path):
    base = minilm_folder(tmp_path / "models")
    train = list(training_examples(starter_conversations(200), pool=starter_pool()))
    # Composed anew: other conversations about the same tasks.
    held_out = [validation_example(conversation) for conversation in starter_conversations(40, seed=1)]
    environment = {
        "OMP_NUM_THREADS": 1,
        "SM_CHANNEL_TRAIN": write_channel(tmp_path / "train", train),
        "SM_CHANNEL_VALIDATION": write_channel(tmp_path / "validation", held_out),
        "SM_MODEL_DIR": tmp_path / "model",
    }
    settings = EncoderSettings()
    untrained = load_encoder(str(base), settings)
    decisions = load_decisions(environment["SM_CHANNEL_VALIDATION"], fallback="none")
    before = answer(untrained, decisions, settings.per_device_eval_batch_size)

    process = start_script(
        base, environment=environment, script="train_encoder.py", base_model_id=MINILM, max_steps=40, warmup_steps=10
    )
    stdout, stderr = process.communicate(timeout=800)
    outcome = Outcome(process.returncode, stdout, stderr)
    assert outcome.returncode == 0, outcome.stderr
    metrics = json.loads((tmp_path / "model/manifest.json").read_text())["metrics"]
    assert metrics["eval_decision_accuracy"] > before.accuracy()
    assert metrics["eval_loss"] < before.loss() - 0.2
    assert metrics["eval_ece"] < metrics["eval_ece_uncalibrated"]
