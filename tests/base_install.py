"""Run code as in an environment that has the base install only, or some extras: `python base_install.py CODE [EXTRA ...]`."""

import importlib.metadata
import re
import sys


def closure(*extras):
    """Return the import names of what `pip install mojo-toolbox[...]` brings, by the metadata of what is installed."""
    wanted, seen = [("mojo-toolbox", extra) for extra in ("", *extras)], set()
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in lines:
            found = re.match(r"([\w.-]+)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?", line)
            given = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", found[3] or "")
            if given is None if not extra else given is not None and given[1] == extra:
                wanted += [(found[1], part.strip()) for part in ["", *(found[2] or "").split(",")] if part is not None]
    return {re.sub(r"[-_.]+", "-", name).lower() for name, _ in seen}


class Blocker:
    """Finds nothing that is not installed."""

    def __init__(self, *extras):
        there = closure(*extras)
        self.blocked = {
            package
            for package, distributions in importlib.metadata.packages_distributions().items()
            if not any(re.sub(r"[-_.]+", "-", name).lower() in there for name in distributions)
        } - {"mojo_toolbox"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocker(*sys.argv[2:]))
    exec(sys.argv[1])
