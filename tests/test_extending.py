"""The recipes of docs/extending.md, held against the tree: paths exist, and names are where a recipe says."""

import re

from pages import ROOT

TEXT = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
RECIPES = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|toml|md))`")
# `NAME` … in `path`: the nearest path after the word "in", within one sentence.
NAMED = re.compile(r"`(\w+)`(?:(?!\. |:\n)[^`]|`\w+`)*?\b(?:in|from|of)\s+`((?:[\w.-]+/)+[\w.-]+)`")


def test_every_path_exists():
    paths = set(PATH.findall(TEXT))
    assert len(paths) > 40
    missing = [path for path in paths if not (ROOT / path).exists() and not (ROOT / "mojo_toolbox" / path).exists()]
    assert missing == []


def test_names_are_in_the_files_that_recipes_name():
    found = NAMED.findall(TEXT)
    assert len(found) >= 8
    wrong = [
        (name, path) for name, path in found if not re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_every_recipe_names_code_and_tests():
    assert len(RECIPES) == 8
    for recipe in RECIPES:
        paths = PATH.findall(recipe)
        assert any(path.startswith(("mojo_toolbox/", "training_scripts/")) for path in paths), recipe[:40]
        assert any(path.startswith("tests/") for path in paths), recipe[:40]
