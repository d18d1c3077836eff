"""Archives that try to write outside of the folder they are unpacked in, or to fill the disk; each as bytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

# What an archive must never reach: a file beside the folder, named by this.
PREY = "prey.txt"


def member(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", content: bytes = b"", mode: int = 0o644):
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size, made.mode = kind, link, len(content), mode
    return made, content


def file(name: str, content: bytes = b"written", mode: int = 0o644):
    return member(name, content=content, mode=mode)


def folder(name: str):
    return member(name, tarfile.DIRTYPE, mode=0o755)


def symlink(name: str, target: str):
    return member(name, tarfile.SYMTYPE, link=target)


def hard_link(name: str, target: str):
    return member(name, tarfile.LNKTYPE, link=target)


def packed(*members, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content else None)
    return buffer.getvalue()


def chain_beyond_path_max(*last):
    """CVE-2025-4517: each step is a long folder and a short link to it; resolved, the path is longer than PATH_MAX."""
    deep, steps, path, members = "d" * 247, "abcdefghijklmnop", "", []
    for step in steps:
        members.append(folder(f"{path}{deep}"))
        members.append(symlink(f"{path}{step}", deep))
        path += f"{deep}/"
    linkpath = "/".join(steps) + "/" + "l" * 254
    members.append(symlink(linkpath, "../" * len(steps)))
    members.append(symlink("escape", f"{linkpath}/.."))
    return packed(*members, *last)


ESCAPES: dict[str, Callable[[], bytes]] = {
    "a chain of links beyond PATH_MAX, written through": lambda: chain_beyond_path_max(file(f"escape/{PREY}")),
    "a chain of links beyond PATH_MAX, linked hard through": lambda: chain_beyond_path_max(
        hard_link("stolen", f"escape/{PREY}"), file("stolen")
    ),
    "a name that climbs": lambda: packed(file(f"../{PREY}")),
    "a name that goes in and out": lambda: packed(folder("a"), file(f"a/../../{PREY}")),
    "an absolute name": lambda: packed(file("/tmp/mojo-test-prey.txt")),
    "a link that climbs": lambda: packed(symlink("up", ".."), file(f"up/{PREY}")),
    "an absolute link": lambda: packed(symlink("tmp", "/tmp"), file("tmp/mojo-test-prey.txt")),
    "two links that climb together": lambda: packed(
        folder("a"), symlink("a/here", "."), symlink("a/up", "here/../.."), file(f"a/up/{PREY}")
    ),
    "a link whose meaning a later one changes": lambda: packed(
        folder("p/q"), symlink("a", "x/../.."), folder("p/q/r"), symlink("x", "p"), file(f"a/{PREY}")
    ),
    "a folder that becomes a link": lambda: packed(folder("a"), symlink("a", ".."), file(f"a/{PREY}")),
    "a file that becomes a link": lambda: packed(file("a"), symlink("a", f"../{PREY}")),
    "a hard link that climbs": lambda: packed(hard_link("stolen", f"../{PREY}"), file("stolen")),
    "a hard link to an absolute name": lambda: packed(hard_link("stolen", "/etc/hostname")),
    "a hard link through a link": lambda: packed(
        symlink("up", ".."), hard_link("stolen", f"up/{PREY}"), file("stolen")
    ),
    "a hard link to a link": lambda: packed(symlink("up", f"../{PREY}"), hard_link("stolen", "up"), file("stolen")),
    "a link alone, for whoever reads": lambda: packed(symlink("up", f"../{PREY}")),
    "another spelling of a link's name": lambda: packed(symlink("up", ".."), file(f"./up//{PREY}")),
    "a device": lambda: packed(member("null", tarfile.CHRTYPE)),
    "a block device": lambda: packed(member("disk", tarfile.BLKTYPE)),
    "a pipe": lambda: packed(member("pipe", tarfile.FIFOTYPE)),
    "an unknown kind": lambda: packed(member("odd", b"V")),
    "a name longer than the system takes": lambda: packed(file("x" * 300)),
    "a path longer than the system takes": lambda: packed(file("x/" * 3000 + "x")),
    "more folders than anybody can remove": lambda: packed(folder("x/" * 1500 + "x")),
}
