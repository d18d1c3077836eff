"""Where the files that travel with the library are: in a checkout next to the package, in a wheel inside it."""

from __future__ import annotations

from pathlib import Path

from mojo_toolbox.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parent


def _find(in_wheel: str, in_checkout: str) -> Path:
    for folder in (_PACKAGE / "_shipped" / in_wheel, _PACKAGE.parent / in_checkout):
        if folder.is_dir():
            return folder
    raise ConfigurationError(f"The folder {in_wheel} is missing from this installation. Install mojo-toolbox again.")


def training_scripts_dir() -> Path:
    """Return the folder of the training scripts that jobs run."""
    return _find("training_scripts", "training_scripts")


def inference_code_dir() -> Path:
    """Return the folder of the code that serves, without the package that it shares with the training scripts."""
    return _find("inference_code", "inference_code")


def served_code() -> dict[str, Path]:
    """Return the folders that become `code/` in a deployed artifact, by their places below it.

    `model_code` is the package that training and serving share. It belongs to the training scripts, so that these run
    from their folder as they are.
    """
    return {"": inference_code_dir(), "model_code/": training_scripts_dir() / "model_code"}


def example_data_dir() -> Path:
    """Return the folder of the quickstart's conversations."""
    return _find("example_data", "examples/data")
