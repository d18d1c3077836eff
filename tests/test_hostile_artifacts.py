"""Reading archives that strangers packed: what leads out of one, or never ends, is not used."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from mojo_toolbox.errors import ArtifactError
from mojo_toolbox.serving.artifacts import Trained
from mojo_toolbox.serving.own_handler import deployable_artifact

MANIFEST = json.dumps({"contract_version": 1, "base_model": {"id": "org/base"}}).encode()


def member(name, *, content=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size, made.mode = kind, link, len(content), mode
    return made, content


def negative(name):
    """A member of -1,024 bytes, as GNU tar writes a number that octal digits cannot hold."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (-1024).to_bytes(12, "big", signed=True)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def packed(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, content in (member("manifest.json", content=MANIFEST), *members):
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def deployed(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text("")

    def deploy(content):
        path, target = tmp_path / "trained.tar.gz", tmp_path / "model.tar.gz"
        path.write_bytes(gzip.compress(content))
        deployable_artifact(Trained(path, "the archive"), {"": tmp_path / "code"}, target)
        with tarfile.open(target) as archive:
            return {info.name: info for info in archive}

    return deploy


@pytest.mark.parametrize(
    "bad",
    [
        member("../out", content=b"x"),
        member("/tmp/out", content=b"x"),
        member("a/../../out", content=b"x"),
        member("link", kind=tarfile.SYMTYPE, link="/etc"),
        member("inner", kind=tarfile.SYMTYPE, link="manifest.json"),
        member("hard", kind=tarfile.LNKTYPE, link="manifest.json"),
        member("pipe", kind=tarfile.FIFOTYPE),
        member("null", kind=tarfile.CHRTYPE),
        member("sparse", kind=tarfile.GNUTYPE_SPARSE),
    ],
    ids=lambda bad: bad[0].name,
)
def test_what_leads_out_or_is_no_plain_file_is_refused(deployed, bad):
    with pytest.raises(ArtifactError, match="leads out of the archive or is no plain file"):
        deployed(packed(bad))


@pytest.mark.timeout(60)
def test_a_size_below_zero_does_not_read_for_ever(deployed):
    with pytest.raises(ArtifactError):
        deployed(packed()[:1024] + negative("back") + bytes(1024))


def test_a_manifest_that_would_fill_the_memory_is_refused(deployed):
    with pytest.raises(ArtifactError, match=r"manifest\.json of 20,000,000 bytes"):
        deployed(packed(member("manifest.json", content=bytes(20_000_000))))


def test_set_user_id_bits_do_not_travel(deployed):
    found = deployed(packed(member("run", content=b"x", mode=0o6777), member("weights", content=b"x", mode=0o666)))
    assert (found["run"].mode, found["weights"].mode) == (0o755, 0o644)
