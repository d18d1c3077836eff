"""Settings: an argument beats the environment, which beats `.env`, which beats the default."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.settings import load_settings, require_names

VARIABLES = ["CLOUD_SERVICE", "REGION_NAME", "ROLE", "BUCKET", "HOME", "HF_TOKEN", "HF_TOKEN_SECRET_ARN"]
VARIABLES += ["OPENAI_BASE_URL", "OPENAI_API_KEY", "PRODUCT", "TASK", "MODEL_ID", "STAGE"]
PLAIN_NAMES = ["ROLE_NAME", "SAGEMAKER_ROLE", "HF_TOKEN", "OPENAI_BASE_URL", "OPENAI_API_KEY"]


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [f"MOJO_{variable}" for variable in VARIABLES] + PLAIN_NAMES:
        monkeypatch.delenv(name, raising=False)


def test_defaults():
    settings = load_settings()
    assert settings.cloud_service == "aws"
    assert settings.region_name is None
    assert settings.home == Path.home() / ".mojo"
    assert settings.hf_token is None


def test_argument_beats_environment_beats_dotenv(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("MOJO_BUCKET=from-dotenv\nMOJO_REGION_NAME=eu-west-1\n# a comment\nOTHER=1\n")
    assert load_settings().bucket == "from-dotenv"
    monkeypatch.setenv("MOJO_BUCKET", "from-environment")
    assert load_settings().bucket == "from-environment"
    assert load_settings(bucket="from-argument").bucket == "from-argument"
    assert load_settings(bucket=None).bucket == "from-environment"
    assert load_settings().region_name == "eu-west-1"


def test_an_empty_argument_is_a_value(monkeypatch):
    monkeypatch.setenv("MOJO_BUCKET", "from-environment")
    assert load_settings(bucket="").bucket == ""


@pytest.mark.parametrize("name", ["MOJO_ROLE", "SAGEMAKER_ROLE", "ROLE_NAME"])
def test_the_role_goes_by_the_names_that_others_use(name, monkeypatch):
    monkeypatch.setenv(name, "some-role")
    assert load_settings().role == "some-role"
    assert load_settings(role="mine").role == "mine"


def test_our_own_name_wins_over_a_plain_one(monkeypatch):
    monkeypatch.setenv("ROLE_NAME", "plain")
    monkeypatch.setenv("HF_TOKEN", "plain")
    monkeypatch.setenv("MOJO_ROLE", "ours")
    monkeypatch.setenv("MOJO_HF_TOKEN", "ours")
    settings = load_settings()
    assert settings.role == "ours"
    assert settings.hf_token.get_secret_value() == "ours"


def test_words_that_others_use_for_something_else_are_not_read(monkeypatch):
    for name in ("ROLE", "BUCKET", "REGION_NAME", "CLOUD_SERVICE"):
        monkeypatch.setenv(name, "another-programs")
    settings = load_settings()
    assert (settings.role, settings.bucket, settings.region_name, settings.cloud_service) == (None, None, None, "aws")


@pytest.mark.parametrize("name", ["HF_TOKEN", "MOJO_HF_TOKEN"])
def test_a_token_stands_in_no_text(name, monkeypatch):
    monkeypatch.setenv(name, "hf_very_secret")
    settings = load_settings()
    assert settings.hf_token.get_secret_value() == "hf_very_secret"
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "hf_very_secret" not in text


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MOJO_OPENAI_API_KEY"])
def test_a_key_stands_in_no_text(name, monkeypatch):
    monkeypatch.setenv(name, "sk-very-secret")
    settings = load_settings()
    assert settings.openai_api_key.get_secret_value() == "sk-very-secret"
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "sk-very-secret" not in text


def test_the_chat_servers_address_goes_by_the_name_that_others_use(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    assert load_settings().openai_base_url == "http://localhost:8000/v1"
    monkeypatch.setenv("MOJO_OPENAI_BASE_URL", "http://localhost:9000/v1")
    assert load_settings().openai_base_url == "http://localhost:9000/v1"


def test_a_wrong_value_names_its_variable_and_not_the_value(monkeypatch):
    monkeypatch.setenv("MOJO_CLOUD_SERVICE", "hf_pasted_by_mistake")
    with pytest.raises(ConfigurationError, match="MOJO_CLOUD_SERVICE") as caught:
        load_settings()
    assert "hf_pasted_by_mistake" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "aws" in str(caught.value)


def test_a_wrong_argument_is_named_too():
    with pytest.raises(ConfigurationError, match="MOJO_HOME"):
        load_settings(home=3)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().bucket = "other"


def test_a_tilde_in_a_dotenv_file_is_the_users_folder(tmp_path):
    (tmp_path / ".env").write_text("MOJO_HOME=~/elsewhere\n")
    assert load_settings().home == Path.home() / "elsewhere"
    assert load_settings(home="~/given").home == Path.home() / "given"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MOJO_REGION", "MOJO_REGION_NAME"),
        ("MOJO_REGOIN_NAME", "MOJO_REGION_NAME"),
        ("MOJO_CLOUD", "MOJO_CLOUD_SERVICE"),
        ("MOJO_BUKCET", "MOJO_BUCKET"),
        ("mojo_roles", "MOJO_ROLE"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_misspelt_variable_is_refused(name, meant, place, tmp_path, monkeypatch):
    if place == ".env":
        (tmp_path / ".env").write_text(f"{name}=x\n")
    else:
        monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigurationError, match=f"{name.upper()} is not read. Did you mean {meant}"):
        load_settings()
    monkeypatch.setenv(meant, "local" if meant.endswith("SERVICE") else "y")
    load_settings()


@pytest.mark.parametrize(
    "name", ["MOJO_SHORTLIST", "MOJO_DTYPE", "MOJO_PRODUCT", "MOJO_TASK", "MOJO_STAGE", "MOJO_TOKEN", "MOJO_BASE_MODEL"]
)
def test_other_variables_are_left_alone(name, monkeypatch):
    monkeypatch.setenv(name, "x")
    load_settings()


# ------------------------------------------------------------------------------------------------ the project file


def test_the_project_file_is_found_upwards_and_beaten_by_environment_and_argument(tmp_path, monkeypatch):
    (tmp_path / "mojo.toml").write_text('product = "acme"\ntask = "routing"\nrole = "of-project"\nstage = "prod"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    settings = load_settings()
    assert (settings.product, settings.task, settings.role, settings.stage) == ("acme", "routing", "of-project", "prod")
    assert settings.model_id is None
    (below / ".env").write_text("MOJO_PRODUCT=from-dotenv\n")
    assert load_settings().product == "from-dotenv"
    monkeypatch.setenv("MOJO_PRODUCT", "from-environment")
    monkeypatch.setenv("SAGEMAKER_ROLE", "from-environment")
    assert (load_settings().product, load_settings().role) == ("from-environment", "from-environment")
    assert load_settings(product="given", role="given").product == "given"
    assert load_settings(role="given").role == "given"


def test_the_nearest_project_file_alone_counts(tmp_path, monkeypatch):
    (tmp_path / "mojo.toml").write_text('product = "outer"\ntask = "routing"\n')
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "mojo.toml").write_text('product = "inner"\n')
    monkeypatch.chdir(tmp_path / "inner")
    assert (load_settings().product, load_settings().task) == ("inner", None)


def test_a_home_in_the_project_file_is_below_its_folder(tmp_path, monkeypatch):
    (tmp_path / "mojo.toml").write_text('home = "state"\n')
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert load_settings().home == tmp_path / "state"
    (tmp_path / "mojo.toml").write_text('home = "~/state"\n')
    assert load_settings().home == Path.home() / "state"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('# a comment\nprodukt = "acme"\n', 2, "no setting 'produkt'. Did you mean 'product'?"),
        ('product = "acme"\n\nregion = "eu-west-1"\n', 3, "Did you mean 'region_name'?"),
        ('cloud = "local"\n', 1, "Did you mean 'cloud_service'?"),
        ('colour = "blue"\n', 1, "Known: 'product', 'task', 'model_id', 'stage',"),
        ('product = "acme"\n[tool]\nx = 1\n', 2, "no setting 'tool'"),
        ('product = "acme"\ncloud_service = "azure"\n', 2, "'cloud_service': Input should be 'aws' or 'local'."),
        ('product = "acme"\ntask = 3\n', 2, "'task': Input should be a valid string."),
        ('product = "acme"\nhf_token = "hf_secret"\n', 2, "'hf_token' is a secret"),
        ('review_database = "postgresql://u:secret@h/n"\n', 1, "Set MOJO_REVIEW_DATABASE."),
        ("product = acme\n", 1, "not TOML: Invalid value."),
        ('product = "a"\nproduct = "b"\n', 2, "not TOML: Cannot overwrite a value."),
    ],
)
def test_a_wrong_key_or_value_in_the_project_file_is_refused_with_its_line(tmp_path, text, line, words):
    path = tmp_path / "mojo.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    assert "secret@" not in str(caught.value)
    assert "hf_secret" not in str(caught.value)


def test_a_wrong_project_file_is_refused_whatever_beats_it(tmp_path, monkeypatch):
    (tmp_path / "mojo.toml").write_text('cloud_service = "azure"\n')
    monkeypatch.setenv("MOJO_CLOUD_SERVICE", "local")
    with pytest.raises(ConfigurationError, match=r"mojo\.toml:1"):
        load_settings()


def test_names_come_from_arguments_else_from_settings(monkeypatch):
    monkeypatch.setenv("MOJO_PRODUCT", "acme")
    monkeypatch.setenv("MOJO_TASK", "routing")
    names = require_names(load_settings(), product=None, task="chat")
    assert names == {"product": "acme", "task": "chat"}
    with pytest.raises(ConfigurationError, match=r"Missing: model_id=…\. Give it, set MOJO_MODEL_ID"):
        require_names(load_settings(), product=None, model_id=None)
    assert require_names(load_settings(), product="") == {"product": ""}


@pytest.mark.parametrize("place", ["environment", ".env", "argument"])
def test_a_wrong_value_is_said_with_the_place_where_it_is_set(place, tmp_path, monkeypatch):
    given = {}
    if place == ".env":
        (tmp_path / ".env").write_text("MOJO_CLOUD_SERVICE=azure\n")
    elif place == "environment":
        (tmp_path / ".env").write_text("MOJO_CLOUD_SERVICE=local\n")
        monkeypatch.setenv("MOJO_CLOUD_SERVICE", "azure")
    else:
        given = {"cloud_service": "azure"}
    with pytest.raises(ConfigurationError, match="MOJO_CLOUD_SERVICE") as caught:
        load_settings(**given)
    assert str(tmp_path / ".env" if place == ".env" else f"({place})") in str(caught.value)


def test_a_misspelt_variable_of_the_file_is_said_with_the_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("MOJO_BUKCET=x\n")
    with pytest.raises(ConfigurationError, match=r"It is set in .*/\.env"):
        load_settings()
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("MOJO_BUKCET", "x")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert ".env" not in str(caught.value)
