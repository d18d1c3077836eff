"""Which purpose a task has is known in one place."""

import ast

from pages import ROOT

from mojo_toolbox.purposes.registry import PURPOSES, purpose_of


def test_routing_is_the_first_purpose_and_other_tasks_take_any_prompt():
    assert next(iter(PURPOSES)) == "routing"
    assert purpose_of("routing") is PURPOSES["routing"]
    assert purpose_of("routing").prompt_version == "routing-2"
    assert purpose_of("chat").prompt_version is None
    # A task is spelt as the administrator spells it.
    assert purpose_of("Routing") is purpose_of("chat")


def test_no_other_room_asks_whether_a_task_is_routing():
    package = ROOT / "mojo_toolbox"
    asking = []
    for path in sorted(package.rglob("*.py")):
        if path.is_relative_to(package / "purposes") or "_shipped" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(
                isinstance(part, ast.Constant) and part.value == "routing" for part in ast.walk(node)
            ):
                asking.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert asking == []
