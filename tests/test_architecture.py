"""The drawing of docs/architecture.md, held against what the code imports."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter

import pytest
from pages import ROOT, table_rows

PACKAGE = ROOT / "mojo_toolbox"
FLOORS = {row[1].strip("`"): int(row[0]) for row in table_rows(ROOT / "docs/architecture.md") if row[0].isdecimal()}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "_shipped" not in path.parts
}
# What containers run: the modules of each folder, by the names that they import each other by.
SHIPPED = {
    folder: {
        ".".join(path.relative_to(ROOT / folder).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    for folder in ("training_scripts", "inference_code")
}
KNOWN = MODULES.keys() | SHIPPED["training_scripts"].keys() | SHIPPED["inference_code"].keys()
PACKAGES = sorted(module for module, path in MODULES.items() if path.name == "__init__.py")


@cache
def imports(path):
    """Return all modules that a file imports, those within functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # What is imported from a package may be one of its modules.
            modules = {f"{node.module}.{alias.name}" for alias in node.names} & KNOWN
            found.update(modules or {node.module})
    return found


def room(module):
    return module.split(".")[1]


def test_every_room_stands_in_the_drawing():
    assert {room(module) for module in MODULES if "." in module} == set(FLOORS)


def test_rooms_import_from_lower_floors_only():
    wrong = []
    for module, path in MODULES.items():
        if "." not in module:
            continue  # the package itself opens both doors, when they are first asked for
        for imported in imports(path):
            if not imported.startswith("mojo_toolbox."):
                continue
            own, other = room(module), room(imported)
            if other != own and FLOORS[other] >= FLOORS[own]:
                wrong.append(f"{module} imports {imported}")
    assert len(MODULES) > 50
    assert wrong == []


def test_no_module_imports_itself_on_a_detour():
    graph = {module: imports(path) & set(MODULES) - {"mojo_toolbox"} for module, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 100
    # Raises CycleError, which names the circle.
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_between_the_parts_of_a_package(package):
    parts = {module: part_of(module, package) for module in MODULES}
    graph = {part: set() for part in parts.values() if part}
    for module, path in MODULES.items():
        for imported in imports(path) & set(MODULES):
            # A package's own names may come from its parts.
            if None not in (parts[module], parts[imported]) and imported != package:
                graph[parts[module]].add(parts[imported])
    for part, needed in graph.items():
        needed.discard(part)
    # Raises CycleError, which names the circle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def part_of(module, package):
    """Return which module or package right below `package` a module belongs to; None outside, itself for the package."""
    if module == package:
        return package
    below = module.removeprefix(f"{package}.")
    return None if below == module else f"{package}.{below.split('.')[0]}"


def test_only_the_room_that_speaks_to_aws_imports_boto3():
    importers = {
        module
        for module, path in MODULES.items()
        if any(name.split(".")[0] in {"boto3", "botocore", "s3transfer"} for name in imports(path))
    }
    # The local cloud checks requests against botocore's own description of SageMaker.
    assert {m for m in importers if room(m) != "clouds"} == {"mojo_toolbox.local_cloud.wire.validation"}
    assert "mojo_toolbox.clouds.aws.session" in importers


def test_only_the_command_line_imports_the_local_cloud():
    importers = {
        room(module)
        for module, path in MODULES.items()
        if any(name.startswith("mojo_toolbox.local_cloud") for name in imports(path))
    }
    assert importers == {"local_cloud", "cli"}


@pytest.mark.parametrize("folder", SHIPPED)
def test_what_runs_in_containers_imports_nothing_of_the_package(folder):
    assert len(SHIPPED[folder]) > 15
    for path in SHIPPED[folder].values():
        assert not {name for name in imports(path) if name.split(".")[0] == "mojo_toolbox"}, path


def test_training_and_serving_share_one_package_only():
    rooms = {folder: {first(module) for module in modules} for folder, modules in SHIPPED.items()}
    assert rooms["training_scripts"] & rooms["inference_code"] == set()
    used = {
        folder: {first(name) for path in modules.values() for name in imports(path)}
        for folder, modules in SHIPPED.items()
    }
    assert used["inference_code"] & rooms["training_scripts"] == {"model_code"}
    assert used["training_scripts"] & rooms["inference_code"] == set()
    shared = {module: path for module, path in SHIPPED["training_scripts"].items() if first(module) == "model_code"}
    named = {first(name) for path in shared.values() for name in imports(path)}
    assert named & rooms["training_scripts"] == {"model_code"}


@pytest.mark.parametrize("folder", SHIPPED)
def test_no_circle_in_what_runs_in_containers(folder):
    modules = SHIPPED[folder]
    graph = {module: imports(path) & modules.keys() for module, path in modules.items()}
    rooms = {first(module): set() for module in modules}
    for module, needed in graph.items():
        rooms[first(module)] |= {first(name) for name in needed} - {first(module)}
    # Raises CycleError, which names the circle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)
    assert len(list(TopologicalSorter(rooms).static_order())) == len(rooms)


def first(module):
    return module.split(".")[0]


def test_no_file_is_a_link():
    """Checkouts on Windows and downloaded archives turn links into text files."""
    folders = ("mojo_toolbox", *SHIPPED, "docs", "examples", "tests", "scripts", "benchmarks")
    assert [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_symlink()] == []


HEAVY = ("torch", "transformers", "moto", "datasets", "peft", "huggingface_hub", "typer", "starlette")


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import mojo_toolbox", ("boto3", "botocore", "pydantic", *HEAVY)),
        ("from mojo_toolbox import AWSModel", ("mojo_toolbox.hub", "mojo_toolbox.local_cloud", *HEAVY)),
        ("from mojo_toolbox import Hub", ("mojo_toolbox.local_cloud", "torch", "transformers", "moto", "datasets")),
        ("import mojo_toolbox.local_cloud.lifecycle", ("torch", "moto", "boto3")),
    ],
)
def test_a_door_loads_no_more_than_it_needs(statement, unwanted):
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "mojo_toolbox" in loaded
    assert loaded & set(unwanted) == set()
