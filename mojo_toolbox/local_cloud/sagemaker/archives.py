"""Model archives: packing what a job wrote, and unpacking without letting a path climb out."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path


class UnsafeArchiveError(Exception):
    """An archive that cannot be unpacked, or that must not be."""


def pack(folder: Path, target: Path) -> None:
    """Write the contents of a folder as a tar.gz; paths in it are relative to the folder."""
    # Weights hardly compress: level 9 would take a minute for each gigabyte and save nothing.
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, arcname=path.name)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive (of any compression) below a folder.

    Raises:
        UnsafeArchiveError: a path or a link climbs out of the folder, a member is a device, or it is no tar archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise UnsafeArchiveError(f"it holds a path that is not allowed: {error}") from error
    except (tarfile.TarError, EOFError, UnicodeError, zlib.error, lzma.LZMAError) as error:
        raise UnsafeArchiveError(f"it cannot be read as a tar archive: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # gzip reports damaged data as an OSError without a number.
        raise UnsafeArchiveError(f"it cannot be read as a tar archive: {error}") from error
