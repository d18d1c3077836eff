"""Count how the documentation reads, and say which sentences to rewrite.

`python scripts/prose.py` counts README, CONTRIBUTING, the newest part of CHANGELOG, docs (docs/cli.md has the help texts) and the
docstrings of the Python reference. It ends with status 1 when a goal is missed or a rule of prose_rules.toml is broken.
`--worst 20` lists the sentences to rewrite, `--quiet` prints the totals only.
"""

import argparse
import ast
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

ROOT = Path(__file__).parents[1]
RULES = Path(__file__).with_name("prose_rules.toml")
LONG = 35  # words
GOALS = {"clauses": 1.5, "semicolons": 2.0, "long": 4.0}

# "What" hides the name of a thing before nearly any word. "What for", "what to do" and "what else" do not.
CLAUSE = re.compile(
    r"\bwhat\s+(?!(?:for|to|else|next)\b)[a-z]|\bwho\s+(?:is|are|was|were|has|have|had|do|does|did|can|could|will|would|should|must|may)\b",
    re.IGNORECASE,
)
WORD = re.compile(r"\w+(?:['.,-]\w+)*")
END_OF_SENTENCE = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)[\"')*]*\s+")


@dataclass(frozen=True)
class Sentence:
    """One sentence, and where it begins."""

    path: str
    line: int
    text: str

    @property
    def words(self) -> int:
        """Code between backticks counts as one word."""
        return len(WORD.findall(self.text))

    @property
    def clauses(self) -> int:
        """Clauses such as "what is left out". A question is none."""
        return 0 if self.text.rstrip("*_)").endswith("?") else len(CLAUSE.findall(self.text))

    @property
    def semicolons(self) -> int:
        """Semicolons outside code."""
        return self.text.count(";")

    @property
    def long(self) -> bool:
        """Whether the reader runs out of breath."""
        return self.words > LONG


@dataclass(frozen=True)
class Count:
    """The counts of a file, or of all files."""

    sentences: list[Sentence]

    def figures(self) -> dict[str, float]:
        """Clauses and semicolons per 1,000 words, and the percentage of long sentences."""
        words = max(1, sum(sentence.words for sentence in self.sentences))
        return {
            "clauses": 1000 * sum(sentence.clauses for sentence in self.sentences) / words,
            "semicolons": 1000 * sum(sentence.semicolons for sentence in self.sentences) / words,
            "long": 100 * sum(sentence.long for sentence in self.sentences) / max(1, len(self.sentences)),
        }

    def row(self, name: str) -> str:
        """One line of the table."""
        words = sum(sentence.words for sentence in self.sentences)
        return f"{name:52} {words:6} " + " ".join(f"{value:10.1f}" for value in self.figures().values())


def main() -> int:
    """Print the counts; return 1 when a goal is missed or a rule is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worst", type=int, metavar="N", help="list the N sentences that miss the goals most")
    parser.add_argument("--quiet", action="store_true", help="print the totals only")
    parser.add_argument("files", nargs="*", type=Path, help="Markdown or Python files in place of all")
    given = parser.parse_args()

    files = {shown(path): sentences(path) for path in given.files} or all_sentences()
    everything = Count([sentence for found in files.values() for sentence in found])
    print(f"{'':52} {'words':>6} " + " ".join(f"{goal:>10}" for goal in GOALS))
    if not given.quiet:
        for path, found in files.items():
            print(Count(found).row(path))
    print(everything.row("all"))
    print(f"{'goals, at most':52} {'':6} " + " ".join(f"{goal:10.1f}" for goal in GOALS.values()))

    for sentence in worst(everything.sentences, given.worst or 0):
        print(f"{sentence.path}:{sentence.line}: {sentence.text}")
    broken = list(broken_rules(everything.sentences))
    print("\n".join(broken), end="\n" if broken else "")
    missed = [goal for goal, value in everything.figures().items() if value > GOALS[goal]]
    if missed:
        print(
            f"Goals missed: {', '.join(missed)}. `python scripts/prose.py --worst 20` lists the sentences to rewrite."
        )
    return 1 if missed or broken else 0


def worst(found: list[Sentence], count: int) -> list[Sentence]:
    """Return the sentences that miss the goals most."""

    def weight(sentence: Sentence) -> float:
        return 3 * sentence.clauses + 2 * sentence.semicolons + max(0, sentence.words - LONG) / 5

    return [sentence for sentence in sorted(found, key=weight, reverse=True)[:count] if weight(sentence) > 0]


def broken_rules(found: Iterable[Sentence]) -> Iterator[str]:
    """Say where a rule of prose_rules.toml is broken, and how to write instead."""
    rules = [(re.compile(rule["pattern"]), rule["write"]) for rule in tomllib.loads(RULES.read_text())["rule"]]
    for sentence in found:
        for pattern, write in rules:
            if match := pattern.search(sentence.text):
                yield f'{sentence.path}:{sentence.line}: "{match[0].strip()}": {write}'


# ------------------------------------------------------------------------------------------------ where prose is


def all_sentences() -> dict[str, list[Sentence]]:
    """Return the sentences of everything that users read, by file."""
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
    return {shown(path): sentences(path) for path in pages} | documented_docstrings()


def shown(path: Path) -> str:
    """Return a path as messages show it."""
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def sentences(path: Path) -> list[Sentence]:
    """Return a file's sentences: of a page, of a changelog's newest part, or of a module's public docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return [found for line, text in docstrings(ast.parse(text)) for found in of_markdown(shown(path), text, line)]
    if path.name == "CHANGELOG.md":
        text = "\n## ".join(text.split("\n## ")[:2])
    return list(of_markdown(shown(path), text, 1))


def documented_docstrings() -> dict[str, list[Sentence]]:
    """Return the sentences of the Python reference: the docstrings that docs/python names, by file."""
    found: dict[str, list[Sentence]] = {}
    for path, node in sorted(documented(), key=lambda pair: (pair[0], pair[1].lineno)):
        inside = [sentence for line, text in docstrings(node) for sentence in of_markdown(shown(path), text, line)]
        found.setdefault(shown(path), []).extend(inside)
    return found


def documented() -> set[tuple[Path, ast.ClassDef | ast.FunctionDef]]:
    """Return the classes and functions that docs/python names, with the files that define them."""
    trees: dict[Path, ast.Module] = {}
    found = set()
    for value in documented_values():
        path = Path(inspect.getfile(value))
        tree = trees.setdefault(path, ast.parse(path.read_text(encoding="utf-8")))
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == value.__name__:
                found.add((path, node))
    return found


def documented_values() -> Iterator[type | FunctionType]:
    """Return the classes and functions that docs/python names."""
    sys.path.insert(0, str(ROOT))
    for page in (ROOT / "docs" / "python").glob("*.md"):
        for module in map(importlib.import_module, re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))):
            for name in getattr(module, "__all__", vars(module)):
                value = getattr(module, name)
                own = isinstance(value, type | FunctionType) and value.__module__.startswith("mojo_toolbox")
                if own and not name.startswith("_"):
                    yield value


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the docstrings of a module, class or function and of its public members, with their lines."""
    if not isinstance(tree, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if (text := ast.get_docstring(tree)) is not None:
        yield tree.body[0].lineno, text
    if isinstance(tree, ast.Module | ast.ClassDef):
        for node in tree.body:
            if not getattr(node, "name", "_").startswith("_"):
                yield from docstrings(node)


def of_markdown(path: str, text: str, first_line: int) -> Iterator[Sentence]:
    """Return the sentences of paragraphs, list items, headings and table cells, without code and comments."""
    for line, paragraph in paragraphs(without_code(text).split("\n")):
        begin = 0
        for piece in [*END_OF_SENTENCE.finditer(paragraph), None]:
            end = piece.end() if piece else len(paragraph)
            sentence = " ".join(paragraph[begin:end].split())
            if WORD.search(sentence):
                yield Sentence(path, first_line + line + paragraph.count("\n", 0, begin), sentence)
            begin = end


def without_code(text: str) -> str:
    """Replace code by one word or by nothing, and drop comments and link targets; lines keep their numbers."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    text = re.sub(r"^( *)(`{3,}|:{3,}|~{3,}).*?^\1\2 *$", blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", blank, text, flags=re.DOTALL)
    text = re.sub(r"(`+)[^`]+?\1", lambda match: "CODE" + blank(match), text)
    return re.sub(r"\]\([^)]*\)", lambda match: "]" + blank(match), text)


def paragraphs(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Return paragraphs with the number of their first line, from 0; a list item, a heading and a cell are one each."""
    begun, held = 0, list[str]()
    for number, line in enumerate([*lines, ""]):
        starts = re.match(r"\s*(?:[-*+] |\d+\. |#+ |\||$)", line)
        if starts and held:
            yield begun, "\n".join(held)
            held = []
        if line.lstrip().startswith("|"):
            yield from ((number, cell) for cell in re.split(r"(?<!\\)\|", line))
        elif line.strip():
            begun = begun if held else number
            held.append(re.sub(r"^\s*(?:[-*+]|\d+\.|#+) ", "", line))


if __name__ == "__main__":
    sys.exit(main())
