"""The facts in an instance type's name."""

from __future__ import annotations

# Families with local NVMe storage whose name has no `d` in it.
_WITH_LOCAL_STORAGE = frozenset({"g5", "g6", "g6e", "p5", "p5e", "p5en", "p6-b200", "trn1", "trn1n", "trn2"})
_ACCELERATED = ("p", "g", "trn")


def family(instance_type: str) -> str:
    """Return `g5` for `ml.g5.xlarge`."""
    return instance_type.removeprefix("ml.").partition(".")[0]


def has_local_storage(instance_type: str) -> bool:
    """Whether an instance keeps its data on its own disks: no volume is attached, and its hardware encrypts them."""
    name = family(instance_type)
    return name in _WITH_LOCAL_STORAGE or "d" in name


def is_accelerated(instance_type: str) -> bool:
    """Whether an instance has GPUs or Trainium chips."""
    return family(instance_type).startswith(_ACCELERATED)
