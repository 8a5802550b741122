"""Files by content: `artifacts/ab/abcdef...`, written once, never changed, found by digest."""

import hashlib
import os
import shutil
import tempfile
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
            with tempfile.NamedTemporaryFile(dir=self._folder_of(digest), delete=False) as file:
                file.write(data)
            os.replace(file.name, self.path(digest))

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file's bytes; return their digest and size in bytes. Large files are copied, not read at once."""
        digest = digest_file(path)
        if not self.path(digest).exists():
            folder = self._folder_of(digest)
            handle, name = tempfile.mkstemp(dir=folder)
            os.close(handle)
            shutil.copyfile(path, name)
            os.replace(name, self.path(digest))
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

    def _folder_of(self, digest: str) -> Path:
        folder = self.path(digest).parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def digest_file(path: Path) -> str:
    """Digest a file's bytes in pieces."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1024 * 1024):
            hasher.update(piece)
    return hasher.hexdigest()[:20]
