"""What a trial prints: read from a pipe, freed of secrets, kept up to a limit."""

import contextlib
import os
import re
from pathlib import Path
from typing import TextIO

from headway.core import Redactor

__all__ = ["OutputSink"]

_PIECE = 256 * 1024
_LONGEST_LINE = 64 * 1024
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY(?!.*-----BEGIN [A-Z ]*PRIVATE KEY)", re.DOTALL)  # the last one


class OutputSink:
    """Move what comes out of a pipe into `output.log`. Redaction works on whole lines, and on whole private keys."""

    def __init__(self, descriptor: int, path: Path, redactor: Redactor, limit_bytes: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.seen_bytes = 0
        self.open = True
        self.problem: OSError | None = None  # why it cannot be kept; it is taken from the pipe all the same
        self._path = path
        self._file: TextIO | None = None  # most trials print nothing
        self._redactor = redactor
        self._limit = limit_bytes
        self._rest = b""

    @property
    def too_much(self) -> bool:
        """Tell whether the trial printed more than it may."""
        return self.seen_bytes > self._limit

    def pump(self) -> bool:
        """Take what is there now; return whether more may come."""
        if not self.open:
            return False
        try:
            data = os.read(self.descriptor, _PIECE)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self._write(self._rest)
            self._rest = b""
            return False
        self.seen_bytes += len(data)
        if not self.too_much:
            whole, self._rest = _cut(self._rest + data)
            self._write(whole)
            if len(self._rest) > _LONGEST_LINE:
                self._write(self._rest)
                self._rest = b""
        return True

    def close(self) -> None:
        """Take the rest and close both ends."""
        if self.open:
            while self.pump() and self._more():
                pass
            self._write(self._rest)
            self.open = False
            os.close(self.descriptor)
            if self._file is not None:
                with contextlib.suppress(OSError):  # known as the problem
                    self._file.close()

    def _more(self) -> bool:
        import select

        return not self.too_much and bool(select.select([self.descriptor], [], [], 0)[0])

    def _write(self, data: bytes) -> None:
        if not data or self.problem is not None:
            return
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8", errors="replace")
            self._file.write(self._redactor.text(data.decode(errors="replace")))
            self._file.flush()
        except OSError as error:
            self.problem = error


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Cut after the last whole line, or before a private key that has not ended yet."""
    end = data.rfind(b"\n") + 1
    key = _KEY.search(data)
    if key is not None and b"-----END" not in data[key.start() :]:
        end = min(end, key.start())
    return data[:end], data[end:]
