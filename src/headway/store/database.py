"""The connection to the store's SQLite file: WAL, short IMMEDIATE transactions, numbered migrations.

All SQL in this room is portable but for what stands in this file, so that PostgreSQL can follow. Writers begin
IMMEDIATE: with deferred transactions twelve saturating writers met 380,000 lock errors, with immediate ones none.
"""

import contextlib
import errno
import json
import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from headway.core import NewerSchema, StoreError
from headway.store.disk import disk_error, refusal

__all__ = ["Database", "Row", "refuse_network_disk"]

Row = sqlite3.Row
_Value = str | int | float | bytes | None
_MIGRATIONS = Path(__file__).parent / "migrations"
_LARGEST_CHECKED = 128 * 1024 * 1024  # bytes
_BUSY_SECONDS = 30.0
_RETRY_SECONDS = (0.0005, 0.003)
# What SQLite says where the disk is full or read-only depends on the file in which it meets it.
_DISK_SIGNS = ("full", "disk I/O error", "locking protocol", "readonly", "unable to open")
_NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "beegfs", "ceph", "glusterfs", "gpfs", "afs", "9p",
    "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone",
}  # fmt: skip


class Database:
    """Hold one connection, shared by the threads of a process under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise _explained(error, path) from error
        try:
            self._connection.row_factory = sqlite3.Row
            self._patiently("PRAGMA journal_mode = WAL")
            # NORMAL: a commit survives the death of every process; only a power cut can take the last ones back.
            self._patiently("PRAGMA synchronous = NORMAL")
            self._patiently("PRAGMA foreign_keys = ON")
            # 16 MB: pages that every trial writes are copied into the file four times less often than by default.
            self._patiently("PRAGMA wal_autocheckpoint = 4000")
            # 16 MB: candidates come in no order of their digests, so a new one may touch any page of their indexes.
            self._patiently("PRAGMA cache_size = -16384")
            self._migrate()
        except sqlite3.Error as error:
            self._connection.close()
            raise _explained(error, path) from error
        except StoreError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def rows(self, sql: str, values: Sequence[_Value] = ()) -> list[Row]:
        """Read all rows of a query."""
        with self._lock:
            try:
                return self._patiently(sql, _encodable(values)).fetchall()
            except sqlite3.Error as error:
                raise _explained(error, self.path) from error

    def row(self, sql: str, values: Sequence[_Value] = ()) -> Row | None:
        """Read the first row of a query."""
        rows = self.rows(sql, values)
        return rows[0] if rows else None

    def write(self) -> "Transaction":
        """Make everything inside of the `with` block one transaction; nested uses join the outer one."""
        return Transaction(self)

    def run(self, sql: str, values: Sequence[_Value] = ()) -> int:
        """Run one statement, in the open transaction or in one of its own. Return the id of an inserted row."""
        with self._lock:
            if self._depth:  # inside of a transaction of this thread
                return self._changing(sql, values).lastrowid or 0
            with self.write():
                return self._changing(sql, values).lastrowid or 0

    def changed(self, sql: str, values: Sequence[_Value] = ()) -> int:
        """Run one statement and return how many rows it changed."""
        with self.write():
            return self._changing(sql, values).rowcount

    def run_many(self, sql: str, values: Iterable[Sequence[_Value]]) -> None:
        """Run one statement for many rows of values."""
        with self.write():
            self._connection.executemany(sql, map(_encodable, values))

    def sound(self) -> bool:
        """Tell whether SQLite finds its own file in order."""
        return [row[0] for row in self.rows("PRAGMA quick_check")] == ["ok"]

    def _changing(self, sql: str, values: Sequence[_Value]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except UnicodeEncodeError:
            return self._connection.execute(sql, _encodable(values))

    def begin(self) -> None:
        """Begin a transaction, or go one deeper into it. `Transaction` calls it."""
        self._lock.acquire()
        try:
            if self._depth == 0:
                self._patiently("BEGIN IMMEDIATE")
            self._depth += 1
        except BaseException as error:
            self._lock.release()
            if isinstance(error, sqlite3.Error):
                raise _explained(error, self.path) from error
            raise

    def end(self, error: BaseException | None) -> None:
        """Commit where the outermost transaction came to its end, take it back after an `error`."""
        try:
            self._depth -= 1
            if self._depth == 0 and error is None:
                try:
                    self._connection.execute("COMMIT")
                except sqlite3.Error as refused:
                    error = refused
            if error is not None:
                if self._depth == 0 and self._connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):  # on a broken disk; what is told is why it began
                        self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _explained(error, self.path) from error
        finally:
            self._lock.release()

    def _patiently(self, sql: str, values: Sequence[_Value] = ()) -> sqlite3.Cursor:
        """Run a statement that begins something; while another process is in its way, try again soon.

        SQLite's own waiting ends in naps of .1 s: of twelve saturating writers one waited for 3 s, and here for .3 s.
        It does not wait at all where several processes make a store at once.
        """
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return self._connection.execute(sql, values)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(*_RETRY_SECONDS))

    def refuse_damage(self) -> None:
        """Raise `StoreError` where the file is damaged: an engine would write to it for hours.

        It reads the whole file (3 ms a megabyte), so a very large one is looked at only when it is asked for.
        """
        if self.path.stat().st_size <= _LARGEST_CHECKED and not self.sound():
            raise StoreError(
                f"The store {self.path} is damaged: SQLite's quick_check finds broken pages. Restore it from a copy, "
                "or start a new one with --store; the damaged file was left alone."
            )

    def _migrate(self) -> None:
        known = sorted((int(path.name[:4]), path) for path in _MIGRATIONS.glob("[0-9]*.sql"))
        version = self._version()
        if version > known[-1][0]:
            raise NewerSchema(
                f"The store {self.path} has schema {version}; this Headway knows up to {known[-1][0]}. "
                "Type: pip install --upgrade headway, or point --store at another folder."
            )
        if version == known[-1][0]:
            return
        with self.write():
            version = self._version()  # another process may have migrated while this one waited for the lock
            for number, path in known:
                if number > version:
                    for statement in _statements(path.read_text()):
                        self._connection.execute(statement)
            self._connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
            self._connection.execute("DELETE FROM schema_version")
            self._connection.execute("INSERT INTO schema_version VALUES (?)", (known[-1][0],))

    def _version(self) -> int:
        exists = self.row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'")
        row = self.row("SELECT version FROM schema_version") if exists else None
        return int(row[0]) if row else 0


class Transaction:
    """A block of changes that are made together or not at all: `with database.write():`."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Database:
        """Begin."""
        self._database.begin()
        return self._database

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Commit, or roll back after an error."""
        self._database.end(error)


def decode(text: str) -> Any:
    """Read a JSON column."""
    return json.loads(text)


def _encodable(values: Sequence[_Value]) -> list[_Value]:
    """Escape what UTF-8 cannot hold (a file name may hold any byte); inside of JSON the escape means the same."""
    return [
        value.encode(errors="backslashreplace").decode() if isinstance(value, str) and not value.isascii() else value
        for value in values
    ]


def _statements(script: str) -> list[str]:
    bare = re.sub(r"--[^\n]*", "", script)
    return [statement for statement in (part.strip() for part in bare.split(";")) if statement]


def _explained(error: sqlite3.Error, path: Path) -> StoreError:
    text = str(error)
    if any(sign in text for sign in _DISK_SIGNS) and (number := refusal(path.parent)) is not None:
        return disk_error(path.parent, number)
    if "full" in text or "disk I/O error" in text:  # there may be room again by now
        return disk_error(path.parent, errno.ENOSPC if "full" in text else errno.EIO)
    if "readonly" in text or "unable to open" in text:
        what = "cannot be written. Make the folder writable, or give another one with --store"
    elif "locking protocol" in text:
        what = "could not be locked. Try again; 'headway status' shows who uses it"
    elif "locked" in text:
        what = f"was locked for {_BUSY_SECONDS:.0f} s by another process. Try again; 'headway status' shows who runs"
    elif "malformed" in text or "not a database" in text:
        what = "is damaged. Restore it from a copy, or start a new one with --store; the damaged file was left alone"
    else:
        what = "refused a statement"
    return StoreError(f"The store {path} {what} (SQLite: {text}).")


def refuse_network_disk(path: Path) -> None:
    """Raise `StoreError` where a database at `path` would lie on a network disk; nothing is made."""
    kind = _file_system(path)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"The store {path} lies on a network disk ({kind}), where SQLite's locks do not hold. "
            "Put it on a local disk: --store /local/folder, or HEADWAY_STORE."
        )


def _file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    if not mounts.exists():
        return ""
    target = str(path.parent.resolve())
    best, kind = "", ""
    for line in mounts.read_text().splitlines():
        fields = line.split()
        point = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[1])
        if (target + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
