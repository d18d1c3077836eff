"""Files that are there whole or not at all, and places where none can be written."""

import os

import pytest

from mojo_toolbox.whole_files import require_writable, whole_file


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("folder", IsADirectoryError, "is a folder; name a file"),
        ("file/below", NotADirectoryError, "is a file, not a folder"),
        ("file/far/below", NotADirectoryError, "is a file, not a folder"),
    ],
)
def test_a_place_that_takes_no_file_is_refused_before_anything_is_made(tmp_path, place, error, words):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    with pytest.raises(error, match=words):
        require_writable(tmp_path / place)
    with pytest.raises(error, match=words), whole_file(tmp_path / place):
        pytest.fail("the block began")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_permission_is_refused(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="nothing may be written there"):
        require_writable(tmp_path / "closed" / "new" / "file")


def test_a_place_in_folders_that_are_still_missing_is_fine(tmp_path, monkeypatch):
    require_writable(tmp_path / "a" / "b" / "c.jsonl")
    assert not (tmp_path / "a").exists()
    monkeypatch.chdir(tmp_path)
    with whole_file("a/b.txt") as file:
        file.write("x")
    assert (tmp_path / "a" / "b.txt").read_text() == "x"
