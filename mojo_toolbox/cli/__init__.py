"""The command line, `mojo`. Importing this loads neither typer nor rich, so that a base install can say what is missing."""

from __future__ import annotations

import sys

_ADMIN_EXTRA = {"typer", "rich", "setproctitle"}


def main() -> None:
    """Run the command line and exit: 0 done, 1 an error, 2 a command line that cannot be understood, 130 interrupted."""
    try:
        from mojo_toolbox.cli.application import application
        from mojo_toolbox.cli.process_title import hide_secrets
    except ModuleNotFoundError as error:
        if error.name not in _ADMIN_EXTRA:
            raise
        sys.stderr.write(f"error: the command line needs {error.name}: pip install 'mojo-toolbox[admin]'\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    hide_secrets(sys.argv[1:])
    application()
