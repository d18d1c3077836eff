"""Recipes: what to train, on which mix of data, with which hyperparameters. docs/lab-notebook.md has why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mojo_toolbox.base_models import MINILM, MPNET, SMOLLM2
from mojo_toolbox.contract import ModelKind
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.errors import ConfigurationError


@dataclass(frozen=True)
class Recipe:
    """A way of training that was measured. The arguments of `Hub.train()` win over it."""

    name: str
    kind: ModelKind
    """A language model with an adapter, or a sentence encoder that chooses."""
    base_model: str | None = None
    """The base model if none is given."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Augmentation | None = None
    starter_conversations: int = 0
    """The number of shipped conversations that each epoch reads in addition to your own."""
    instance_type: str = "ml.g5.2xlarge"
    """The instance type for training if none is given."""
    max_runtime_seconds: int = 24 * 3600
    """The time limit of a training if none is given."""


# An hour or two on two cores: this leaves room for slower ones, and for more data.
_ENCODERS_RUNTIME = 6 * 3600
PLAIN = Recipe(name="plain", kind="language_model")
_ENCODERS_AUGMENTATION = Augmentation(withheld_task=0.12, fewer_tasks=0.3, obscured_names=0.2, hidden_decisions=0.1)
RECIPES = {
    recipe.name: recipe
    for recipe in (
        PLAIN,
        Recipe(
            name="router",
            kind="language_model",
            base_model=SMOLLM2,
            hyperparameters={"learning_rate": 7e-4, "num_train_epochs": 1, "autocast_adapter_dtype": False},
            augmentation=Augmentation(withheld_task=0.12, fewer_tasks=0.5, obscured_names=0.2, max_tasks=14),
            starter_conversations=600,
        ),
        Recipe(
            name="encoder-router",
            kind="encoder",
            base_model=MPNET,
            hyperparameters={
                "num_train_epochs": 1,
                "learning_rate": 4e-5,
                "warmup_steps": 80,
                "trained_layers": 6,
                "continue_share": 0.4,
            },
            augmentation=_ENCODERS_AUGMENTATION,
            starter_conversations=5000,
            # 16 GiB: 5.7 GB of memory were seen, which leaves an instance of 8 GiB too little for more data.
            instance_type="ml.c7i.2xlarge",
            max_runtime_seconds=_ENCODERS_RUNTIME,
        ),
        Recipe(
            name="encoder-router-small",
            kind="encoder",
            base_model=MINILM,
            hyperparameters={"num_train_epochs": 2, "continue_share": 0.4},
            augmentation=_ENCODERS_AUGMENTATION,
            starter_conversations=5000,
            instance_type="ml.c7i.xlarge",
            max_runtime_seconds=_ENCODERS_RUNTIME,
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in RECIPES:
        raise ConfigurationError(f"There is no recipe {name!r}. Known: {', '.join(RECIPES)}.")
    return RECIPES[name]
