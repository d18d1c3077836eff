"""SmolLM2-135M really learns to route with 4-bit QLoRA on a CPU."""

import json
import random

import pytest
from tiny_base import write_channel

from mojo_toolbox.base_models import smollm2_folder
from mojo_toolbox.settings import load_settings

TASKS = "meeting_recap: sums up a meeting\nfollow_up_email: writes to a client\nquote: prepares an offer\nnone: no task"
REQUESTS = {
    "meeting_recap": ["recap of todays call pls", "can u sum up what we said w/ Ann", "minutes of the sync?"],
    "follow_up_email": ["write to Ben that we go ahead", "mail the client a thank you", "drop Ann a line for me"],
    "quote": ["what would 20 seats cost them, make an offer", "quote for Acme", "price proposal for 3 licences"],
    "none": ["hi!", "what's the weather like", "thx, bye"],
}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_model_learns_its_decisions(run_script, tmp_path):
    rng = random.Random(0)
    turns = [(text, task) for task, texts in REQUESTS.items() for text in texts]
    rows = []
    for _ in range(8):
        messages = [{"role": "system", "content": f"Name the task that the user wants.\n{TASKS}"}]
        for text, task in rng.sample(turns, 6):
            messages += [{"role": "user", "content": f"User: {text}"}, {"role": "assistant", "content": task}]
        rows.append({"messages": messages})
    channel = write_channel(tmp_path / "train", rows)
    outcome = run_script(
        base=smollm2_folder(load_settings().home / "base_models"),
        environment={
            "OMP_NUM_THREADS": 1,
            "SM_CHANNEL_TRAIN": channel,
            "SM_CHANNEL_VALIDATION": channel,
            "SM_MODEL_DIR": tmp_path / "model",
        },
        base_model_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        num_train_epochs=8,
        learning_rate=5e-4,
    )
    assert outcome.returncode == 0, outcome.stderr
    losses = [line["loss"] for line in outcome.progress if "loss" in line]
    assert losses[-1] < losses[0] / 3
    metrics = json.loads((tmp_path / "model/manifest.json").read_text())["metrics"]
    # Always naming one task would be right a quarter of the time.
    assert metrics["eval_decision_accuracy"] >= 0.75
