"""Where the local cloud keeps its state, and the secret that makes it its owner's alone."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mojo_toolbox.errors import LocalCloudError

_KEY_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class AccessKey:
    """The access key that clients sign with."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"AccessKey({self.access_key_id})"


@dataclass(frozen=True)
class Home:
    """Paths under `<MOJO_HOME>/local_cloud`. Nothing is made until `prepare()`."""

    root: Path

    @property
    def folder(self) -> Path:
        """Everything of the local cloud."""
        return self.root / "local_cloud"

    @property
    def credentials_file(self) -> Path:
        """The secret. Only its owner can read it."""
        return self.folder / "credentials.json"

    @property
    def connection_file(self) -> Path:
        """Names the local cloud's address. It exists only while that runs, or after it was killed."""
        return self.folder / "connection.json"

    @property
    def port_file(self) -> Path:
        """The port of the last start, so that exported URLs survive a restart."""
        return self.folder / "port"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts or stops the local cloud."""
        return self.folder / "start.lock"

    @property
    def serve_lock(self) -> Path:
        """Held by the running local cloud until its process ends, however it ends. Contains its pid."""
        return self.folder / "serve.lock"

    @property
    def log_file(self) -> Path:
        """The log of the process."""
        return self.folder / "server.log"

    @property
    def database_file(self) -> Path:
        """Everything but the objects' bytes."""
        return self.folder / "cloud.sqlite"

    @property
    def s3_dir(self) -> Path:
        """The objects' bytes."""
        return self.folder / "s3"

    @property
    def jobs_dir(self) -> Path:
        """A folder for each training job."""
        return self.folder / "jobs"

    @property
    def endpoints_dir(self) -> Path:
        """A folder for each endpoint."""
        return self.folder / "endpoints"

    @property
    def environments_dir(self) -> Path:
        """Python environments made for jobs' and endpoints' requirements."""
        return self.folder / "environments"

    def prepare(self) -> None:
        """Make the folder, closed to other users: it holds data, models and the secret."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)

    def credentials(self) -> AccessKey:
        """Return the owner's access key, made at the first call. Call it under a lock when it may be the first."""
        try:
            saved = json.loads(self.credentials_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            made = AccessKey(access_key_id=new_access_key_id("AKIA"), secret_access_key=new_secret())
            document = {"access_key_id": made.access_key_id, "secret_access_key": made.secret_access_key}
            write_atomically(self.credentials_file, json.dumps(document))
            return made
        return AccessKey(access_key_id=saved["access_key_id"], secret_access_key=saved["secret_access_key"])


@contextmanager
def hold_serve_lock(home: Home, inherited: int | None = None) -> Iterator[TextIO]:
    """Hold the home's lock, or go on holding the one whose descriptor was handed over.

    The system releases it when the last process that has it open ends, however it ends.

    Raises:
        LocalCloudError: another process serves this home.
    """
    with (
        os.fdopen(inherited, "a+", encoding="utf-8")
        if inherited
        else home.serve_lock.open("a+", encoding="utf-8") as file
    ):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalCloudError(f"The local cloud of {home.root} runs already.") from error
        # Whoever was killed left a pid, which may be somebody else's by now.
        file.truncate(0)
        yield file


def new_access_key_id(prefix: str) -> str:
    """Make an access key id of AWS's form: AKIA… for lasting keys, ASIA… for temporary ones."""
    return prefix + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))


def new_secret() -> str:
    """Make a secret access key: 40 characters, as AWS's."""
    alphabet = string.ascii_letters + string.digits + "+/"
    return "".join(secrets.choice(alphabet) for _ in range(40))


def write_atomically(path: Path, text: str) -> None:
    """Write a file that only its owner can read, so that no reader ever sees half of it, and it survives a power cut."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's own entries on disk: a synced file in an unsynced folder can be gone after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
