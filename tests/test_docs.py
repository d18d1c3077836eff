"""The documentation runs: every Python block, against a real local cloud with a tiny model in the named one's place."""

import importlib
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from types import FunctionType

import pytest
from pages import BASE_MODEL, PAGES, ROOT, blocks, commands, table_rows

PAGES_BY_NAME = {page.name: page for page in PAGES}
DOCS = ROOT / "docs"
# Pages that ask an endpoint which the reader has from the tutorial.
ASKING = {"README.md", "programmers-guide.md", "local-cloud.md"}
# Blocks that no test can run; a new one needs a reason here as well as on its page.
NOT_RUN = {"to-aws.md": 2, "local-cloud.md": 1}
KEY = {"product": "mojodex", "task": "routing", "model_id": "smollm2-router"}


def test_there_are_pages():
    assert {"README.md", "index.md", "tutorial.md", "to-aws.md", "programmers-guide.md", "cli.md"} <= set(PAGES_BY_NAME)


# ------------------------------------------------------------------------------------------------ what runs


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run(page, workspace, tiny_model, request):
    if page.name in ASKING:
        request.getfixturevalue("asked_endpoint")
    namespace = {"__name__": "__main__"}
    ran = 0
    for block in blocks(page, "python"):
        if block.not_run is None:
            code = block.code.replace(BASE_MODEL, str(tiny_model))
            # Line numbers of a traceback are the page's.
            exec(compile("\n" * block.line + code, str(page), "exec"), namespace)
            ran += 1
    assert ran > 0


def test_a_block_that_is_not_run_says_why():
    skipped = {page.name: [b for b in blocks(page, "python") if b.not_run is not None] for page in PAGES}
    assert {name: len(found) for name, found in skipped.items() if found} == NOT_RUN
    assert all(len(block.not_run) > 10 for found in skipped.values() for block in found)
    for page in PAGES:
        comments = page.read_text(encoding="utf-8").count("<!-- not run")
        assert comments == len(skipped[page.name]), f"{page.name}: a comment that stands before no Python block"


def test_blocks_are_of_languages_that_are_checked():
    known = {"python", "bash", "json", "text", "{toctree}"}
    written = [block for page in PAGES if page.name != "cli.md" for block in blocks(page)]
    assert written
    assert [f"{block} {block.language}" for block in written if block.language not in known] == []


def test_json_blocks_are_json():
    found = [block for page in PAGES for block in blocks(page, "json")]
    assert found
    for block in found:
        json.loads(block.code)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["programmer.ipynb", pytest.param("admin.ipynb", marks=pytest.mark.slow)])
def test_notebooks_run(name, workspace, tiny_model, request):
    import nbformat
    from nbclient import NotebookClient

    if name == "programmer.ipynb":
        request.getfixturevalue("asked_endpoint")
    notebook = nbformat.read(ROOT / "examples" / name, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(BASE_MODEL, str(tiny_model))
    folder = {"metadata": {"path": str(workspace / "examples")}}
    # A reply that came while nobody listened is found when the time is over (seen once): so that is not long.
    NotebookClient(notebook, timeout=150, kernel_name="python3", resources=folder).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert [o for o in outputs if o.output_type == "error"] == []
    # rich draws into an output widget, whose content is the notebook's metadata.
    assert "━" in json.dumps(notebook.metadata["widgets"], ensure_ascii=False), "no progress bar was shown"


def test_notebooks_are_committed_as_they_ran():
    found = sorted((ROOT / "examples").glob("*.ipynb"))
    assert [path.name for path in found] == ["admin.ipynb", "programmer.ipynb"]
    for path in found:
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        # One after the other from a fresh start, which `make notebooks` does.
        assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
        outputs = [output for cell in cells for output in cell["outputs"]]
        assert len(outputs) > len(cells) / 2
        assert [output for output in outputs if output["output_type"] == "error"] == []


def test_the_site_builds_strictly(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", str(DOCS), str(tmp_path / "site")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site" / "index.html").is_file()
    index = (tmp_path / "site" / "genindex.html").read_text(encoding="utf-8")
    assert [
        name for name in public_names() if not re.search(rf'href="python/\w+\.html#{re.escape(name)}"', index)
    ] == []


def public_names():
    """Every class and function that a public package offers."""
    for module in ("", ".data", ".data.importers", ".data.starter", ".evaluation", ".generation", ".generation.quality", ".purposes.routing"):  # fmt: skip
        package = importlib.import_module(f"mojo_toolbox{module}")
        for name in package.__all__:
            if isinstance(getattr(package, name), type | FunctionType):
                yield f"{package.__name__}.{name}"


# ------------------------------------------------------------------------------- what is held against the code


def test_every_error_is_explained():
    from mojo_toolbox import errors

    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    explained = {row[0].strip("`") for row in table_rows(DOCS / "errors.md")}
    assert len(classes) > 20
    assert classes - explained == set()
    assert {name for name in explained if name.endswith("Error") and name != "Error"} == classes


def test_hyperparameters_are_those_of_recipes_and_contract():
    from mojo_toolbox.contract import EncoderHyperparameters, TrainingHyperparameters
    from mojo_toolbox.purposes.routing.recipes import RECIPES

    tables = []
    for row in table_rows(DOCS / "hyperparameters.md"):
        if row[0] in {"Recipe", "Name"}:
            tables.append({})
        elif row[0].startswith("`"):
            tables[-1][row[0].strip("`")] = row[1]
    sets = {recipe.name: recipe.hyperparameters for recipe in RECIPES.values() if recipe.hyperparameters}
    recipes, *tables = tables
    assert recipes == {
        name: ", ".join(f"`{key}` {value}" for key, value in told.items()) for name, told in sets.items()
    }
    assert tables == [
        {name: str(field.default) for name, field in model.model_fields.items()}
        for model in (TrainingHyperparameters, EncoderHyperparameters)
    ]


def test_every_setting_is_explained():
    from mojo_toolbox.settings import Settings

    names = {name for row in table_rows(DOCS / "settings.md") for name in re.findall(r"`(MOJO_\w+)`", row[0])}
    settings = {f"MOJO_{name.upper()}" for name in Settings.model_fields}
    assert settings <= names
    shipped = "".join(path.read_text() for path in (ROOT / "inference_code").rglob("*.py"))
    assert all(f'"{name}"' in shipped for name in names - settings)


def test_every_dependency_is_explained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.match(r"[\w.-]+", text)[0] for text in wanted} - {"mojo-toolbox"}
    explained = {row[0] for row in table_rows(DOCS / "dependencies.md")}
    assert len(names) > 20
    assert names - explained == set()


def test_the_administrators_policy_covers_every_call():
    page = (DOCS / "to-aws.md").read_text(encoding="utf-8")
    policy = json.loads(re.search(r"<!-- policy: administrator -->\n```json\n(.*?)```", page, re.DOTALL)[1])
    allowed = {a for s in policy["Statement"] for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    from mojo_toolbox.clouds.aws.requests import OPERATIONS

    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mojo_toolbox").glob("**/*.py"))
    called = set(re.findall(r'"(sagemaker|logs)",\s*"(\w+)"', code))
    called |= {("sagemaker", name) for name in re.findall(r'"((?:list|delete)_(?:endpoint|model)\w*)"', code)}
    needed = {f"{service}:{''.join(word.title() for word in name.split('_'))}" for service, name in called}
    assert len(needed) > 10
    assert (needed | {f"sagemaker:{name}" for name in OPERATIONS}) - allowed == set()


def test_commands_on_pages_exist():
    import typer

    from mojo_toolbox.cli.application import application

    root = typer.main.get_command(application)
    checked = 0
    for page in PAGES:
        for words in commands(page, "mojo"):
            command, rest = root, list(words)
            while rest and hasattr(command, "commands"):
                name = rest.pop(0)
                assert name in command.commands, f"{page.name}: mojo {' '.join(words)}"
                command = command.commands[name]
            known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--debug"}
            unknown = [word for word in rest if word.startswith("-") and word != "-" and word not in known]
            assert unknown == [], f"{page.name}: mojo {' '.join(words)}"
            checked += 1
    assert checked > 10


def test_make_targets_on_pages_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = {words[0] for page in PAGES for words in commands(page, "make")}
    assert {"quickstart", "test"} <= wanted
    assert {target for target in wanted if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGES_BY_NAME["README.md"].read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


# --------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    from tiny_base import save_tiny_base

    # The pages' prompts are long for a tokenizer that knows hardly more than bytes.
    return save_tiny_base(tmp_path_factory.mktemp("base") / "tiny", max_position_embeddings=4096)


@pytest.fixture(scope="module")
def readers_folder(tmp_path_factory):
    """A checkout's folder as far as the pages use it, with a few conversations; the local cloud beside it."""
    from mojo_toolbox.local_cloud import lifecycle

    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples" / "data").mkdir(parents=True)
    for name, count in (("train", 9), ("test", 4)):
        lines = [json.dumps(conversation(number)) + "\n" for number in range(count)]
        (folder / "examples" / "data" / f"{name}.jsonl").write_text("".join(lines))
    yield folder
    lifecycle.down(folder / "home")


@pytest.fixture
def workspace(readers_folder, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOJO_", "SAGEMAKER_", "HF_"))]:
        monkeypatch.delenv(name)
    given = {
        "MOJO_HOME": str(readers_folder / "home"),
        "MOJO_LOCAL_ENDS_WITH": str(os.getpid()),
        "HF_HUB_OFFLINE": "1",
        # One thread: two would wait for each other longer than a tiny model computes.
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = dict(os.environ)
    os.environ.update(given)
    monkeypatch.chdir(readers_folder)
    yield readers_folder
    # A page may set variables of its own.
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def asked_endpoint(workspace, tiny_model):
    """The endpoint that the tutorial leaves to the programmer, with a model that nobody trained."""
    from mojo_toolbox import Hub
    from mojo_toolbox.errors import NotFoundError

    hub = Hub(cloud_service="local")
    endpoint = hub.endpoint(**KEY)
    try:
        # A page that was run before may have deleted it, which takes a moment.
        while endpoint.status == "Deleting":
            time.sleep(0.1)
    except NotFoundError:
        endpoint = hub.deploy(**KEY, base_model=tiny_model)
    endpoint.wait(progress=False)


def conversation(number):
    names = ["meeting_recap", "follow_up_email", "prepare_a_quote"]
    first, second, other = names[number % 3 :] + names[: number % 3]
    listed = [first, second] if number % 2 else [first, second, other]
    turns = [
        ("hi", None),
        (f"the {first} please", first),
        ("the one of today", first),
        ("no, the other", second),
        ("thx", None),
    ]
    return {
        "id": f"c{number}",
        "tasks": [{"name": name, "description": name.replace("_", " ")} for name in listed],
        "messages": [{"role": "user", "content": text, "task": task} for text, task in turns],
    }


def test_nobody_is_sent_to_an_index_that_has_not_got_the_library():
    pages = [*PAGES, *(ROOT / "mojo_toolbox").rglob("*.py"), *(ROOT / "examples").glob("*.ipynb")]
    told = {path.name: re.findall(r"pip install [^\n`]*", path.read_text(encoding="utf-8")) for path in pages}
    assert any("pip install '.[local]'" in line for lines in told.values() for line in lines)
    assert {name: lines for name, lines in told.items() if any("mojo-toolbox" in line for line in lines)} == {}


def test_the_quickstart_leaves_the_endpoint_that_readme_docs_and_notebooks_ask():
    from mojo_toolbox.cli.commands import quickstart

    assert quickstart._NAMES == KEY
    assert quickstart._STAGE == "dev"
    asking = [PAGES_BY_NAME[name] for name in ("README.md", "tutorial.md", "programmers-guide.md")]
    for path in [*asking, *sorted((ROOT / "examples").glob("*.ipynb"))]:
        text = path.read_text(encoding="utf-8").replace('\\"', '"')
        names = re.findall(r'"?(product|task|model_id)"?(?:=|: )"([\w-]+)"', text)
        # A decision has a task too, and a notebook shows a model that nobody deployed.
        assert {value for name, value in names if name == "product"} == {KEY["product"]}, path.name
        assert {value for name, value in names if name == "model_id"} <= {KEY["model_id"], "not-deployed"}, path.name
        assert ("task", KEY["task"]) in names, path.name
