"""A store over SQLite, and over PostgreSQL where MOJO_TEST_POSTGRES_URL names a server; a clock that tests move."""

import os
import secrets

import pytest
from making import Clock

from mojo_toolbox.review.store import ReviewStore

POSTGRES = "MOJO_TEST_POSTGRES_URL"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a database that nobody has used."""
    if request.param == "sqlite":
        yield str(tmp_path / "review.db")
        return
    server = os.environ.get(POSTGRES)
    if not server:
        pytest.skip(f"{POSTGRES} names no PostgreSQL server (scripts/postgres.py starts one)")
    from sqlalchemy import create_engine, text

    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://", 1))
    schema = f"test_{secrets.token_hex(6)}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def store(url, clock):
    with ReviewStore.open(url, lock_seconds=600, clock=clock) as store:
        yield store
