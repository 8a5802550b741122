"""`wait`: what came since somebody looked last. In a study that stays open that is verdicts, in others ends of trials.

A waiter looks at a number in shared memory that changes when another process has written, and reads only then. It holds
no lock while it waits. `look` is one such look, so that a server may wait for many without a thread each.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headway.core import UsageError
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.candidates import (
    SHORT,
    judged,
    meant,
    sentence_json,
    standing,
    successor,
    verdict_json,
)
from headway.interfaces.agents.news import VerdictsMark, verdicts_since
from headway.interfaces.agents.whereabouts import engine_alive, engine_json, stays_open, study_state, the_study
from headway.store import End, EndsMark, Store, StudyRecord

__all__ = ["LONGEST_SECONDS", "LOOK_SECONDS", "WAIT_SECONDS", "Waiter", "cursor_now", "wait"]

WAIT_SECONDS, LONGEST_SECONDS = 30.0, 300.0
LOOK_SECONDS = 0.1


def wait(
    store: Store,
    *,
    study: str | None = None,
    since: str | None = None,
    timeout: float = WAIT_SECONDS,
    candidate: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Return what came since the cursor `since`, as soon as anything has, or after `timeout` seconds.

    With a `candidate` it waits for that one alone: for its verdict where the study stays open, else for its first run,
    which may be there for long. Without `since` it waits for what comes from now on.
    """
    waiter = Waiter(store, study=study, since=since, timeout=timeout, candidate=candidate)
    while (answer := waiter.look()) is None:
        sleep(waiter.pause)
    return answer


def cursor_now(store: Store, study: StudyRecord) -> str:
    """Return the cursor to wait with for all that comes from now on."""
    return _watch(store, study, None).cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """Hold what is new, as the part of an answer that tells it; `came` says whether there is anything."""

    came: bool
    told: dict[str, Any] = field(default_factory=dict[str, Any])


class _Watch(ABC):
    """Know how far somebody has seen a study."""

    @property
    @abstractmethod
    def cursor(self) -> str:
        """Return that as a text."""

    @abstractmethod
    def news(self) -> _News:
        """Return what has come since, and move on."""


class Waiter:
    """Wait for one caller: `look` until it gives an answer, with a `pause` (seconds) between."""

    def __init__(
        self,
        store: Store,
        *,
        study: str | None = None,
        since: str | None = None,
        timeout: float = WAIT_SECONDS,
        candidate: str | None = None,
    ) -> None:
        if not 0 <= timeout <= LONGEST_SECONDS:
            raise UsageError(f"timeout={timeout} is no time to wait. Give 0 to {LONGEST_SECONDS:.0f} seconds.")
        self._store = store
        self._study: StudyRecord = the_study(store, study)
        self._watch = _watch(store, self._study, since)
        self._candidate = None if candidate is None else meant(store, self._study, candidate).claim.candidate
        self._until = time.monotonic() + timeout
        self._seen = -1  # the number in shared memory

    @property
    def pause(self) -> float:
        """Return how long to sleep before the next look."""
        return max(0.0, min(LOOK_SECONDS, self._until - time.monotonic()))

    def look(self) -> dict[str, Any] | None:
        """Return the answer, or None where there is nothing to tell yet."""
        over = time.monotonic() >= self._until
        changes = self._store.ends.changes()
        if changes == self._seen and not over:
            return None
        self._seen = changes
        if self._candidate is None:
            news = self._watch.news()
            return self._answer(news.told, timed_out=not news.came) if news.came or over else None
        return self._awaited(self._candidate, over=over)

    def _awaited(self, candidate: str, *, over: bool) -> dict[str, Any] | None:
        study = self._store.studies.get(self._study.name)
        first = meant(self._store, study, candidate)
        item = successor(self._store, study, first)
        came = judged(self._store, study, item)
        if not came and not over:
            return None
        told = standing(self._store, study, item)
        verdict = self._store.studies.verdict(study.id, item.claim.candidate)
        if came and verdict is not None:
            told["sentence"] = sentence_json(verdict)
        if item.short != first.short:
            told["rebased_from"] = first.short
        return self._answer(told, timed_out=not came)

    def _answer(self, told: dict[str, Any], *, timed_out: bool) -> dict[str, Any]:
        study = self._store.studies.get(self._study.name)
        answer: dict[str, Any] = {
            "study": study.name,
            "state": study_state(study),
            "timed_out": timed_out,
            "cursor": self._watch.cursor,
            **told,
        }
        return answer if engine_alive(study) else {**answer, "engine": engine_json(self._store, study)}


def _watch(store: Store, study: StudyRecord, since: str | None) -> _Watch:
    if stays_open(study):
        return _VerdictWatch(store, study, since)
    return _EndWatch(store, study, since)


class _VerdictWatch(_Watch):
    """Watch the verdicts of a study that stays open, and whether it has ended."""

    def __init__(self, store: Store, study: StudyRecord, since: str | None) -> None:
        self._store = store
        self._study = study
        self._mark = VerdictsMark.now(store, study) if since is None else VerdictsMark.read(since)

    @property
    def cursor(self) -> str:
        return self._mark.text

    def news(self) -> _News:
        before = self._mark
        told, self._mark = verdicts_since(self._store, self._study, before)
        return _News(came=self._mark.tells_more_than(before), told=told)


class _EndWatch(_Watch):
    """Watch the ends of trials, and whether the study was concluded."""

    def __init__(self, store: Store, study: StudyRecord, since: str | None) -> None:
        self._store = store
        self._study = study
        self._mark = store.ends.mark(study.id) if since is None else EndsMark.read(since)

    @property
    def cursor(self) -> str:
        return self._mark.text

    def news(self) -> _News:
        ended, mark = self._store.ends.since(self._study.id, self._mark)
        concluded = self._store.ends.concluded(self._mark, mark)
        told: dict[str, Any] = {"ended": [_end_json(item) for item in ended]}
        if concluded:
            verdicts = self._store.studies.verdicts(self._study.id)
            told["verdicts"] = [verdict_json(item, numbers=False) for item in verdicts]
        if ended or concluded:
            self._mark = mark
        return _News(came=bool(ended) or concluded, told=told)


def _end_json(item: End) -> dict[str, Any]:
    data: dict[str, Any] = {
        "candidate": item.candidate[:SHORT],
        "number": item.number,
        "for": item.role,
        "seed": item.seed,
        "state": item.state,
    }
    return data if item.value is None else {**data, "value": number(item.value)}
