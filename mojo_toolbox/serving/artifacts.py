"""Archives for containers: the training code, and model.tar.gz with its manifest and its `code/`."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.contract import CONTRACT_VERSION, BaseModelReference, Manifest, parse_manifest
from mojo_toolbox.errors import ArtifactError

MANIFEST = "manifest.json"
CODE_DIR = "code"
# An encoder's artifact beside another one.
ENCODER_DIR = "encoder"
# multi-model-server, which the Hugging Face serving container runs, looks for a MANIFEST.json, at the root and one folder
# deep and in any case. Without this file it takes our manifest.json for its own and does not start.
SERVER_MANIFEST_DIR = "MAR-INF"
SERVER_MANIFEST = f"{SERVER_MANIFEST_DIR}/MANIFEST.json"
SERVER_MANIFEST_CONTENT = {
    "specificationVersion": "1.0",
    "implementationVersion": "1.0",
    "modelServerVersion": "1.0",
    "model": {"modelName": "model", "handler": "sagemaker_huggingface_inference_toolkit.handler_service"},
    "runtime": "python",
}
# What is added at each deployment anew.
_OURS = (CODE_DIR, ENCODER_DIR, SERVER_MANIFEST_DIR)
_LEFT_OUT = {"__pycache__", ".DS_Store"}
_CHUNK = 1 << 20
# A manifest has some kilobytes; more is no manifest, and would be read into memory.
_MOST_MANIFEST_BYTES = 16 << 20


def pack_folder(folder: Path, target: Path) -> Path:
    """Pack a folder's files into a tar.gz whose bytes depend on their names and contents only; return `target`."""
    with _writing(target) as archive:
        _add_folder(archive, folder, prefix="")
    return target


@dataclass(frozen=True)
class Trained:
    """An artifact on disk, the model.tar.gz of a training job; `source` names it in errors."""

    path: Path
    source: str


def deployable_artifact(
    trained: Trained, code: Mapping[str, Path], target: Path, *, encoder: Trained | None = None
) -> tuple[Manifest, Manifest | None]:
    """Write `trained` to `target` with `code` as its `code/`, and `encoder`, if given, as its `encoder/`.

    `code` maps places below `code/` to the folders whose files go there.
    Returns both manifests. Nothing is unpacked to disk.

    Raises:
        ArtifactError: not a tar.gz, paths that climb out, no manifest, or one of an unknown contract version.
    """
    with _writing(target) as archive:
        manifest = _copy(trained, archive, prefix="")
        of_encoder = None if encoder is None else _copy(encoder, archive, prefix=f"{ENCODER_DIR}/")
        _add_what_serves(archive, code)
    return manifest, of_encoder


def _copy(trained: Trained, new: tarfile.TarFile, *, prefix: str) -> Manifest:
    """Copy an artifact's members, all but its code, below `prefix`; return its manifest."""
    manifest: Manifest | None = None
    source = trained.source
    try:
        with tarfile.open(trained.path, "r:gz") as old:
            for member in old:
                name = _safe_name(member, source)
                if name == MANIFEST:
                    manifest = parse_manifest(_content(old, member, source), source=source)
                if name and name.split("/")[0] not in _OURS:
                    member.name = prefix + name
                    # In a container everything belongs to root, and nothing is run as somebody else.
                    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                    new.addfile(member, old.extractfile(member) if member.isfile() else None)
            # The archive's checksum stands behind its last member, and is checked by whoever reads so far.
            while old.fileobj is not None and old.fileobj.read(_CHUNK):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RecursionError) as error:
        raise ArtifactError(f"{source} is no tar.gz archive, or is cut short: {error}") from error
    if manifest is None:
        raise ArtifactError(
            f"{source} holds no {MANIFEST}. It was not made by this library's training script; deploy a base model with "
            "base_model=…, or train again."
        )
    return manifest


def base_only_artifact(base: BaseModelReference, code: Mapping[str, Path], target: Path) -> Manifest:
    """Write an artifact without an adapter: the base model answers as it is. Return its manifest."""
    manifest = Manifest(contract_version=CONTRACT_VERSION, base_model=base)
    with _writing(target) as archive:
        _add_file(archive, MANIFEST, manifest.model_dump_json(indent=2).encode())
        _add_what_serves(archive, code)
    return manifest


@contextmanager
def _writing(target: Path) -> Iterator[tarfile.TarFile]:
    # mtime=0 and anonymous members: the same files give the same bytes, so an upload can be recognised and skipped.
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        yield archive


def _add_what_serves(archive: tarfile.TarFile, code: Mapping[str, Path]) -> None:
    for place, folder in code.items():
        _add_folder(archive, folder, prefix=f"{CODE_DIR}/{place}")
    _add_file(archive, SERVER_MANIFEST, json.dumps(SERVER_MANIFEST_CONTENT, indent=1).encode())


def _add_folder(archive: tarfile.TarFile, folder: Path, *, prefix: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _LEFT_OUT.intersection(path.parts):
            _add_file(archive, prefix + path.relative_to(folder).as_posix(), path.read_bytes())


def _add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _safe_name(member: tarfile.TarInfo, source: str) -> str:
    parts = [part for part in member.name.split("/") if part not in {"", "."}]
    # A size below zero would make tarfile read the same member for ever.
    plain = member.isdir() or (member.isfile() and not member.issparse() and member.size >= 0)
    if ".." in parts or member.name.startswith("/") or not plain:
        raise ArtifactError(
            f"{source} holds {member.name!r}, which leads out of the archive or is no plain file. Not used."
        )
    return "/".join(parts)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> bytes:
    if member.size > _MOST_MANIFEST_BYTES:
        raise ArtifactError(f"{source} holds a {MANIFEST} of {member.size:,} bytes, which is none. Not used.")
    file = archive.extractfile(member)
    return file.read() if file is not None else b""
