"""Files by content: `artifacts/ab/abcdef...`, written once, never changed, found by digest."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from headway.core import NotFound, digest_bytes

__all__ = ["Artifacts"]


class Artifacts:
    """Keep files under the digest of their bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_bytes(self, data: bytes) -> str:
        """Store bytes and return their digest."""
        digest = digest_bytes(data)
        self.put_bytes_as(digest, data)
        return digest

    def put_bytes_as(self, digest: str, data: bytes) -> None:
        """Store bytes under a digest that the caller chose: that of the original, where `data` is a redacted copy."""
        if not self.path(digest).exists():
            with self._made(digest) as partial:
                partial.write_bytes(data)

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file's bytes; return their digest and size in bytes. Large files are copied, not read at once."""
        digest = digest_file(path)
        if not self.path(digest).exists():
            with self._made(digest) as partial:
                shutil.copyfile(path, partial)
        return digest, path.stat().st_size

    def path(self, digest: str) -> Path:
        """Return where the bytes of a digest lie, or would lie."""
        return self.folder / digest[:2] / digest

    def read(self, digest: str) -> bytes:
        """Return the bytes of a digest, or raise `NotFound`."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"The stored file {digest} is gone from {self.folder}. Restore it from a copy.") from None

    def all(self) -> list[Path]:
        """Return the paths of all stored files."""
        return [path for path in self.folder.glob("??/*") if path.is_file()]

    @contextlib.contextmanager
    def _made(self, digest: str) -> Generator[Path]:
        """Give a file to write: once it is whole it gets its name, else it goes, as a full disk wants its space."""
        folder = self.path(digest).parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        try:
            yield Path(name)
            os.replace(name, self.path(digest))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def digest_file(path: Path) -> str:
    """Digest a file's bytes in pieces."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1024 * 1024):
            hasher.update(piece)
    return hasher.hexdigest()[:20]
