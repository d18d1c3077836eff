"""The command line, `mojo`. Importing this loads neither typer nor rich, so that a base install can say what is missing."""

from __future__ import annotations

import sys

from mojo_toolbox.errors import MissingExtraError
from mojo_toolbox.errors.extras import needed_for


def main() -> None:
    """Run the command line and exit: 0 done, 1 an error, 2 a command line that cannot be understood, 130 interrupted."""
    try:
        with needed_for("The command line", extra="admin"):
            from mojo_toolbox.cli.application import application
            from mojo_toolbox.cli.terminal.process_title import hide_secrets
    except MissingExtraError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    hide_secrets(sys.argv[1:])
    application()
