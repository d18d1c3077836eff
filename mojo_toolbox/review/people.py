"""Who may review: invitations by a secret token, of which only the hash is kept."""

from __future__ import annotations

import getpass
import hashlib
import secrets
import shlex

from sqlalchemy import Connection, func, insert, select, update

from mojo_toolbox.errors import ReviewError
from mojo_toolbox.review.events import log
from mojo_toolbox.review.queue import give_back_all
from mojo_toolbox.review.records import Person, Reviewer
from mojo_toolbox.review.schema import events, reviewers
from mojo_toolbox.spelling import canonical, misspelling

_LONGEST_NAME = 100


def invite(connection: Connection, name: str, *, admin: bool, renew: bool, now: float) -> str:
    """Let somebody in and return their token. See `ReviewStore.invite`."""
    name = _usable_name(name)
    token = secrets.token_urlsafe(32)
    there = connection.execute(select(reviewers).where(reviewers.c.name == name).with_for_update()).one_or_none()
    if there is not None and there.local:
        raise ReviewError(f"{name!r} is who reviews on this machine without a link: give another name.")
    if there is not None and there.revoked_at is None and not renew:
        raise ReviewError(
            f"{name!r} has a link already. A new one, which ends the old: mojo review invite {shlex.quote(name)} --renew"
        )
    values = {"token_hash": _hash(token), "admin": admin, "local": False, "invited_at": now, "revoked_at": None}
    if there is None:
        connection.execute(insert(reviewers).values(name=name, **values))
    else:
        connection.execute(update(reviewers).where(reviewers.c.id == there.id).values(**values))
    log(connection, "invite", at=now, reviewer_id=_id(connection, name), admin=admin)
    return token


def revoke(connection: Connection, name: str, *, now: float) -> None:
    """End somebody's token. See `ReviewStore.revoke`."""
    name = _spelt(name)
    there = connection.execute(select(reviewers).where(reviewers.c.name == name).with_for_update()).one_or_none()
    if there is None:
        raise ReviewError(
            f"There is no reviewer {name!r}: {', '.join(p.name for p in people(connection)) or 'nobody yet'}."
        )
    connection.execute(update(reviewers).where(reviewers.c.id == there.id).values(token_hash=None, revoked_at=now))
    give_back_all(connection, there.id, now=now)
    log(connection, "revoke", at=now, reviewer_id=there.id)


def people(connection: Connection) -> list[Person]:
    """Return everybody who was ever let in, by name."""
    seen = (
        select(events.c.reviewer_id, func.max(events.c.at).label("at"))
        .where(events.c.action.not_in(["invite", "revoke", "returned"]))
        .group_by(events.c.reviewer_id)
        .subquery()
    )
    found = (
        select(reviewers, seen.c.at)
        .outerjoin(seen, seen.c.reviewer_id == reviewers.c.id)
        .order_by(func.lower(reviewers.c.name), reviewers.c.id)
    )
    return [
        Person(row.name, row.admin, row.local, row.invited_at, row.revoked_at, row.at)
        for row in connection.execute(found)
    ]


def reviewer_of(connection: Connection, token: str) -> Reviewer | None:
    """Return whose token it is. See `ReviewStore.reviewer`."""
    found = select(reviewers).where(reviewers.c.token_hash == _hash(token), reviewers.c.revoked_at.is_(None))
    row = connection.execute(found).one_or_none()
    return None if row is None else Reviewer(row.id, row.name, row.admin)


def known_local(connection: Connection) -> Reviewer | None:
    """Return the single person of this machine, if they were here before."""
    row = connection.execute(
        select(reviewers).where(reviewers.c.name == _local_name(), reviewers.c.local)
    ).one_or_none()
    return None if row is None else Reviewer(row.id, row.name, admin=True)


def make_local(connection: Connection, *, now: float) -> Reviewer:
    """Return the single person of this machine; another tab may have been quicker."""
    there = known_local(connection)
    if there is not None:
        return there
    name = _local_name()
    values = {"admin": True, "local": True, "invited_at": now}
    connection.execute(insert(reviewers).values(name=name, **values))
    return Reviewer(_id(connection, name), name, admin=True)


def _local_name() -> str:
    """Return the login name; the addition keeps it apart from somebody who was invited under the same one."""
    try:
        return f"{getpass.getuser()} (local)"
    except (OSError, KeyError):  # a container's user may have no name
        return "local"


def _usable_name(name: str) -> str:
    name = _spelt(name)
    if len(name) > _LONGEST_NAME:
        raise ReviewError(f"A reviewer's name has at most {_LONGEST_NAME} characters, not {len(name)}: {name[:120]!r}.")
    if problem := misspelling(name):
        raise ReviewError(f"The reviewer's name {name!r} {problem}. Give another one.")
    return name


def _spelt(name: str) -> str:
    return canonical(" ".join(name.split()))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _id(connection: Connection, name: str) -> int:
    return int(connection.execute(select(reviewers.c.id).where(reviewers.c.name == name)).scalar_one())
