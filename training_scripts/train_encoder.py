"""Fine-tune a sentence encoder to choose, on chat examples: a SageMaker training job, or by hand.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=model python train_encoder.py --base_model sentence-transformers/all-MiniLM-L6-v2

Reads JSONL lines {"messages": [{"role", "content", "train"?}, ...], "choices": [name, ...]}. Each assistant message is one of
the choices, and one decision to learn unless "train" is false. Writes choice_encoder.safetensors, choice_encoder.json and
manifest.json to SM_MODEL_DIR. Progress is one JSON object a line on stdout; everything else goes to stderr.
"""

from __future__ import annotations

import math
import random
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import transformers
from encoder_training.decisions import Decisions, Schedule, by_length, choice_texts, load_decisions
from encoder_training.temperature import Answers, calibration_metrics, fit_temperature
from job.records import channel_sha256
from job.run_callbacks import Progress, StopSignal, check_loss
from job.settings import (
    TrainingInputError,
    TrainingSettings,
    base_model_revision,
    base_model_source,
    check_numbers,
    claim_stdout,
    loading,
    print_resolved,
    read_environment,
    read_settings,
    say,
    work_folder,
)
from model_code.base_network import load_tokenizer, read_config
from model_code.choice_encoder import ChoiceEncoder, EncoderConfig, targets
from model_code.encoder_questions import Question
from model_code.hugging_face_token import fetch_hugging_face_token
from saving.checkpoints import BestEpoch, Checkpoints, run_fingerprint
from saving.manifest import write_manifest

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")
RUN_FILE = "run.pt"
# A checkpoint may be resumed with other values of these.
MAY_DIFFER = {
    "per_device_eval_batch_size",
    "save_steps",
    "save_total_limit",
    "logging_steps",
    "load_best_model_at_end",
    "calibrate",
    "dataset_sha256",
    "validation_sha256",
}


def main() -> None:
    """Tell the story: arguments, data, model, train, calibrate, save. What can be refused at once is checked first."""
    began = time.monotonic()
    settings, job = read_settings(Settings, description=str(__doc__)), read_environment()
    check_numbers(settings)
    source = base_model_source(settings.base_model, job)
    stop = StopSignal()
    progress = Progress(claim_stdout(), is_printer=True)
    print_resolved(settings, job)
    if job.num_gpus > 1:
        say(f"One of the {job.num_gpus} GPUs is used.")
    with work_folder(job) as work:
        fetch_hugging_face_token()
        check_is_encoder(source, settings)
        train = load_decisions(job.train, fallback=settings.fallback, versions=settings.data_versions)
        validation = load_decisions(job.validation, fallback=settings.fallback) if job.validation else None
        schedule = scheduled(train, settings)
        fingerprint = run_fingerprint(settings, source, [channel_sha256(job.train)], may_differ=MAY_DIFFER)
        checkpoints = Checkpoints(work, fingerprint, limit=settings.save_total_limit) if job.checkpoint_dir else None
        resume_from = checkpoints.newest() if checkpoints else None

        model = load_encoder(source, settings)
        best = BestEpoch(work / "best", save=model.save, restore=model.load_trained, forget=resume_from is None)
        run = Run(model, schedule, settings)
        if resume_from is not None:
            run.load(resume_from)
        metrics = learn(run, validation, best, checkpoints=checkpoints, progress=progress, stop=stop)
        if settings.load_best_model_at_end:
            metrics |= best.restore()
        if settings.calibrate and validation is not None:
            metrics |= calibrate(model, validation, settings)
        model.save(job.model_dir)
        write_manifest(
            job.model_dir / "manifest.json",
            settings,
            job,
            of_the_model={"kind": "encoder", "fallback": settings.fallback},
            of_the_training={
                "rows": {"train": train.rows, "validation": None if validation is None else validation.rows},
                "decisions": run.decisions_read,
                "seconds": round(time.monotonic() - began, 1),
            },
            packages=PACKAGES,
            metrics=metrics,
        )


# ---------------------------------------------------------------------------------------------------- arguments


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """Hyperparameters, by transformers' names where it has them."""

    num_train_epochs: float = 3
    learning_rate: float = 8e-5
    """The encoder's own, at its highest."""
    head_learning_rate: float = 5e-4
    """That of all weights that the base model does not bring."""
    warmup_steps: int = 50
    weight_decay: float = 0.01
    per_device_train_batch_size: int = 24
    per_device_eval_batch_size: int = 64
    trained_layers: int = -1
    """How many of the encoder's layers are trained, counted from the last; -1: all."""
    continue_share: float = 0.25
    """Of the decisions that repeat the running choice, the share that an epoch reads."""
    calibrate: bool = True
    """Fit a temperature on the validation channel."""
    logging_steps: int = 10
    save_steps: int = 200
    fallback: str = "none"
    """The choice that means none of the others."""


def scheduled(train: Decisions, settings: Settings) -> Schedule:
    """Lay out what is read when."""
    return Schedule(
        train,
        epochs=settings.num_train_epochs,
        max_steps=settings.max_steps,
        batch_size=settings.per_device_train_batch_size,
        continue_share=settings.continue_share,
        by_length=settings.group_by_length,
        seed=settings.seed,
    )


# -------------------------------------------------------------------------------------------------------- model


def check_is_encoder(source: str, settings: Settings) -> None:
    """Refuse a base model that writes text: it reads no word in the light of those after it."""
    revision = base_model_revision(source, settings)
    with loading():
        config, tokenizer = read_config(source, revision=revision), load_tokenizer(source, revision=revision)
    kind = (config.architectures or [type(config).__name__])[0]
    writes = kind.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) or config.is_encoder_decoder
    if writes or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise TrainingInputError(
            f"The base model {source!r} ({kind}) is no sentence encoder: name one, such as "
            "sentence-transformers/all-MiniLM-L6-v2, or train a language model with train_qlora.py."
        )


def load_encoder(source: str, settings: Settings) -> ChoiceEncoder:
    """Load the base model with new weights around it, on the GPU if there is one."""
    transformers.set_seed(settings.seed)
    with loading():
        model = ChoiceEncoder.from_base(
            source,
            revision=base_model_revision(source, settings),
            config=EncoderConfig(fallback=settings.fallback, trained_layers=settings.trained_layers),
        )
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


# -------------------------------------------------------------------------------------------------------- train


@dataclass
class Run:
    """A training run and where it stands: all that a resumed one must have to give the same weights.

    What is drawn by chance is drawn from torch's and Python's generators, kept with a checkpoint, or (which decisions an
    epoch reads) from the epoch's number.
    """

    model: ChoiceEncoder
    schedule: Schedule
    settings: Settings
    global_step: int = 0
    epoch: float = 0.0
    decisions_read: int = 0
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.max_steps = self.schedule.epoch_ends[-1]
        encoder = [w for w in self.model.encoder.parameters() if w.requires_grad]
        of_encoder = {id(weight) for weight in encoder}
        new = [w for w in self.model.parameters() if w.requires_grad and id(w) not in of_encoder]
        self._highest_rates = (self.settings.learning_rate, self.settings.head_learning_rate)
        self._optimizer = torch.optim.AdamW(
            [{"params": encoder}, {"params": new}], lr=0.0, weight_decay=self.settings.weight_decay
        )

    def epochs_left(self) -> list[int]:
        """Return the numbers of the epochs that end at this step or later: a stopped job may not have measured its last."""
        return [epoch for epoch, end in enumerate(self.schedule.epoch_ends) if end >= self.global_step]

    def batches_left(self, epoch: int) -> list[list[Question]]:
        """Return what is to be read of this epoch, with the choices' vectors of all of it at hand."""
        began = self.schedule.epoch_ends[epoch - 1] if epoch else 0
        end = self.schedule.epoch_ends[epoch]
        batches = self.schedule.batches(epoch)[: end - began]
        left = batches[self.global_step - began :]
        if left:
            texts = choice_texts([asked for batch in batches for asked in batch])
            say(f"Reading the {len(texts)} different texts of epoch {epoch + 1}'s choices first, once.")
            self.model.remember(texts)
            self.model.train()
        return left

    def step(self, batch: Sequence[Question], progress: Progress) -> None:
        """Learn from one batch; a loss that is no number ends the job."""
        rates = self._set_rates()
        loss = self.model.loss(batch, running_share=self.settings.continue_share)
        self.losses.append(loss.item())
        check_loss(self.losses[-1], self.global_step + 1)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.global_step += 1
        self.decisions_read += len(batch)
        self.epoch = self._epochs_read()
        # The last steps too: a run that is shorter than logging_steps would never say its loss.
        since = self.global_step % self.settings.logging_steps or self.settings.logging_steps
        if since == self.settings.logging_steps or self.global_step == self.max_steps:
            progress.write(
                self,
                loss=round(fmean(self.losses[-since:]), 6),
                learning_rate=rates[0],
                decisions_per_second=progress.speed(self.decisions_read),
            )

    def is_due_to_save(self) -> bool:
        """Say whether a checkpoint is due at this step."""
        return self.global_step % self.settings.save_steps == 0

    def is_at_end_of(self, epoch: int) -> bool:
        """Say whether this step is the epoch's last."""
        return self.global_step == self.schedule.epoch_ends[epoch]

    def save(self, checkpoints: Checkpoints) -> None:
        """Write a checkpoint."""
        folder = checkpoints.at(self.global_step)
        shutil.rmtree(folder, ignore_errors=True)
        self.model.save(folder)
        state = {
            "global_step": self.global_step,
            "decisions_read": self.decisions_read,
            "losses": self.losses,
            "optimizer": self._optimizer.state_dict(),
            "python": random.getstate(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }
        torch.save(state, folder / RUN_FILE)
        checkpoints.keep(self.global_step)

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        self.model.load_trained(folder)
        state = torch.load(folder / RUN_FILE, map_location="cpu", weights_only=True)
        self.global_step, self.decisions_read = state["global_step"], state["decisions_read"]
        self.losses = state["losses"]
        self.epoch = self._epochs_read()
        self._optimizer.load_state_dict(state["optimizer"])
        random.setstate(state["python"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])

    def _set_rates(self) -> list[float]:
        share = rate_share(
            self.global_step, self.max_steps, warmup=self.settings.warmup_steps, kind=self.settings.lr_scheduler_type
        )
        rates = [highest * share for highest in self._highest_rates]
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        return rates

    def _epochs_read(self) -> float:
        """Return how many epochs were read, with parts of one."""
        ends = self.schedule.epoch_ends
        epoch = next(epoch for epoch, end in enumerate(ends) if end >= self.global_step)
        began = ends[epoch - 1] if epoch else 0
        return epoch + (self.global_step - began) / self.schedule.full_steps(epoch)


def rate_share(step: int, steps: int, *, warmup: int, kind: str) -> float:
    """Return the share of the highest learning rate that a step has: it rises in `warmup` steps, then falls towards 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[kind]


def learn(
    run: Run,
    validation: Decisions | None,
    best: BestEpoch,
    *,
    checkpoints: Checkpoints | None,
    progress: Progress,
    stop: StopSignal,
) -> dict[str, Any]:
    """Train to the end and return the last epoch's figures; on SIGTERM leave a checkpoint and end the process."""
    metrics: dict[str, Any] = {"eval_loss": None, "eval_decision_accuracy": None, "best_epoch": None}
    progress.start(run, run.decisions_read)
    for epoch in run.epochs_left():
        for batch in run.batches_left(epoch):
            run.step(batch, progress)
            # At an epoch's end what was learnt is measured first: a resumed run would not do it again.
            if checkpoints and (stop.requested or (run.is_due_to_save() and not run.is_at_end_of(epoch))):
                run.save(checkpoints)
            if stop.requested and run.global_step < run.max_steps:
                say(f"Stopped by SIGTERM after step {run.global_step}; a resumed job goes on from there.")
                raise SystemExit(128 + signal.SIGTERM)
        if validation is not None:
            metrics |= measure_epoch(run, validation, best, progress)
        if checkpoints and run.is_due_to_save():
            run.save(checkpoints)
    return {"train_loss": round(fmean(run.losses), 6), **metrics}


# -------------------------------------------------------------------------------------------- measure, calibrate


def measure_epoch(run: Run, validation: Decisions, best: BestEpoch, progress: Progress) -> dict[str, float]:
    """Measure the validation channel, print and return the figures, and offer the weights as the best."""
    answers = answer(run.model, validation, run.settings.per_device_eval_batch_size)
    loss, accuracy = round(answers.loss(), 6), round(answers.accuracy(), 6)
    progress.write(run, eval_loss=loss, eval_decision_accuracy=accuracy)
    best.offer(run.global_step, epoch=run.epoch, loss=loss, accuracy=accuracy)
    return {"eval_loss": loss, "eval_decision_accuracy": accuracy}


def answer(model: ChoiceEncoder, decisions: Decisions, batch_size: int) -> Answers:
    """Ask the model all decisions, the earlier ones as labelled."""
    model.eval()
    questions = by_length(decisions.of_epoch(0))
    model.remember(choice_texts(questions))
    starts = range(0, len(questions), batch_size)
    rows = [row for start in starts for row in model.log_probabilities(questions[start : start + batch_size])]
    return Answers.of(rows, targets(questions))


def calibrate(model: ChoiceEncoder, validation: Decisions, settings: Settings) -> dict[str, Any]:
    """Set the model's temperature, and return what that does to its probabilities."""
    answers = answer(model, validation, settings.per_device_eval_batch_size)
    temperature = fit_temperature(answers)
    model.config = replace(model.config, temperature=temperature)
    return calibration_metrics(answers, temperature)


if __name__ == "__main__":
    try:
        main()
    except TrainingInputError as problem:
        # One line: SageMaker's failure reason is made of the lines from the first that names an error.
        say(f"{type(problem).__name__}: {problem}")
        raise SystemExit(1) from None
