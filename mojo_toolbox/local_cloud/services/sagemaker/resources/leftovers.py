"""Removes the folders that a killed local cloud left without an owner."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Folders
from mojo_toolbox.local_cloud.untrusted.plain_files import remove_folder


def remove_leftovers(folders: Folders, *, endpoints: Collection[str]) -> None:
    """Remove the folders of all jobs, of endpoints other than `endpoints`, and of environments that are not complete.

    Call it at the start, when no job runs and nothing is installed.
    """
    for path in _inside(folders.jobs_dir):
        remove_folder(path)
    for path in _inside(folders.endpoints_dir):
        if path.name not in endpoints:
            remove_folder(path)
    for path in _inside(folders.environments_dir):
        if path.suffix != ".lock" and not (path / "complete").exists():
            remove_folder(path)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
