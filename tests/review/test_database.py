"""The database: made, migrated, refused, full, killed."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from making import Clock, fill, join
from sqlalchemy import event

from mojo_toolbox.errors import ConfigurationError, ReviewDatabaseError
from mojo_toolbox.review.database import MIGRATIONS, ReviewDatabase
from mojo_toolbox.review.records import ReviewDecision
from mojo_toolbox.review.schema import metadata
from mojo_toolbox.review.store import ReviewStore

NEXT_VERSION = """
import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = {head!r}


def upgrade():
    op.add_column("reviewers", sa.Column("team", sa.Text()))
"""


@pytest.fixture
def newer(tmp_path):
    """Migrations with a version more than the library's."""
    folder = tmp_path / "100% migrations"
    shutil.copytree(MIGRATIONS, folder)
    head = max(path.name for path in folder.glob("versions/v*.py"))[1]
    (folder / "versions" / "v9_team.py").write_text(NEXT_VERSION.format(head=head))
    return folder


def test_the_steps_come_to_the_tables_that_the_code_uses(url):
    database = ReviewDatabase(url)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_an_older_database_is_brought_up_to_date_with_all_that_is_in_it(url, newer, tmp_path):
    with ReviewStore.open(url) as store:
        fill(store, tmp_path, 3)
        (ann,) = join(store, "ann")
        store.decide(ann, store.next(ann).id, ReviewDecision("okay"))
    for _ in range(2):
        database = ReviewDatabase(url, migrations=newer)
        with database.reading() as connection:
            assert connection.exec_driver_sql("SELECT name, team FROM reviewers").all() == [("ann", None)]
            assert connection.exec_driver_sql("SELECT count(*) FROM seats WHERE state = 'decided'").scalar() == 1
        database.close()


def test_a_database_of_the_first_version_gets_its_counts_and_a_name(url, tmp_path):
    with ReviewStore.open(url) as store:
        fill(store, tmp_path, 5, overlap=1.0)
        ann, bob = join(store, "ann", "bob")
        for who, count in ((ann, 3), (bob, 1)):
            for _ in range(count):
                store.decide(who, store.next(who).id, ReviewDecision("okay"))
    database = ReviewDatabase(url)
    with database.writing() as connection:
        with Operations.context(MigrationContext.configure(connection)) as steps:
            steps.drop_index("seats_by_time", "seats")
            steps.create_index("seats_by_time", "seats", ["decided_at"])
            columns = (("reviewers", "decided"), ("imports", "seats"), ("imports", "database"), ("seats", "reason"))
            for table, column in columns:
                steps.drop_column(table, column)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '1'")
    database.close()
    names = set()
    for _ in range(2):
        with ReviewStore.open(url) as store:
            told = store.progress(ann)
            assert (told.done, told.total, told.mine) == (4, 10, 3)
            names.add(store.identity)
    assert len(names) == 1
    assert names != {""}


def test_a_database_of_the_second_version_gets_room_for_reasons(url, tmp_path):
    with ReviewStore.open(url) as store:
        fill(store, tmp_path, 3)
        (ann,) = join(store, "ann")
        store.decide(ann, store.next(ann).id, ReviewDecision("wrong", note="nonsense"))
    database = ReviewDatabase(url)
    with database.writing() as connection:
        with Operations.context(MigrationContext.configure(connection)) as steps:
            steps.drop_column("seats", "reason")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '2'")
    database.close()
    with ReviewStore.open(url, create=False) as store:
        assert not store.is_new
        store.decide(ann, store.next(ann).id, ReviewDecision("wrong", reason="A duplicate"))
        overview = store.overview()
        assert overview.reasons == {"": 1, "A duplicate": 1}
        assert [(one.decisions[0].note, one.decisions[0].reason) for one in overview.thrown_out] == [
            ("nonsense", ""),
            ("", "A duplicate"),
        ]


def test_a_newer_database_is_refused_and_left_alone(url, newer):
    ReviewDatabase(url, migrations=newer).close()
    with pytest.raises(
        ReviewDatabaseError, match=r"newer version of mojo-toolbox \(database version 9.*Update the checkout"
    ):
        ReviewStore.open(url)
    ReviewDatabase(url, migrations=newer).close()


def test_many_may_open_a_new_database_at_once(url):
    failures = []

    def open_it():
        try:
            ReviewStore.open(url).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_databases_of_other_programs_and_other_files_are_refused(tmp_path):
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE conversations (id)")
    connection.close()
    with pytest.raises(ReviewDatabaseError, match="another program"):
        ReviewStore.open(str(other))
    text = tmp_path / "talks.jsonl"
    text.write_text('{"id": "a text that is long enough"}\n' * 100)
    with pytest.raises(ReviewDatabaseError, match="cannot be opened: file is not a database"):
        ReviewStore.open(str(text))
    with pytest.raises(ReviewDatabaseError, match="cannot be opened"):
        ReviewStore.open(str(tmp_path))
    with pytest.raises(ReviewDatabaseError, match=r"There is no database .*mojo review import"):
        ReviewStore.open(str(tmp_path / "nix.db"), create=False)


def test_a_path_is_a_file_whatever_it_is_called(tmp_path):
    path = tmp_path / "a%20b#c?d.db"
    with ReviewStore.open(path) as store:
        fill(store, tmp_path, 2)
    assert path.exists()
    with ReviewStore.open(str(path), create=False) as store:
        assert store.overview().conversations == 2


@pytest.mark.parametrize("url", [None, 5, b"review.db"])
def test_what_is_neither_a_path_nor_a_url_is_said(url):
    with pytest.raises(ConfigurationError, match="path or a URL"):
        ReviewStore.open(url)


def test_an_empty_database_is_none_unless_one_may_be_begun(url, tmp_path):
    if "://" not in url:
        Path(url).touch()
    with pytest.raises(ReviewDatabaseError, match=r"is empty.*mojo review import FILE"):
        ReviewStore.open(url, create=False)
    with ReviewStore.open(url) as store:
        assert store.is_new
    with ReviewStore.open(url, create=False) as store:
        assert not store.is_new


@pytest.mark.parametrize("table", ["places", "alembic_version"])
def test_a_file_of_another_program_gets_no_tables_of_ours(tmp_path, table):
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute(f"CREATE TABLE {table} (version_num TEXT)")
    connection.execute(f"INSERT INTO {table} VALUES ('5a1b')")
    connection.commit()
    connection.close()
    for create in (True, False):
        with pytest.raises(ReviewDatabaseError, match="another program"):
            ReviewStore.open(other, create=create)
    connection = sqlite3.connect(other)
    assert connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [(table,)]
    connection.close()


@pytest.mark.parametrize(
    "url", ["", "mysql://a/b", "sqlite://", "sqlite:///:memory:", "://", "postgresql+psycopg2://x"]
)
def test_what_is_no_database_of_ours_is_said(url):
    with pytest.raises(ConfigurationError):
        ReviewStore.open(url)


def test_a_server_that_does_not_answer_is_said_without_the_password():
    with pytest.raises(ReviewDatabaseError) as caught:
        ReviewStore.open("postgresql://ann:s3cret@127.0.0.1:1/x?connect_timeout=2")
    assert "s3cret" not in str(caught.value)
    assert "cannot be opened" in str(caught.value)


def decide_all(store, who):
    while (item := store.next(who)) is not None:
        store.decide(who, item.id, ReviewDecision("okay", note="x" * 9000))


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    path = tmp_path / "review.db"
    with ReviewStore.open(str(path), clock=Clock()) as store:
        fill(store, tmp_path, 200)
        (ann,) = join(store, "ann")
        store.decide(ann, store.next(ann).id, ReviewDecision("okay"))
        full = store._database.engine
        room = [0]

        def limit(connection, _record):
            if room:
                connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")

        full.dispose()
        event.listen(full, "connect", limit)
        with pytest.raises(ReviewDatabaseError, match=r"review\.db is full: this action was not stored"):
            decide_all(store, ann)
        done = store.progress(ann).done
        assert 1 <= done < 200
        with pytest.raises(ReviewDatabaseError, match="full"):
            fill(store, tmp_path, 3000)
        room.clear()
        full.dispose()
        store.decide(ann, store.next(ann).id, ReviewDecision("okay", note="x" * 9000))
        assert store.progress(ann).done == done + 1


_REVIEWER = """
import sys
from mojo_toolbox.review.store import ReviewStore
from mojo_toolbox.review.records import ReviewDecision
store = ReviewStore.open(sys.argv[1])
ann = store.reviewer(sys.argv[2])
while (item := store.next(ann)) is not None:
    store.decide(ann, item.id, ReviewDecision("okay"))
    print(item.id, flush=True)
"""


def test_what_was_acknowledged_outlives_kill_9(url, tmp_path):
    with ReviewStore.open(url) as store:
        fill(store, tmp_path, 300)
        token = store.invite("ann")
        ann = store.reviewer(token)
        told = []
        with subprocess.Popen(
            [sys.executable, "-c", _REVIEWER, url, token],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as process:
            for line in process.stdout:
                told.append(int(line))
                if len(told) == 20:
                    process.send_signal(signal.SIGKILL)
                    break
            rest = process.stdout.read().split()
        told += map(int, rest)
        done = store.progress(ann).done
        # One more may have been stored whose word did not arrive.
        assert len(told) <= done <= len(told) + 1
        assert store.back(ann).id == done


def test_several_processes_share_one_database(url, tmp_path):
    with ReviewStore.open(url) as store:
        fill(store, tmp_path, 30)
        command = [sys.executable, "-c", _REVIEWER, url]
        started = [
            subprocess.Popen(
                [*command, store.invite(name)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
            )
            for name in ("ann", "bob")
        ]
        told = [int(line) for process in started for line in process.communicate(timeout=120)[0].split()]
        assert sorted(told) == list(range(1, 31))
