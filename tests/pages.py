"""The documentation as the tests see it: fenced blocks, tables, shell commands."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BASE_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>[^\n]+) -->\n\s*\Z")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    code: str
    not_run: str | None

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def blocks(page, *languages):
    """Return the fenced blocks of a page, those of the given languages."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        indent = len(match["indent"])
        code = "".join(line[indent:] or "\n" for line in match["code"].splitlines(keepends=True))
        reason = _NOT_RUN.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"].strip(), code, reason["reason"] if reason else None))
    return [block for block in found if not languages or block.language in languages]


def table_rows(page):
    """Return the cells of all tables' rows; headings and rulers are rows too."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def commands(page, program):
    """Return the calls of `program` as word lists: in shell blocks and in `code` within sentences."""
    lines = [line for block in blocks(page, "bash") for line in block.code.replace("\\\n", " ").splitlines()]
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    lines += re.findall(r"`([^`\n]+)`", prose)
    found = []
    for line in lines:
        inner = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line.strip())
        if inner.startswith((f"{program} ", f".venv/bin/{program} ")):
            found.append(shlex.split(inner, comments=True)[1:])
    return found
