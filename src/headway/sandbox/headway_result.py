"""For evaluators in Headway's sandbox, shown to them as a module: `from headway_result import report`.

It needs nothing but Python. Import it before anything of the candidate's is imported or started: it takes the nonce out
of its pipe, and closes this process's memory to others. An evaluator in another language reads one line from
the descriptor HEADWAY_NONCE_FD, and writes `<that line> {"metric": 0.5}` and a line break to HEADWAY_RESULT_FD.
"""

import ctypes
import json
import os
from collections.abc import Mapping

__all__ = ["report"]

_PR_SET_DUMPABLE = 4


def report(metrics: Mapping[str, float]) -> None:
    """Pass the metrics to Headway. Call it once, at the end."""
    data = f"\n{_NONCE} {json.dumps(dict(metrics))}\n".encode()
    while data:
        data = data[os.write(_RESULT, data) :]


def _take_nonce() -> str:
    descriptor = int(os.environ.pop("HEADWAY_NONCE_FD"))
    with os.fdopen(descriptor) as file:
        return file.readline().strip()


ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
_NONCE = _take_nonce()
_RESULT = int(os.environ.pop("HEADWAY_RESULT_FD"))
os.set_inheritable(_RESULT, False)
