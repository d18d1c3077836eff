"""The hyperparameters of an encoder's training."""

from __future__ import annotations

from dataclasses import dataclass

from job.settings import TrainingSettings

# A checkpoint may be resumed with other values of these.
MAY_DIFFER = {
    "per_device_eval_batch_size",
    "save_steps",
    "save_total_limit",
    "logging_steps",
    "load_best_model_at_end",
    "metric_for_best_model",
    "calibrate",
    "dataset_sha256",
    "validation_sha256",
}


@dataclass(frozen=True)
class EncoderSettings(TrainingSettings):
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
    """How many of the encoder's layers are trained, counted from the last. -1 means all."""
    continue_share: float = 0.25
    """Of the decisions that repeat the running choice, the share that an epoch reads."""
    calibrate: bool = True
    """Fit a temperature on the validation channel."""
    logging_steps: int = 10
    save_steps: int = 200
    fallback: str = "none"
    """The choice that means none of the others."""
