"""The script as a job: progress, artifact, checkpoints, and what it says when it cannot go on."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from shipped_script import SCRIPTS, start_script
from tiny_base import conversation, conversations, write_channel

from job.errors import TrainingInputError
from job.progress import ProgressLines
from job.stopping import StopSignal
from qlora.adapter import add_adapter, best_adapter
from qlora.base_model import load_base_model
from qlora.epochs import Epochs
from qlora.examples import load_examples
from qlora.settings import QloraSettings
from qlora.trainer import training_arguments
from saving.checkpoints import Checkpoints
from saving.sealed_folders import by_step, seal

# peft 0.21 asks transformers 5.23 by a name that transformers 6 will drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture
def job(tmp_path):
    return {
        "SM_CHANNEL_TRAIN": write_channel(tmp_path / "train", conversations(8)),
        "SM_CHANNEL_VALIDATION": write_channel(tmp_path / "validation", conversations(2)),
        "SM_MODEL_DIR": tmp_path / "model",
        "SM_CHECKPOINT_DIR": tmp_path / "checkpoints",
        "TRAINING_JOB_NAME": "router-1",
    }


def test_a_job_learns_and_leaves_a_whole_artifact(run_script, tiny_base, job):
    outcome = run_script(
        environment=job,
        learning_rate=1e-2,
        num_train_epochs=4,
        warmup_steps=1,
        merge_weights=True,
        base_model_id="tiny/base",
        prompt_version="7",
    )
    assert outcome.returncode == 0, outcome.stderr

    steps = [line for line in outcome.progress if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 17))
    assert all({"epoch", "learning_rate", "tokens_per_second"} < line.keys() for line in steps)
    assert all(line["max_steps"] == 16 for line in outcome.progress)
    epochs = [line for line in outcome.progress if "eval_loss" in line]
    assert len(epochs) == 4
    assert epochs[-1]["eval_decision_accuracy"] > epochs[0]["eval_decision_accuracy"]

    model_dir = job["SM_MODEL_DIR"]
    manifest = json.loads((model_dir / "manifest.json").read_text())
    assert manifest["base_model"] == {"id": "tiny/base", "revision": None}
    assert (manifest["contract_version"], manifest["prompt_version"], manifest["answers"]) == (1, "7", "names")
    training = manifest["training"]
    assert training["job_name"] == "router-1"
    assert training["rows"] == {"train": 8, "validation": 2}
    assert training["tokens"] > 0
    assert len(training["dataset_sha256"]) == 64
    best = max(line["eval_decision_accuracy"] for line in epochs)
    assert manifest["metrics"]["eval_decision_accuracy"] == best
    assert str(tiny_base) not in (model_dir / "adapter_config.json").read_text()

    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_base), model_dir)
    merged = AutoModelForCausalLM.from_pretrained(model_dir / "merged")
    assert AutoTokenizer.from_pretrained(model_dir).chat_template
    ids = AutoTokenizer.from_pretrained(model_dir / "merged")("please", return_tensors="pt")
    apart = adapter(**ids).logits - merged(**ids).logits
    assert apart.abs().max() < 0.2


def test_a_job_reads_another_version_of_the_data_in_each_epoch(run_script, job, tokenizer):
    # The versions differ in length: the number of tokens tells which of them were read.
    records = [conversation("please " * length, "email") for _ in range(2) for length in (5, 20, 60)]
    channel = write_channel(job["SM_CHANNEL_TRAIN"], records)
    settings = {"data_versions": 3, "num_train_epochs": 2, "load_in_4bit": False, "dtype": "float32"}
    outcome = run_script(environment=job, dataset_sha256="a" * 64, validation_sha256="b" * 64, **settings)
    assert outcome.returncode == 0, outcome.stderr
    training = json.loads((job["SM_MODEL_DIR"] / "manifest.json").read_text())["training"]
    assert (training["rows"], training["data_versions"]) == ({"train": 2, "validation": 2}, 3)
    assert (training["dataset_sha256"], training["validation_sha256"]) == ("a" * 64, "b" * 64)
    tokens = [len(row["input_ids"]) for row in load_examples(channel, tokenizer, 512)]
    assert training["tokens"] == sum(tokens[0::3]) + sum(tokens[1::3])


@pytest.mark.long
def test_a_stopped_job_goes_on_from_its_newest_whole_checkpoint(run_script, tiny_base, job):
    settings = {"num_train_epochs": 12, "save_steps": 2, "load_in_4bit": False, "dtype": "float32"}
    process = start_script(tiny_base, environment=job, **settings)
    for line in process.stdout:
        if json.loads(line)["step"] >= 5:
            process.send_signal(signal.SIGTERM)
            break
    _, stderr = process.communicate(timeout=250)
    assert process.returncode == 128 + signal.SIGTERM, stderr
    assert not job["SM_MODEL_DIR"].exists()

    checkpoints = by_step(job["SM_CHECKPOINT_DIR"], "checkpoint-*")
    assert len(checkpoints) == 2
    newest = int(checkpoints[0].name.split("-")[1])
    half_written = job["SM_CHECKPOINT_DIR"] / f"checkpoint-{newest + 1}"
    shutil.copytree(checkpoints[0], half_written)
    weights = half_written / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])

    outcome = run_script(environment=job, **settings)
    assert outcome.returncode == 0, outcome.stderr
    assert f"checkpoint-{newest + 1} was not written to its end" in outcome.stderr
    assert f"Resuming from checkpoint-{newest}." in outcome.stderr
    assert [line["step"] for line in outcome.progress if "loss" in line] == list(range(newest + 1, 49))


def test_the_best_epoch_is_remembered_over_a_resume(tmp_path, job, tiny_base, tokenizer):
    import torch

    settings = QloraSettings(load_in_4bit=False, dtype="float32")
    model = add_adapter(load_base_model(str(tiny_base), settings, torch.device("cpu")), settings)
    folder = tmp_path / "best" / "step-4"
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.5)
    model.save_pretrained(str(folder))
    seal(folder, {"eval_loss": 0.1, "eval_decision_accuracy": 1.0, "epoch": 1.0})
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.zero_()

    validation = load_examples(job["SM_CHANNEL_VALIDATION"], tokenizer, 512)
    progress = ProgressLines(sys.stderr, is_printer=False)
    stop = StopSignal()
    best = best_adapter(model, tmp_path / "best", forget=False)
    try:
        epochs = Epochs(best, validation, 4, progress, stop)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    args = training_arguments(settings, tmp_path, saves=False)
    from transformers import TrainerState

    epochs.measure_if_not_yet(model, args, TrainerState(global_step=8, epoch=2.0))
    assert best.restore() == {"eval_loss": 0.1, "eval_decision_accuracy": 1.0, "best_epoch": 1.0}
    assert all((w == 0.5).all() for name, w in model.named_parameters() if "lora_B" in name)


def test_checkpoints_of_another_run_are_refused_and_kept(tmp_path):
    folder = tmp_path / "checkpoint-7"
    folder.mkdir()
    seal(folder, {"fingerprint": "another"})
    with pytest.raises(TrainingInputError, match="of a run with other data"):
        Checkpoints(tmp_path, "ours", limit=2).newest()
    assert folder.exists()


def test_two_processes_train_together_and_one_prints(run_script, job):
    outcome = run_script(
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
        environment=job,
        num_train_epochs=1,
        per_device_train_batch_size=1,
        load_in_4bit=False,
        dtype="float32",
        save_steps=3,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert [line["step"] for line in outcome.progress if "loss" in line] == [1, 2, 3, 4]
    assert sum("eval_loss" in line for line in outcome.progress) == 1
    assert (job["SM_MODEL_DIR"] / "adapter_model.safetensors").is_file()


def test_what_cannot_go_on_ends_in_one_line(run_script, job):
    (job["SM_CHANNEL_TRAIN"] / "data.jsonl").write_text("no json\n")
    outcome = run_script(environment=job)
    assert outcome.returncode == 1
    assert outcome.progress == []
    assert outcome.stderr.splitlines()[-1] == (
        "TrainingInputError: data.jsonl:1: this line is no JSON (Expecting value)."
    )


def lay_out_job(base_dir, tiny_base, **hyperparameters):
    """Lay out what SageMaker puts below /opt/ml, for the real containers' entry code."""
    source = base_dir / "source"
    # Without requirements.txt: the entry code would install it into the environment of the tests.
    shutil.copytree(SCRIPTS, source, ignore=shutil.ignore_patterns("requirements.txt", "__pycache__"))
    channels = {"train": write_channel(base_dir / "input/data/train", conversations(2))}
    shutil.copytree(tiny_base, base_dir / "input/data/base_model")
    channels["base_model"] = base_dir / "input/data/base_model"
    given = {"sagemaker_program": "train_qlora.py", "sagemaker_submit_directory": str(source), **hyperparameters}
    config = {
        "hyperparameters": {name: json.dumps(value) for name, value in given.items()},
        "inputdataconfig": {name: {"TrainingInputMode": "File"} for name in channels},
        "resourceconfig": {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "lo"},
    }
    (base_dir / "input/config").mkdir(parents=True)
    for name, document in config.items():
        (base_dir / f"input/config/{name}.json").write_text(json.dumps(document))


def run_entry_code(base_dir):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SM_")}
    return subprocess.run(
        [sys.executable, "-m", "sagemaker_training.cli.train"],
        env={**kept, "SAGEMAKER_BASE_DIR": str(base_dir), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_the_containers_entry_code_runs_it_with_a_staged_base_model(tmp_path, tiny_base):
    lay_out_job(tmp_path, tiny_base, base_model="", base_model_id="tiny/base", max_steps=1, load_in_4bit=False)
    outcome = run_entry_code(tmp_path)
    assert outcome.returncode == 0, outcome.stderr + outcome.stdout
    manifest = json.loads((tmp_path / "model/manifest.json").read_text())
    assert manifest["base_model"]["id"] == "tiny/base"
    assert manifest["training"]["hyperparameters"]["load_in_4bit"] is False
