"""SageMaker's side of training scripts: the lines that hold metrics, and the folders that they read."""

import io
import re
from types import SimpleNamespace

import pytest
from pages import ROOT

from mojo_toolbox.clouds.aws.container_paths import BASE_MODEL_CHANNEL
from mojo_toolbox.clouds.aws.metric_definitions import METRIC_DEFINITIONS


def read_metrics(line):
    """Read a line as CloudWatch does."""
    found = {d["Name"]: re.search(d["Regex"], line) for d in METRIC_DEFINITIONS}
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
    shipped("job.progress").ProgressLines(stream, is_printer=True).write(state, **values)
    assert read_metrics(stream.getvalue()) == values


def test_every_metric_has_a_line():
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "training_scripts").rglob("*.py"))
    assert all(f"{definition['Name']}=" in scripts for definition in METRIC_DEFINITIONS)


def test_the_channels_and_folders_have_the_names_that_both_sides_use(shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(tmp_path))
    monkeypatch.setenv(f"SM_CHANNEL_{BASE_MODEL_CHANNEL.upper()}", str(tmp_path / "base"))
    assert shipped("job.environment").read_environment().base_model == tmp_path / "base"
