"""Settings: what the environment says, and how."""

from pathlib import Path

from mojo_toolbox.settings import load_settings


def test_a_tilde_in_a_dotenv_file_is_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MOJO_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MOJO_HOME=~/elsewhere\n")
    assert load_settings().home == Path.home() / "elsewhere"
    assert load_settings(home="~/given").home == Path.home() / "given"
