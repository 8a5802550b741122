"""The pipe by which an evaluator tells its result, and the nonce that proves whose word it is.

The nonce comes to the evaluator in a pipe that it alone reads. Whatever else is written counts for nothing.
"""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from headway.sandbox import seccomp
from headway.sandbox.bubblewrap import Sandbox
from headway.sandbox.running import Ended
from headway.sandbox.view import Mount

__all__ = ["ResultPipe"]

_HELPER = Path("/headway/headway_result.py")
_LARGEST_BYTES = 1024**2


class ResultPipe:
    """Hold the two pipes of one evaluation; a context, which closes them.

    Run the evaluator by `run`, in a sandbox with the variables of `environment`. Then `results` are the texts that came
    with the nonce, and `forged` counts the lines that came without.
    """

    def __init__(self) -> None:
        self._nonce = secrets.token_hex(32)
        self._data = bytearray()
        self._nonce_out = seccomp.open_program(f"{self._nonce}\n".encode())
        self._result_in, self._result_out = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in (self._nonce_out, self._result_in, self._result_out):
            os.close(descriptor)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that the evaluator needs to report: `from headway_result import report`."""
        path = os.pathsep.join(filter(None, (str(_HELPER.parent), given.get("PYTHONPATH"))))
        return {
            **given,
            "PYTHONPATH": path,
            "HEADWAY_NONCE_FD": str(self._nonce_out),
            "HEADWAY_RESULT_FD": str(self._result_out),
        }

    def run(
        self,
        sandbox: Sandbox,
        words: Sequence[str],
        *,
        shown: Sequence[Mount] = (),
        merge: bool = False,
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ended:
        """Run the evaluator to its end and take in what it reports."""
        with sandbox.popen(
            words,
            merge=merge,
            on_output=on_output,
            passed=(self._nonce_out, self._result_out),
            inputs={self._result_in: self._take},
            shown=(*shown, Mount(_HELPER, "read", Path(__file__).with_name("headway_result.py"))),
        ) as running:
            running.wait()
            return running.close()

    @property
    def flooded(self) -> bool:
        """Tell whether more was written than a result has."""
        return len(self._data) > _LARGEST_BYTES

    @property
    def results(self) -> list[bytes]:
        """Return what was reported with the nonce."""
        mark = self._nonce.encode() + b" "
        return [line.removeprefix(mark) for line in self._lines if line.startswith(mark)]

    @property
    def forged(self) -> int:
        """Return how many lines came without the nonce."""
        return len(self._lines) - len(self.results)

    @property
    def _lines(self) -> list[bytes]:
        return [line for line in bytes(self._data).split(b"\n") if line.strip()]

    def _take(self, data: bytes) -> None:
        self._data.extend(data[: _LARGEST_BYTES + 1 - len(self._data)])
