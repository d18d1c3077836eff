"""Where containers find a base model: on the hub, or staged in S3 from a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.aws.storage import Storage, file_sha256
from mojo_toolbox.base_models import AT_HAND, resolve_base_model
from mojo_toolbox.contract import BaseModelReference


@dataclass(frozen=True)
class BaseModel:
    """A base model: its name, and where it is staged (`uri`, an `s3://` folder) or will be (from `folder`)."""

    reference: BaseModelReference
    uri: str | None = None
    folder: Path | None = None

    def stage(self, storage: Storage) -> None:
        """Upload the folder, unless the same files lie there from an earlier time."""
        if self.folder is None or self.uri is None:
            return
        prefix = self.uri.removeprefix(storage.uri("")).rstrip("/")
        # Written last: without it an upload that was cut off would be taken for a whole model.
        complete = f"{prefix}.complete"
        if not storage.exists(complete):
            storage.upload_folder(self.folder, prefix)
            storage.put(complete, b"")


def find_base_model(name: str, storage: Storage, *, cache_dir: Path, token: str | None, look_up: bool) -> BaseModel:
    """Find the base model `name`: a folder, an `s3://` folder, or a Hugging Face id.

    With `look_up` an id is looked for on this machine and on the hub at once; without, the container will do it.

    Raises:
        BaseModelNotFoundError: it is looked up and not there.
    """
    if name.startswith("s3://"):
        return BaseModel(reference=BaseModelReference(id=name), uri=name.rstrip("/") + "/")
    found: Path | str = name
    if look_up or Path(name).expanduser().is_dir():
        found = resolve_base_model(name, cache_dir=cache_dir, token=token)
    if isinstance(found, str):
        return BaseModel(reference=BaseModelReference(id=found))
    folder_id = name if name in AT_HAND else found.name
    uri = storage.uri(f"base-models/{found.name}/{_folder_digest(found)}/")
    return BaseModel(reference=BaseModelReference(id=folder_id), uri=uri, folder=found)


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()[:16]
