"""`python -m mojo_toolbox.cli` is `mojo`."""

from mojo_toolbox.cli import main

if __name__ == "__main__":
    main()
