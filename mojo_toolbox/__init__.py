"""Fine-tune, deploy and ask your own language models on Amazon SageMaker, or on this machine.

Two doors: `Hub` for administrators, `AWSModel` for programmers. Importing this package loads neither boto3 nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mojo_toolbox.clouds.aws.endpoints import Endpoint as Endpoint
    from mojo_toolbox.clouds.aws.jobs import TrainingJob as TrainingJob
    from mojo_toolbox.hub import Hub as Hub
    from mojo_toolbox.model import AWSModel as AWSModel
    from mojo_toolbox.model import ChatAnswer as ChatAnswer
    from mojo_toolbox.model import Decision as Decision
    from mojo_toolbox.model import Model as Model

__version__ = "0.1.0"
__all__ = ["AWSModel", "ChatAnswer", "Decision", "Endpoint", "Hub", "Model", "TrainingJob", "__version__"]

_HOMES = {
    "AWSModel": "mojo_toolbox.model",
    "ChatAnswer": "mojo_toolbox.model",
    "Decision": "mojo_toolbox.model",
    "Endpoint": "mojo_toolbox.clouds.aws.endpoints",
    "Hub": "mojo_toolbox.hub",
    "Model": "mojo_toolbox.model",
    "TrainingJob": "mojo_toolbox.clouds.aws.jobs",
}


def __getattr__(name: str) -> object:
    """Load a door when it is first asked for (PEP 562), so that the other one costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
