"""The validation channel: asked, measured, and used to make probabilities honest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from encoder_training.decisions import Decisions, choice_texts
from encoder_training.run import EncoderRun
from encoder_training.schedule import by_length
from encoder_training.settings import EncoderSettings
from encoder_training.temperature import Answers, calibration_metrics, fit_temperature
from job.progress import ProgressLines
from model_code.choice_encoder import ChoiceEncoder, targets
from saving.best_epoch import BestEpoch


def measure_epoch(run: EncoderRun, validation: Decisions, best: BestEpoch, progress: ProgressLines) -> dict[str, float]:
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


def calibrate(model: ChoiceEncoder, validation: Decisions, settings: EncoderSettings) -> dict[str, Any]:
    """Set the model's temperature, and return its effect on the probabilities."""
    answers = answer(model, validation, settings.per_device_eval_batch_size)
    temperature = fit_temperature(answers)
    model.config = replace(model.config, temperature=temperature)
    return calibration_metrics(answers, temperature)
