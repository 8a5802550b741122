"""Processes that are in each other's way at one database."""

import multiprocessing
import sqlite3
from contextlib import closing

import pytest

from headway.core import StoreError
from headway.store import Store
from headway.store.database import Database


def _open(folder, barrier, answers):
    barrier.wait()
    try:
        with Store.open(folder) as store:
            answers.put([study.name for study in store.studies.all()])
    except StoreError as error:
        answers.put(str(error))


def test_a_store_may_be_made_by_many_processes_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    for number in range(5):  # without waiting, about one round of ten fails
        barrier, answers = context.Barrier(12), context.Queue()
        processes = [context.Process(target=_open, args=(tmp_path / str(number), barrier, answers)) for _ in range(12)]
        for process in processes:
            process.start()
        assert [answers.get(timeout=60) for _ in processes] == [[]] * 12
        for process in processes:
            process.join()


def test_a_writer_that_waits_in_vain_says_how_long(tmp_path, monkeypatch):
    monkeypatch.setattr("headway.store.database._BUSY_SECONDS", 1.0)
    path = tmp_path / "store.sqlite"
    with closing(Database(path)) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked for 1 s by another process"):
            database.run("INSERT INTO manifests VALUES ('a', '{}')")
        other.execute("ROLLBACK")
        database.run("INSERT INTO manifests VALUES ('a', '{}')")
        assert len(database.rows("SELECT * FROM manifests")) == 1


def test_readers_do_not_wait_for_a_writer(tmp_path, monkeypatch):
    monkeypatch.setattr("headway.store.database._BUSY_SECONDS", 0.0)
    path = tmp_path / "store.sqlite"
    with closing(Database(path)) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO manifests VALUES ('a', '{}')")
        assert database.rows("SELECT * FROM manifests") == []
        other.execute("COMMIT")
        assert len(database.rows("SELECT * FROM manifests")) == 1
