"""Sphinx settings; build with `sphinx-build -W -n docs build/docs`."""

import importlib
import re
from pathlib import Path

from mojo_toolbox import __version__

# autodoc imports modules anew with TYPE_CHECKING on, under which pydantic cannot make its classes. It takes imported ones as they are.
for page in Path(__file__).with_name("python").glob("*.md"):
    for module in re.findall(r"^\.\. automodule:: (\S+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        importlib.import_module(module)

project = "mojo-toolbox"
author = "The mojo-toolbox authors"
copyright = author  # noqa: A001 - Sphinx's own name for it
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
nitpicky = True
# Annotations name classes of other projects, and our own by the modules they live in; docstrings must name what is here.
nitpick_ignore_regex = [("py:.*", ".*")]

# Docstrings write code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
# The arguments of a class are documented at its constructor.
autoclass_content = "both"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"mojo-toolbox {release}"


def setup(app):  # noqa: ANN001, ANN201, D103 - Sphinx's hook
    # Before napoleon, which takes the words before an attribute's first colon for its type.
    app.connect("autodoc-process-docstring", _keep_colons, priority=400)


def _keep_colons(_app, what, _name, _obj, _options, lines):  # noqa: ANN001, ANN202
    if what == "attribute" and lines:
        lines[0] = re.sub(r":(?=\s|$)", " \N{EN DASH}", lines[0])
