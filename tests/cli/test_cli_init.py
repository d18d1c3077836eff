"""`mojo init` and the project file: four options that no command needs any more."""

import json
import tomllib

import pytest


def test_init_writes_names_that_every_command_takes(mojo):
    done = mojo("init", "--product", "acme", "--model-id", "tiny", "--stage", "prod", "--region", "eu-west-1")
    path = mojo.folder / "mojo.toml"
    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    names = {"product": "acme", "task": "routing", "model_id": "tiny", "stage": "prod", "region_name": "eu-west-1"}
    assert tomllib.loads(path.read_text()) == names
    turns = [{"role": "user", "content": "hi", "task": None}]
    record = {"tasks": [{"name": "email", "description": "write"}], "messages": turns}
    (mojo.folder / "train.jsonl").write_text(json.dumps(record) + "\n")
    train = ("train", "--base-model", "a/b", "--train-data", "train.jsonl", "--role", "r", "--dry-run")
    (request,) = mojo.json(*train)
    assert request["parameters"]["TrainingJobName"].startswith("acme--routing--tiny--")
    below = mojo.folder / "below"
    below.mkdir()
    mojo.folder = below
    assert mojo.json("deploy", "--base-model", "a/b", "--role", "r", "--dry-run")[-1]["parameters"]["EndpointName"] == (
        "acme--routing--tiny--prod"
    )
    mojo.environment["MOJO_STAGE"] = "test"
    last = mojo.json("deploy", "--base-model", "a/b", "--role", "r", "--model-id", "other", "--dry-run")[-1]
    assert last["parameters"]["EndpointName"] == "acme--routing--other--test"
    done = mojo("rm", "--cloud", "local")
    assert mojo("local", "down").returncode == 0
    assert done.returncode == 1
    assert "acme--routing--tiny--test" in done.stderr
    done = mojo("predict", "--message", "hi", "--region", "eu-west-1", "--chat")
    assert done.returncode == 1
    assert "credentials" in done.stderr


def test_init_prints_json_and_names_the_product_after_the_folder(mojo):
    folder = mojo.folder / "My Shop"
    folder.mkdir()
    mojo.folder = folder
    told = mojo.json("init", "--cloud", "local")
    assert told["path"] == str(folder / "mojo.toml")
    assert told["product"] == "my-shop"
    assert told["cloud_service"] == "local"
    written = tomllib.loads((folder / "mojo.toml").read_text())
    assert {name: told[name] for name in written} == written


def test_init_never_overwrites(mojo):
    path = mojo.folder / "mojo.toml"
    path.write_text("# mine\n")
    done = mojo("init", "--product", "acme")
    assert (done.returncode, done.stdout) == (2, "")
    assert "exists already, and is not overwritten" in done.stderr
    assert path.read_text() == "# mine\n"
    path.unlink()
    path.symlink_to(mojo.folder / "elsewhere")
    assert mojo("init", "--product", "acme").returncode == 2
    assert not (mojo.folder / "elsewhere").exists()


def test_init_says_when_an_outer_file_no_longer_counts(mojo):
    (mojo.folder / "mojo.toml").write_text('product = "outer"\n')
    inner = mojo.folder / "inner"
    inner.mkdir()
    mojo.folder = inner
    done = mojo("init")
    assert done.returncode == 0
    assert f"{inner.parent / 'mojo.toml'} is no longer read here" in done.stderr


def test_init_asks_for_agreement_to_a_hash_and_writes_it_down(mojo):
    done = mojo("init", "--product", "acme", "--stage", "Dev_1!")
    assert (done.returncode, done.stdout) == (1, "")
    assert "such as 'dev-1', or agree to that name with --allow-hashed-names." in done.stderr
    assert not (mojo.folder / "mojo.toml").exists()
    assert mojo("init", "--product", "acme", "--stage", "Dev_1!", "--allow-hashed-names").returncode == 0
    last = mojo.json("deploy", "--base-model", "a/b", "--region", "eu-west-1", "--role", "r", "--dry-run")[-1]
    assert last["parameters"]["EndpointName"].startswith("acme--routing--router--dev-1---")


@pytest.mark.parametrize("command", [("ls",), ("evaluate", "x.jsonl", "--routers", "endpoint"), ("local", "status")])
def test_a_wrong_project_file_is_one_line_with_its_place(mojo, command):
    (mojo.folder / "mojo.toml").write_text('product = "acme"\nmodell = "x"\n')
    done = mojo(*command)
    assert done.returncode in {1, 2}
    assert "mojo.toml:2: there is no setting 'modell'. Did you mean 'model_id'?" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_router_alone_is_the_projects(mojo):
    done = mojo("evaluate", "x.jsonl", "--routers", "endpoint")
    assert done.returncode == 2
    assert "Missing: --product" in done.stderr or "Missing: product" in done.stderr
