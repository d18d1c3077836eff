"""Sphinx settings; build with `sphinx-build -W -n docs build/docs`."""

from mojo_toolbox import __version__

project = "mojo-toolbox"
author = "The mojo-toolbox authors"
copyright = author  # noqa: A001 - Sphinx's own name for it
release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
nitpicky = True

html_theme = "furo"
html_title = f"mojo-toolbox {release}"
