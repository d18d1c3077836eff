"""Folders of strangers: what is no plain file is passed over, and nothing is read or removed beyond the folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from mojo_toolbox.local_cloud.untrusted import plain_files
from mojo_toolbox.local_cloud.untrusted.plain_files import entries, first_bytes, pieces, remove_folder


def test_a_closed_folder_of_any_depth_is_removed(tmp_path):
    root = tmp_path / "deep"
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    (root / "closed").mkdir()
    (root / "closed" / "file").touch()
    (root / "closed").chmod(0)
    remove_folder(root)
    assert not root.exists()


def test_a_link_in_the_place_of_a_folder_is_removed_and_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_folder(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()


def test_a_file_that_grows_while_it_is_read_has_an_end(tmp_path):
    path = tmp_path / "grows"
    path.write_bytes(b"x" * 10)
    read = b""
    with path.open("ab", buffering=0) as file:
        for piece in pieces(path, 4):
            read += piece
            file.write(b"y" * 100)
    assert read == b"x" * 10


def test_what_is_no_plain_file_has_no_first_bytes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s")[-90:] if len(str(tmp_path)) < 80 else "")
    for name in ("pipe", "s", "missing", "."):
        assert first_bytes(tmp_path / name, 10) == b""
    for name in ("/dev/zero", "/dev/tty"):
        assert first_bytes(Path(name), 10) == b""


def test_links_inside_are_links_and_links_to_files_outside_are_those_files(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside").write_text("content")
    (folder / "file").touch()
    (folder / "inner").symlink_to(folder / "file")
    (folder / "outer").symlink_to(tmp_path / "outside")
    assert [(entry.name, entry.kind) for entry in entries(folder, lambda *_: None)] == [
        ("file", "file"),
        ("inner", "link"),
        ("outer", "file"),
    ]
    assert plain_files.first_bytes(folder / "outer", 100) == b"content"
