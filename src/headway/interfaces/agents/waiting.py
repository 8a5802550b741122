"""`wait`: what ended since somebody looked last.

A waiter looks at a number in shared memory that changes when another process has written, and reads only then. It holds
no lock while it waits. `look` is one such look, so that a server may wait for many without a thread each.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headway.core import UsageError
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.board import engine_json
from headway.interfaces.agents.candidates import SHORT, meant, standing, verdict_json
from headway.interfaces.agents.whereabouts import engine_alive, study_state, the_study
from headway.store import End, EndsMark, Store, StudyRecord

__all__ = ["LONGEST_SECONDS", "LOOK_SECONDS", "Waiter", "wait"]

LONGEST_SECONDS = 300.0
LOOK_SECONDS = 0.1


def wait(
    store: Store,
    *,
    study: str | None = None,
    since: str | None = None,
    timeout: float = 30.0,
    candidate: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Return what ended since the cursor `since`, as soon as anything has, or after `timeout` seconds.

    With a `candidate` it waits for that one alone, which may have ended long ago. Without `since` it waits for what
    ends from now on.
    """
    waiter = Waiter(store, study=study, since=since, timeout=timeout, candidate=candidate)
    while (answer := waiter.look()) is None:
        sleep(waiter.pause)
    return answer


@dataclass(slots=True)
class _Seen:
    changes: int = -1


class Waiter:
    """Wait for one caller: `look` until it gives an answer, with a `pause` (seconds) between."""

    def __init__(
        self, store: Store, *, study: str | None, since: str | None, timeout: float, candidate: str | None
    ) -> None:
        if not 0 <= timeout <= LONGEST_SECONDS:
            raise UsageError(f"timeout={timeout} is no time to wait. Give 0 to {LONGEST_SECONDS:.0f} seconds.")
        self._store = store
        self._study: StudyRecord = the_study(store, study)
        self._mark = store.ends.mark(self._study.id) if since is None else EndsMark.read(since)
        self._candidate = None if candidate is None else meant(store, self._study, candidate).claim.candidate
        self._until = time.monotonic() + timeout
        self._seen = _Seen()

    @property
    def pause(self) -> float:
        """Return how long to sleep before the next look."""
        return max(0.0, min(LOOK_SECONDS, self._until - time.monotonic()))

    def look(self) -> dict[str, Any] | None:
        """Return the answer, or None where there is nothing to tell yet."""
        over = time.monotonic() >= self._until
        changes = self._store.ends.changes()
        if changes == self._seen.changes and not over:
            return None
        self._seen.changes = changes
        ended, mark = self._store.ends.since(self._study.id, self._mark)
        concluded = self._store.ends.concluded(self._mark, mark)
        if self._candidate is not None:
            awaited = meant(self._store, self._study, self._candidate).ended
            return self._answer(ended, mark, concluded, timed_out=not awaited) if awaited or over else None
        if not ended and not concluded and not over:
            return None
        return self._answer(ended, mark, concluded, timed_out=not ended and not concluded)

    def _answer(self, ended: list[End], mark: EndsMark, concluded: bool, *, timed_out: bool) -> dict[str, Any]:
        study = self._store.studies.get(self._study.name)
        answer: dict[str, Any] = {
            "study": study.name,
            "state": study_state(study),
            "timed_out": timed_out,
            "cursor": mark.text,
        }
        if self._candidate is not None:
            answer |= standing(self._store, study, meant(self._store, study, self._candidate))
        else:
            answer["ended"] = [_end_json(item) for item in ended]
        if concluded:
            answer["verdicts"] = [verdict_json(item, numbers=False) for item in self._store.studies.verdicts(study.id)]
        if not engine_alive(study):
            answer["engine"] = engine_json(self._store, study)
        return answer


def _end_json(item: End) -> dict[str, Any]:
    data: dict[str, Any] = {
        "candidate": item.candidate[:SHORT],
        "number": item.number,
        "for": item.role,
        "seed": item.seed,
        "state": item.state,
    }
    return data if item.value is None else {**data, "value": number(item.value)}
