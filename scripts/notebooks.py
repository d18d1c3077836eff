"""Runs the notebooks of examples/ and keeps their outputs: the administrator's first, whose endpoint the programmer's asks.

`python scripts/notebooks.py` trains a small model on a local cloud of its own, some minutes on two cores.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from mojo_toolbox.local_cloud import lifecycle

EXAMPLES = Path(__file__).parents[1] / "examples"
_WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    """Run both."""
    with tempfile.TemporaryDirectory(prefix="mojo") as folder:
        home = Path(folder)
        os.environ["MOJO_HOME"] = str(home)
        try:
            for name in ("admin.ipynb", "programmer.ipynb"):
                run(EXAMPLES / name)
                print(f"{name}: run, and written with its outputs")
        finally:
            lifecycle.down(home)


def run(path: Path) -> None:
    """Run one and write it again, without what differs from one machine to the next."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=3600, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _draws_a_bar(output)]
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    text = nbformat.writes(notebook)
    if os.environ["MOJO_HOME"] in text:
        sys.exit(f"{path.name} shows a folder of this machine: {os.environ['MOJO_HOME']}. Change the cell.")
    path.write_text(text + "\n", encoding="utf-8")


def _draws_a_bar(output: nbformat.NotebookNode) -> bool:
    """Whether it is a progress bar: a widget, which nobody sees in a file, and the empty text that rich leaves behind."""
    data = output.get("data", {})
    return _WIDGET in data or (output.output_type == "display_data" and not data.get("text/plain"))


if __name__ == "__main__":
    main()
