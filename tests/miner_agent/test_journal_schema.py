"""A journal of an older agent is brought up to date whole; a newer one's is left alone."""

import sqlite3
from pathlib import Path

import pytest

from miner_agent.journal import Journal
from miner_agent.journal_schema import MIGRATIONS, JournalTooNew, can_read, form_of, migrate
from tests.miner_agent.world import World

LATER = (*MIGRATIONS, ("ALTER TABLE fact ADD COLUMN at INTEGER", "UPDATE fact SET at = 1"))


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_an_older_journal_is_migrated_once_with_what_is_in_it(tmp_path: Path) -> None:
    world = World(tmp_path / "journal")
    placement_id = world.want()
    world.sync()
    world.journal.close()
    database = connect(world.path)
    facts = database.execute("SELECT name, value, 1 FROM fact").fetchall()
    assert facts != []
    for _ in range(2):
        migrate(database, LATER)
        assert form_of(database) == len(LATER)
    assert database.execute("SELECT name, value, at FROM fact").fetchall() == facts
    assert database.execute("SELECT id FROM placement").fetchall() == [(str(placement_id),)]


def test_a_migration_that_fails_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    Journal(tmp_path / "journal").close()
    database = connect(tmp_path / "journal")
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, (*LATER, ("CREATE TABLE more(x)", "no statement at all")))
    assert form_of(database) == len(MIGRATIONS)
    columns = database.execute("PRAGMA table_info(fact)").fetchall()
    assert "at" not in [name for _, name, *_ in columns]
    assert can_read(tmp_path / "journal")


def test_a_journal_of_a_newer_agent_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).close()
    database = connect(path)
    migrate(database, LATER)
    before = database.execute("SELECT sql FROM sqlite_master").fetchall()
    assert not can_read(path)
    with pytest.raises(JournalTooNew, match=r"^A newer agent wrote this machine's journal"):
        Journal(path)
    assert database.execute("SELECT sql FROM sqlite_master").fetchall() == before
