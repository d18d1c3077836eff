"""Where containers find a base model: on Hugging Face's hub, or uploaded to S3."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.base_models import AT_HAND, resolve_base_model
from mojo_toolbox.clouds.aws.storage import Storage, file_sha256, split_uri
from mojo_toolbox.contract import BaseModelReference
from mojo_toolbox.errors import AccessDeniedError, BaseModelNotFoundError, ConfigurationError, NotFoundError

# The ids that huggingface_hub accepts. A path, such as ./model, does not match.
_HUB_ID = re.compile(r"(?!.*(--|\.\.))\w[\w.-]*(/\w[\w.-]*)?")


@dataclass(frozen=True)
class BaseModelPlace:
    """A base model: its name, and where in S3 it is (`uri`, a folder) or will be (uploaded from `folder`)."""

    reference: BaseModelReference
    uri: str | None = None
    folder: Path | None = None

    def upload(self, storage: Storage) -> None:
        """Upload the folder, unless the same files lie there from an earlier time."""
        if self.folder is None or self.uri is None:
            return
        prefix = self.uri.removeprefix(storage.uri("")).rstrip("/")
        # Written last: without it an upload that was cut off would be taken for a whole model.
        complete = f"{prefix}.complete"
        if not storage.exists(complete):
            storage.upload_folder(self.folder, prefix)
            storage.put(complete, b"")


def require_base_model_name(given: str | Path) -> None:
    """Refuse what cannot be a base model, without asking anybody: a folder without a model, or no name of one.

    Raises:
        BaseModelNotFoundError: neither a model's folder nor a Hugging Face id.
        ConfigurationError: neither text nor a path, or an `s3://` URI that is none.
    """
    name = str(given)
    if not isinstance(given, str | Path) or not name.strip():
        raise ConfigurationError(
            f"base_model={given!r:.80} names no model. Give a Hugging Face id (owner/name), a folder, or an s3:// folder."
        )
    folder = Path(name).expanduser()
    if name.startswith("s3://"):
        split_uri(name)
    elif folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BaseModelNotFoundError(f"The folder {folder} holds no config.json, so it is no model. Name another.")
    elif not _HUB_ID.fullmatch(name):
        raise BaseModelNotFoundError(
            f"There is no base model {name!r}: no such folder, and no id of the Hugging Face hub (owner/name)."
        )


def require_in_s3(name: str, storage: Storage) -> None:
    """Refuse a base model in S3 that is not there. A place elsewhere is not checked.

    Raises:
        BaseModelNotFoundError: below the `s3://` URI there is no config.json.
        AWSError: S3 does not answer.
    """
    if not name.startswith("s3://"):
        return
    folder = name.rstrip("/")
    try:
        storage.require_object(f"{folder}/config.json")
    except NotFoundError as error:
        raise BaseModelNotFoundError(
            f"There is no base model at {name}: {folder}/config.json does not exist. Name the folder that holds it."
        ) from error
    except AccessDeniedError:
        # The role that the container runs with may read more than whoever starts it: the container will tell.
        return


def find_base_model(
    name: str, storage: Storage, *, cache_dir: Path, token: str | None, look_up: bool
) -> BaseModelPlace:
    """Find the base model `name`: a folder, an `s3://` folder, or a Hugging Face id.

    With `look_up` an id is looked for on this machine and on the hub at once. Without, the container will do it.

    Raises:
        BaseModelNotFoundError: it is looked up and not there.
    """
    if name.startswith("s3://"):
        return BaseModelPlace(reference=BaseModelReference(id=name), uri=name.rstrip("/") + "/")
    found: Path | str = name
    if look_up or Path(name).expanduser().is_dir():
        found = resolve_base_model(name, cache_dir=cache_dir, token=token)
    if isinstance(found, str):
        return BaseModelPlace(reference=BaseModelReference(id=found))
    folder_id = name if name in AT_HAND else found.name
    uri = storage.uri(f"base-models/{found.name}/{_folder_digest(found)}/")
    return BaseModelPlace(reference=BaseModelReference(id=folder_id), uri=uri, folder=found)


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()[:16]
