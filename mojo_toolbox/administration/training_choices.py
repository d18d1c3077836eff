"""A recipe, with the administrator's options laid over it, checked before anything is sent."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from mojo_toolbox import contract
from mojo_toolbox.administration.options import TrainingOptions
from mojo_toolbox.base_models import SMOLLM2, require_kind
from mojo_toolbox.contract import ModelKind
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.purposes.purpose import DataMix, PreparedData, Purpose
from mojo_toolbox.purposes.routing.recipes import Recipe, find_recipe

# An epoch of training reads its own version of the data. After so many they come again, since all are uploaded.
_MOST_VERSIONS = 10
_PROGRAMS: dict[ModelKind, str] = {"language_model": "train_qlora.py", "encoder": "train_encoder.py"}


@dataclass(frozen=True)
class TrainingChoices:
    """Base model, hyperparameters and mix of data of a training. Make one with `settle()`."""

    recipe: Recipe
    base_model: str
    """A Hugging Face model id, a folder or an `s3://` URI."""
    hyperparameters: BaseModel
    epoch_mix: DataMix
    """The data of one epoch."""
    data_versions: int
    """As many as there are epochs, up to a limit."""

    @classmethod
    def settle(cls, options: TrainingOptions) -> TrainingChoices:
        """Lay what is given over the recipe.

        Raises:
            HyperparameterError: an unknown name or a value out of range.
            ConfigurationError: no such recipe, no base model or one of another kind, or an argument of another kind.
        """
        recipe = find_recipe(options.recipe)
        checked = contract.check_hyperparameters(
            _over(recipe.hyperparameters, options.hyperparameters), kind=recipe.kind
        )
        base_model = recipe.base_model if options.base_model is None else options.base_model
        if base_model is None:
            raise ConfigurationError(
                f"The recipe {options.recipe!r} needs a base_model, such as base_model={SMOLLM2!r}."
            )
        require_kind(str(base_model), recipe.kind)
        given = options.starter_conversations
        starter = recipe.starter_conversations if given is None else given
        augmentation = recipe.augmentation if options.augmentation is None else options.augmentation
        _require_mix(copies=options.copies, starter=starter, augmentation=augmentation, pool=options.pool)
        return cls(
            recipe=recipe,
            base_model=str(base_model),
            hyperparameters=checked,
            epoch_mix=DataMix(copies=options.copies, augmentation=augmentation, pool=options.pool, starter=starter),
            data_versions=min(math.ceil(checked.num_train_epochs), _MOST_VERSIONS),
        )

    @property
    def program(self) -> str:
        """The training script."""
        return _PROGRAMS[self.recipe.kind]

    @property
    def data_mix(self) -> DataMix:
        """How the train channel is written: every version of the data that the epochs read."""
        return replace(self.epoch_mix, copies=self.epoch_mix.copies * self.data_versions)

    def told(self, purpose: Purpose, *, train: PreparedData, held_out: PreparedData | None) -> dict[str, Any]:
        """Return the script's arguments besides the base model: hyperparameters, and facts for the manifest."""
        return {
            **self.hyperparameters.model_dump(),
            "prompt_version": purpose.prompt_version or "",
            "metric_for_best_model": purpose.best_metric,
            **_answers(purpose, self.recipe.kind),
            "data_versions": self.data_versions if train.augmented else 1,
            "dataset_sha256": train.sha256,
            "validation_sha256": "" if held_out is None else held_out.sha256,
        }

    def environment(self) -> dict[str, str]:
        """Return the variables with the mix of data and the administrator's commit, which the manifest keeps."""
        mix = self.epoch_mix
        varied = vars(mix.augmentation or Augmentation())
        told = {
            "recipe": self.recipe.name,
            "starter_conversations": mix.starter,
            "copies": mix.copies,
            "augmentation": {name: value for name, value in varied.items() if value != getattr(Augmentation(), name)},
        }
        return {"MOJO_DATA_RECIPE": json.dumps(told), **_git_commit()}


def _answers(purpose: Purpose, kind: ModelKind) -> dict[str, str]:
    """Return the form of answers. An encoder must know which of them is none of the others."""
    answers = purpose.answers
    return {"fallback": answers.fallback} if kind == "encoder" else {"answers": answers.form}


def _over(recipe: Mapping[str, Any], given: Mapping[str, Any] | None) -> Any:
    """Lay given hyperparameters over the recipe's. Anything but a mapping passes, to be refused by its check."""
    return {**recipe, **given} if isinstance(given, Mapping) else given or dict(recipe)


def _require_mix(*, copies: object, starter: object, augmentation: object, pool: object) -> None:
    """Refuse what training data cannot be mixed by."""
    if isinstance(copies, bool) or not isinstance(copies, int) or copies < 1:
        raise ConfigurationError(f"copies={copies!r} must be a whole number of at least 1.")
    if isinstance(starter, bool) or not isinstance(starter, int) or starter < 0:
        raise ConfigurationError(f"starter_conversations={starter!r} must be a whole number of at least 0.")
    if not isinstance(augmentation, Augmentation | None) or not isinstance(pool, TaskPool | None):
        raise ConfigurationError("augmentation must be an Augmentation(…), and pool a TaskPool(…).")


def _git_commit() -> dict[str, str]:
    """Name the commit of the folder that the administrator works in. Outside a checkout there is none to name."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"MOJO_GIT_COMMIT": done.stdout.strip()} if done.returncode == 0 else {}
