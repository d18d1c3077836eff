"""Nothing that an archive holds lands outside of its folder, and none fills memory or disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import time
import tracemalloc
from pathlib import Path

import hostile_archives as hostile
import pytest
from hostile_archives import ESCAPES, file, folder, hard_link, member, packed, symlink

from mojo_toolbox.local_cloud.untrusted import unpacking
from mojo_toolbox.local_cloud.untrusted.unpacking import UnsafeArchiveError, unpack


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for the archive in one that holds the file which it must not reach."""
    around = tmp_path / "around"
    (around / "in").mkdir(parents=True)
    (around / hostile.PREY).write_text("as it was")
    return around / "in"


def unpacked(place: Path, content: bytes) -> Path:
    archive = place.parent / "archive"
    archive.write_bytes(content)
    try:
        unpack(archive, place)
    finally:
        archive.unlink()
    return place


def assert_untouched(place: Path) -> None:
    assert (place.parent / hostile.PREY).read_text() == "as it was"
    assert (place.parent / hostile.PREY).stat().st_nlink == 1
    assert sorted(path.name for path in place.parent.iterdir()) == ["in", hostile.PREY]
    assert not Path("/tmp/mojo-test-prey.txt").exists()
    for folder_name, folders, names in os.walk(place):
        for name in (*folders, *names):
            assert Path(os.path.realpath(Path(folder_name, name))).is_relative_to(place.resolve())


@pytest.mark.parametrize("kind", ESCAPES)
def test_an_archive_that_reaches_out_is_refused_and_reaches_nothing(place, kind):
    with pytest.raises(UnsafeArchiveError, match=r"path that is not allowed|no file here can have"):
        unpacked(place, ESCAPES[kind]())
    assert_untouched(place)


def test_links_of_an_earlier_archive_are_not_written_through(place):
    unpacked(place, packed(folder("p/q"), symlink("a", "p/q"), file("p/q/x")))
    with pytest.raises(UnsafeArchiveError, match=r"a/x.* below a link"):
        unpacked(place, packed(file("a/x", b"new")))
    assert (place / "p/q/x").read_bytes() == b"written"


def test_a_later_archive_does_not_bend_a_link_of_an_earlier_one(place):
    unpacked(place, packed(folder("p/q/r"), symlink("a", "p/q/r/../..")))
    assert (place / "a").resolve() == (place / "p").resolve()
    with pytest.raises(UnsafeArchiveError):
        unpacked(place, packed(symlink("p", "."), file(f"a/{hostile.PREY}")))
    assert_untouched(place)


def test_ordinary_archives_come_out_whole(place):
    content = packed(
        folder("./"),
        file("./code/inference.py", b"x = 1"),
        file("bin/run", b"#!/bin/sh", mode=0o4777),
        folder("checkpoint-2"),
        file("checkpoint-2/weights", b"w" * 3_000_000),
        symlink("latest", "checkpoint-2"),
        symlink("checkpoint-2/run", "../bin/run"),
        symlink("weights", "latest/weights"),
        hard_link("same", "checkpoint-2/weights"),
        file("größe/重み/模型.bin", b"u"),
        file("e\u0301 and é", b"two"),
        file("a..b/...", b"dots"),
        file("twice", b"first"),
        file("twice", b"second"),
    )
    unpacked(place, content)
    assert (place / "code/inference.py").read_text() == "x = 1"
    assert (place / "weights").read_bytes() == (place / "same").read_bytes() == b"w" * 3_000_000
    assert (place / "checkpoint-2/run").read_bytes() == b"#!/bin/sh"
    assert (place / "größe/重み/模型.bin").read_bytes() == b"u"
    assert (place / "a..b/...").read_bytes() == b"dots"
    assert (place / "twice").read_bytes() == b"second"
    # No set-user-id bit, and not writable for everybody.
    assert stat.S_IMODE((place / "bin/run").stat().st_mode) & ~0o755 == 0
    assert os.access(place / "bin/run", os.X_OK)


def test_every_compression_is_read(place):
    plain = packed(file("x"), mode="w:")
    for number, compress in enumerate((bytes, gzip.compress, bz2.compress, lzma.compress)):
        inner = place / str(number)
        inner.mkdir()
        assert (unpacked(inner, compress(plain)) / "x").read_bytes() == b"written"


def test_links_to_nothing_are_left_out(place):
    unpacked(place, packed(symlink("gone", "nothing/here"), symlink("a", "b"), symlink("b", "a"), file("x")))
    assert [path.name for path in place.iterdir()] == ["x"]


def test_a_name_that_is_not_utf8_comes_out_as_it_is(place):
    unpacked(place, packed(file(os.fsdecode(b"caf\xe9"))))
    assert [os.fsencode(path.name) for path in place.iterdir()] == [b"caf\xe9"]


def test_an_archive_that_grows_a_thousandfold_is_refused(place, monkeypatch):
    monkeypatch.setattr(unpacking, "_ALWAYS_ALLOWED_BYTES", 1 << 20)
    monkeypatch.setattr(unpacking, "_LONGEST_READ", 1 << 20)
    for content in (
        packed(file("zeros", bytes(40 << 20))),
        gzip.compress(packed(file("x"), mode="w:") + bytes(40 << 20)),
    ):
        with pytest.raises(UnsafeArchiveError, match="far more than its own size"):
            unpacked(place, content)
    assert sum(path.stat().st_size for path in place.iterdir()) <= 2 << 20


def test_a_sparse_file_of_terabytes_is_refused_at_once(place):
    info, _ = member("sparse")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 43), "GNU.sparse.name": "sparse"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    begun = time.monotonic()
    with pytest.raises(UnsafeArchiveError, match="far more"):
        unpacked(place, buffer.getvalue())
    assert time.monotonic() - begun < 10


def test_a_header_that_claims_gigabytes_is_not_read_into_memory(place):
    info, _ = member("pax", tarfile.XHDTYPE)
    info.size = 4 << 30
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeArchiveError, match="claims to be"):
            unpacked(place, gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(64 << 20)))
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(60)
def test_a_size_below_zero_ends(place):
    info, _ = member("back")
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    # In base 256, as GNU tar writes numbers that octal digits cannot hold: -1024.
    block[124:136] = (-1024).to_bytes(12, "big", signed=True)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(UnsafeArchiveError):
        unpacked(place, gzip.compress(packed(file("first"), mode="w:")[:1024] + bytes(block) + bytes(1024)))


def test_a_thousand_long_names_for_one_file_do_not_end_in_a_traceback(place):
    name, _ = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    name.size = 2
    chain = (name.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")) * 5000
    with pytest.raises(UnsafeArchiveError):
        unpacked(place, gzip.compress(chain + packed(file("x"), mode="w:")))


@pytest.mark.parametrize("damage", ["cut", "checksum", "midst", "text", "empty"])
def test_a_damaged_archive_is_refused(place, damage):
    plain = packed(file("a", b"a" * 2000), file("b", b"b" * 2000), mode="w:")
    whole = gzip.compress(plain)
    content = {
        "cut": whole[:-12],
        "checksum": whole[:-6] + b"\0\1" + whole[-4:],
        # The second header: tarfile takes it for the end of the archive.
        "midst": plain[:2560] + b"\xff" * 100 + plain[2660:],
        "text": b"no archive",
        "empty": b"",
    }[damage]
    with pytest.raises(UnsafeArchiveError, match="cannot be read as a tar archive"):
        unpacked(place, content)
