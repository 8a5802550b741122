"""Digests of files, remembered by inode, size, mtime and ctime, so that a large data set is read once."""

import time
from collections.abc import Callable
from pathlib import Path

from headway.store.artifacts import digest_file
from headway.store.database import Database

__all__ = ["FileDigests"]

_SETTLED_SECONDS = 0.1  # a file that changed a moment ago may change again within the clock's resolution


class FileDigests:
    """Digest files, from memory where their stamp has not changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[str, str]] | None = None

    def of(self, path: Path, compute: Callable[[Path], str] = digest_file, kind: str = "") -> str | None:
        """Return the digest of a file, None where none can be read. `kind` keeps two ways of digesting apart."""
        try:
            status = path.stat()
        except OSError:
            return None
        stamp = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        key = f"{kind}{path}"
        found = self._cache().get(key)
        if found is not None and found[0] == stamp:
            return found[1]
        try:
            digest = compute(path)
        except OSError:  # it went away in between, or is not ours to read
            return None
        if abs(time.time() - status.st_ctime) > _SETTLED_SECONDS:
            self._cache()[key] = (stamp, digest)
            self._database.run("INSERT OR REPLACE INTO file_digests VALUES (?, ?, ?)", (key, stamp, digest))
        return digest

    def _cache(self) -> dict[str, tuple[str, str]]:
        if self._known is None:
            rows = self._database.rows("SELECT path, stamp, digest FROM file_digests")
            self._known = {row["path"]: (row["stamp"], row["digest"]) for row in rows}
        return self._known
