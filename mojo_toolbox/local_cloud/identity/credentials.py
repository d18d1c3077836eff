"""Which access keys the local cloud knows: the owner's, those its STS lent, and those its IAM made."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import AccessKey, new_access_key_id, new_secret

_TABLE = """CREATE TABLE IF NOT EXISTS sts_sessions (
    access_key_id TEXT PRIMARY KEY, secret_access_key TEXT NOT NULL, session_token TEXT NOT NULL,
    arn TEXT NOT NULL, user_id TEXT NOT NULL, expires REAL NOT NULL)"""
# An expired key is remembered for a day, so that its user reads that it expired, not that it never was.
_FORGET_AFTER_SECONDS = 86400.0


@dataclass(frozen=True)
class Key:
    """The secret that a signature is checked against, and the user that it proves."""

    access_key_id: str
    secret_access_key: str
    arn: str
    user_id: str
    session_token: str | None = None
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Key({self.access_key_id})"


class KeyRing:
    """Every access key that may sign. Temporary ones outlive a restart."""

    def __init__(
        self,
        owner: AccessKey,
        database: CloudDatabase,
        iam_key: Callable[[str], tuple[str, str, str] | None] = lambda _: None,
    ) -> None:
        """Take the owner's key, and `iam_key(access_key_id)` -> (secret, ARN, user id) of an active key of an IAM user."""
        self._owner = Key(
            owner.access_key_id, owner.secret_access_key, arn=f"arn:aws:iam::{ACCOUNT_ID}:root", user_id=ACCOUNT_ID
        )
        self._database = database
        self._iam_key = iam_key
        database.execute(_TABLE)

    def find(self, access_key_id: str) -> Key | None:
        """Return the key, expired or not, or None if it was never made."""
        if secrets.compare_digest(access_key_id.encode(), self._owner.access_key_id.encode()):
            return self._owner
        rows = self._database.execute("SELECT * FROM sts_sessions WHERE access_key_id = ?", (access_key_id,))
        if rows:
            return Key(**dict(rows[0]))
        made = self._iam_key(access_key_id)
        if made is None:
            return None
        secret, arn, user_id = made
        return Key(access_key_id, secret, arn=arn, user_id=user_id)

    def lend(self, *, arn: str, user_id: str, seconds: int) -> Key:
        """Make a temporary key. It is on disk when this returns."""
        key = Key(
            access_key_id=new_access_key_id("ASIA"),
            secret_access_key=new_secret(),
            arn=arn,
            user_id=user_id,
            session_token=secrets.token_urlsafe(192),
            expires=time.time() + seconds,
        )
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sts_sessions WHERE expires < ?", (time.time() - _FORGET_AFTER_SECONDS,))
            connection.execute(
                "INSERT INTO sts_sessions VALUES (?, ?, ?, ?, ?, ?)",
                (key.access_key_id, key.secret_access_key, key.session_token, arn, user_id, key.expires),
            )
        return key
