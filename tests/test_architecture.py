"""The drawing of docs/architecture.md, held against what the code imports."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest
from pages import ROOT

PACKAGE = ROOT / "mojo_toolbox"
PAGE = ROOT / "docs/architecture.md"
# A room with more lines than this says in a table of its own what is inside.
LARGE = 5000
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


# ------------------------------------------------------------------------------------------------ the tables


@dataclass(frozen=True)
class Place:
    """Where a table puts a package or module; a row may name several, which may import one another."""

    floor: int
    row: int


def tables(page):
    """Return {package: {its part: place}}; a table's heading is "Inside `room/inner`", the first one is everybody's."""
    found = {}
    package = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines()):
        if line.startswith("#"):
            inside = re.fullmatch(r"### Inside `([\w/]+)`", line)
            whole = line == "## Rooms and floors"
            package = f"mojo_toolbox.{inside[1].replace('/', '.')}" if inside else "mojo_toolbox" if whole else ""
        row = re.match(r"\| (\d+) \| ([^|]+) \|", line)
        if row and package:
            for name in re.findall(r"`(\w+)`", row[2]):
                found.setdefault(package, {})[f"{package}.{name}"] = Place(int(row[1]), number)
    return found


TABLES = tables(PAGE)
ARROWS = {module: imports(path) & set(MODULES) - {module} for module, path in MODULES.items()}


def part_of(module, package):
    """Return which module or package right below `package` a module belongs to; None outside, itself for the package."""
    if module == package:
        return package
    below = module.removeprefix(f"{package}.")
    return None if below == module else f"{package}.{below.split('.')[0]}"


def arrows_inside(package, arrows):
    """Return (module, imported, part, other part) for all that crosses from one part of a package to another one."""
    for module, needed in arrows.items():
        part = part_of(module, package)
        for imported in sorted(needed):
            other = part_of(imported, package)
            # A package may open its parts; its own names may come from any of them.
            if package not in (part, other) and None not in (part, other) and part != other:
                yield module, imported, part, other


def wrong_arrows(package, arrows, places):
    """Return the imports that do not lead to a lower floor, or to another module of the same row."""
    return [
        f"{module} imports {imported}"
        for module, imported, part, other in arrows_inside(package, arrows)
        if places[other].row != places[part].row and places[other].floor >= places[part].floor
    ]


def missing_row(part, package, arrows, places):
    """Return the row that a table lacks, with the lowest floor that the imports allow."""
    below = [
        places[other].floor for *_, own, other in arrows_inside(package, arrows) if own == part and other in places
    ]
    text = ast.get_docstring(ast.parse(MODULES[part].read_text(encoding="utf-8"))) if part in MODULES else None
    return f"| {max(below, default=-1) + 1} | `{part.rpartition('.')[2]}` | {(text or '…').splitlines()[0]} |"


def test_every_large_room_has_a_table():
    lines = dict.fromkeys(PACKAGES, 0)
    for module, path in MODULES.items():
        for package in PACKAGES:
            if part_of(module, package):
                lines[package] += len(path.read_text(encoding="utf-8").splitlines())
    large = {package for package, count in lines.items() if count > LARGE}
    assert {"mojo_toolbox.local_cloud", "mojo_toolbox.evaluation"} <= large
    assert large - set(TABLES) == set(), f'{PAGE.name} lacks tables with the heading "### Inside `…`"'


@pytest.mark.parametrize("package", TABLES)
def test_every_part_of_a_room_stands_in_its_table(package):
    parts = {part_of(module, package) for module in MODULES} - {None, package}
    rows = [missing_row(part, package, ARROWS, TABLES[package]) for part in sorted(parts - set(TABLES[package]))]
    assert not rows, "\n".join([f"add to the table of {package} in {PAGE.name}:", *rows])
    assert set(TABLES[package]) - parts == set(), f"rows of {package} without a module"


@pytest.mark.parametrize("package", TABLES)
def test_rooms_import_from_lower_floors_only(package):
    assert len(MODULES) > 50
    assert list(arrows_inside(package, ARROWS))
    assert wrong_arrows(package, ARROWS, TABLES[package]) == []


# ----------------------------------------------------------------------------------------------- the circles


def parts_graph(package, arrows):
    graph = {part_of(module, package): set() for module in arrows}
    graph.pop(None, None)
    for *_, part, other in arrows_inside(package, arrows):
        graph[part].add(other)
    return graph


def assert_no_circle(graph):
    # Raises CycleError, which names the circle.
    assert set(TopologicalSorter(graph).static_order()) >= set(graph)


def test_no_module_imports_itself_on_a_detour():
    graph = {module: needed - {"mojo_toolbox"} for module, needed in ARROWS.items()}
    assert sum(map(len, graph.values())) > 100
    assert_no_circle(graph)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_between_the_parts_of_a_package(package):
    assert_no_circle(parts_graph(package, ARROWS))


# ------------------------------------------------------------------------------------- that the tests can fail


HOUSE = {"h.low": Place(0, 1), "h.high": Place(1, 2), "h.pair": Place(1, 3), "h.other": Place(1, 3)}


@pytest.mark.parametrize(
    ("arrows", "wrong"),
    [
        ({"h.high.a": {"h.low.b"}, "h.low.b": set(), "h.pair": {"h.other"}, "h.other": {"h.low"}}, []),
        ({"h.low.b": {"h.high.a"}}, ["h.low.b imports h.high.a"]),
        ({"h.high.a": {"h.pair"}}, ["h.high.a imports h.pair"]),
        ({"h": {"h.high"}, "h.high.a": {"h.high.b", "h", "elsewhere.x"}}, []),
    ],
)
def test_an_arrow_that_does_not_lead_down_is_found(arrows, wrong):
    assert wrong_arrows("h", arrows, HOUSE) == wrong


@pytest.mark.parametrize(
    ("package", "arrows"),
    [
        ("h", {"h.low": {"h.high.a"}, "h.high.a": set(), "h.high.b": {"h.low"}}),
        ("h.high", {"h.high.a": {"h.high.c"}, "h.high.c": {"h.high.b"}, "h.high.b": {"h.high.a"}}),
    ],
)
def test_a_circle_of_rooms_or_modules_is_found(package, arrows):
    with pytest.raises(CycleError):
        assert_no_circle(parts_graph(package, arrows))


def test_a_row_that_is_missing_is_spelt_out(tmp_path):
    arrows = {"h.new.a": {"h.low"}, "h.low": set()}
    assert missing_row("h.new", "h", arrows, HOUSE) == "| 1 | `new` | … |"
    (tmp_path / "page.md").write_text(
        "## Rooms and floors\n| 2 | `a`, `b` | c |\n### Inside `a/d`\n| 0 | `e` | f |\n## G\n| 1 | `h` |\n"
    )
    places = tables(tmp_path / "page.md")
    assert {package: sorted(rows) for package, rows in places.items()} == {
        "mojo_toolbox": ["mojo_toolbox.a", "mojo_toolbox.b"],
        "mojo_toolbox.a.d": ["mojo_toolbox.a.d.e"],
    }


# ------------------------------------------------------------------------------------------- who imports what


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


def test_no_class_has_the_name_of_another():
    """A name says one thing in the whole tree. A search for a class finds one."""
    found = {}
    for path in [
        *MODULES.values(),
        *(ROOT / "inference_code").rglob("*.py"),
        *(ROOT / "training_scripts").rglob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert len(found) > 300
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
