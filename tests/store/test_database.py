import multiprocessing
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from headway.core import NewerSchema, StoreError
from headway.store import Store
from headway.store.database import Database, _file_system


def one(database, sql) -> Any:
    return database.row(sql)[0]


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "store.sqlite")
    yield database
    database.close()


def test_an_empty_file_gets_all_tables(database):
    tables = {row[0] for row in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"studies", "candidates", "trials", "attempts", "curves", "events", "manifests", "queue"} <= tables
    assert one(database, "SELECT version FROM schema_version") == 7
    assert database.sound()


def test_opening_again_keeps_what_there_is(tmp_path):
    first = Database(tmp_path / "store.sqlite")
    first.run("INSERT INTO manifests VALUES ('a', '{}')")
    first.close()
    second = Database(tmp_path / "store.sqlite")
    assert one(second, "SELECT digest FROM manifests") == "a"
    second.close()


def test_a_newer_schema_is_refused_by_its_number(tmp_path):
    database = Database(tmp_path / "store.sqlite")
    database.run("UPDATE schema_version SET version = 9999")
    database.close()
    with pytest.raises(NewerSchema, match="has schema 9999; this Headway knows up to 7"):
        Database(tmp_path / "store.sqlite")
    with sqlite3.connect(tmp_path / "store.sqlite") as raw:  # it was left alone
        assert raw.execute("SELECT version FROM schema_version").fetchone() == (9999,)
    raw.close()


def test_a_migration_that_stopped_half_way_begins_again(tmp_path):
    raw = sqlite3.connect(tmp_path / "store.sqlite")
    raw.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
    raw.commit()
    raw.close()
    database = Database(tmp_path / "store.sqlite")
    assert database.rows("SELECT * FROM studies") == []
    database.close()


def test_a_file_that_is_no_database_is_left_alone_and_named(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is not a database, it is a letter to a friend" * 100)
    with pytest.raises(StoreError, match=r"store\.sqlite is damaged"):
        Database(path)
    assert path.read_bytes().startswith(b"this is not")


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store.open(tmp_path / "file" / ".headway")


MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
server:/export /home nfs4 rw 0 0
/dev/vdb /home/local xfs rw 0 0
/dev/vdc /home\\040of\\040Eve lustre rw 0 0
systemd-1 /auto autofs rw 0 0
server:/a /auto cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/store.sqlite", "ext4"),
        ("/homework/store.sqlite", "ext4"),
        ("/home/me/.headway/store.sqlite", "nfs4"),
        ("/home/local/x/store.sqlite", "xfs"),
        ("/home of Eve/store.sqlite", "lustre"),
        ("/auto/x/store.sqlite", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_deepest_mount(tmp_path, path, kind):
    (tmp_path / "mounts").write_text(MOUNTS)
    assert _file_system(Path(path), tmp_path / "mounts") == kind


def test_a_link_to_a_network_disk_is_seen_through(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    (tmp_path / "mounts").write_text(f"/dev/vda / ext4 rw 0 0\nserver:/ {tmp_path}/far nfs rw 0 0\n")
    assert _file_system(tmp_path / "near" / "store.sqlite", tmp_path / "mounts") == "nfs"


def test_a_system_without_mounts_is_trusted(tmp_path):
    assert _file_system(tmp_path / "store.sqlite", tmp_path / "none") == ""


def test_a_network_disk_is_refused_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr("headway.store.database._file_system", lambda path: "nfs4")
    with pytest.raises(StoreError, match=r"network disk \(nfs4\).*--store"):
        Store.open(tmp_path / "deep" / ".headway")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_transaction_leaves_nothing(database):
    def fail():
        with database.write():
            database.run("INSERT INTO manifests VALUES ('a', '{}')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.rows("SELECT * FROM manifests") == []
    database.run("INSERT INTO manifests VALUES ('b', '{}')")
    assert len(database.rows("SELECT * FROM manifests")) == 1


def test_an_inner_transaction_joins_the_outer_one(database):
    def fail():
        with database.write():
            with database.write():
                database.run("INSERT INTO manifests VALUES ('a', '{}')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.rows("SELECT * FROM manifests") == []


def test_a_statement_that_fails_is_a_store_error(database):
    database.run("INSERT INTO manifests VALUES ('a', '{}')")
    with pytest.raises(StoreError, match="UNIQUE"):
        database.run("INSERT INTO manifests VALUES ('a', '{}')")
    assert len(database.rows("SELECT * FROM manifests")) == 1


def test_text_that_utf8_cannot_hold_is_escaped_and_json_keeps_its_meaning(database):
    from headway.core import canonical_json
    from headway.store.database import decode

    name = "/data/\udcff.bin"
    database.run("INSERT INTO manifests VALUES (?, ?)", (name, canonical_json([name])))
    (row,) = database.rows("SELECT * FROM manifests")
    assert row["digest"] == "/data/\\udcff.bin"
    assert decode(row["data"]) == [name]


def _write_many(path, who, count):
    database = Database(path)
    for number in range(count):
        with database.write():
            highest = one(database, "SELECT count(*) FROM manifests")
            database.run("INSERT INTO manifests VALUES (?, ?)", (f"{who}-{number}", str(highest)))
    database.close()


def test_processes_that_write_at_once_wait_for_each_other(tmp_path):
    path = tmp_path / "store.sqlite"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(path, who, 100)) for who in range(4)]  # they also migrate
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    database = Database(path)
    # Each transaction saw all before it: no two read the same count.
    assert sorted(int(row[0]) for row in database.rows("SELECT data FROM manifests")) == list(range(400))
    database.close()


def test_a_writer_killed_in_a_transaction_blocks_nobody_and_leaves_nothing(tmp_path):
    path = tmp_path / "store.sqlite"
    Database(path).close()
    code = (
        "import sys, time, pathlib; from headway.store.database import Database\n"
        "database = Database(pathlib.Path(sys.argv[1]))\n"
        "with database.write():\n"
        "    database.run(\"INSERT INTO manifests VALUES ('half', '{}')\")\n"
        "    print('begun', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        writer.kill()
    began = time.monotonic()
    database = Database(path)
    database.run("INSERT INTO manifests VALUES ('whole', '{}')")
    assert [row[0] for row in database.rows("SELECT digest FROM manifests")] == ["whole"]
    assert time.monotonic() - began < 5
    database.close()
