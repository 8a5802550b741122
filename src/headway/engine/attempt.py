"""One attempt as the engine sees it: its process, its run logs, its output, its limits."""

import asyncio
import errno
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from headway.core import Limits, Reason
from headway.engine.backends import Backend, Process
from headway.engine.outcome import Exit
from headway.engine.output import OutputSink
from headway.engine.recorder import AttemptPlaces
from headway.engine.slots import Lease
from headway.engine.spec import AttemptSpec
from headway.engine.work import Assignment
from headway.experiments import EXIT_NO_DISK
from headway.sandbox import processes
from headway.store import Point, Signal, TrialRecord, refusal

__all__ = ["Attempt"]

_TURN_BYTES = 256 * 1024  # of a run log: what takes 15 ms, so that a flood of points does not hold up the others
_USAGE_EVERY_SECONDS = 0.5
_GRACE_SECONDS = 60.0  # after a stop: the code behind the loop reports
_PAUSE_SECONDS = 20.0  # after a pause: the next checkpoint
_SIGBUS = getattr(signal, "SIGBUS", -1)  # of who writes to a mapped file that the disk cannot take
_SECONDS_WITHOUT_STEPS = 2.0  # it does not hear the engine, but may be about to end


class Attempt:
    """Follow one attempt; `cause` is set when the engine ends it."""

    def __init__(
        self,
        *,
        assignment: Assignment,
        spec: AttemptSpec,
        lease: Lease,
        process: Process,
        backend: Backend,
        sink: OutputSink | None,
        limits: Limits,
        earlier: TrialRecord | None,
        started: float,
    ) -> None:
        self.assignment = assignment
        self.spec = spec
        self.lease = lease
        self.process = process
        self.sink = sink
        self.started = started  # seconds since 1970
        self.earlier = earlier  # the trial as it stood before, where another attempt had begun it
        folder = Path(spec.folder)
        self.places = AttemptPlaces(attempt=spec.attempt, folder=folder, live=Path(spec.live) if spec.live else folder)
        self.follower = self.places.follower()
        self.cause: Reason | None = None
        self.pausing = False
        self.alone = False  # nobody may start beside it
        self.decided: set[int] = set()
        self._closed = False
        self.peak_memory_bytes = 0
        self.exit: asyncio.Task[Exit] = asyncio.ensure_future(backend.wait(process))
        self._backend = backend
        self._limits = limits
        self._waiting = backend.waiting(process)
        self._began = time.monotonic()
        self._sign = self._began
        self._seen = (0, 0)  # bytes logged, bytes printed
        self._usage_due = self._began + _USAGE_EVERY_SECONDS
        self._deadline: float | None = None
        if sink is not None:
            asyncio.get_running_loop().add_reader(sink.descriptor, self._pump)

    @property
    def wall_seconds(self) -> float:
        """Return how long the attempt has run."""
        return time.monotonic() - self._began

    @property
    def refusal(self) -> int | None:
        """Return the `errno` of what the store's disk refused to the ended attempt, which is no result then."""
        progress, ended = self.follower.progress, self.exit.result()
        if progress.cut_short:
            return progress.refusal
        if progress.ended or progress.paused:
            return None
        if ended.code == EXIT_NO_DISK and not self.follower.begun:
            return refusal(self.places.live) or errno.EIO
        return refusal(self.places.live) if ended.signal == _SIGBUS else None

    @property
    def problem(self) -> OSError | None:
        """Return why the session cannot go on: the disk refused what the trial wrote or printed; else None."""
        if self.sink is not None and self.sink.problem is not None:
            return self.sink.problem
        number = self.refusal if self._closed else None
        return None if number is None else OSError(number, os.strerror(number))

    @property
    def over(self) -> bool:
        """Tell whether the attempt has ended and all that it said is taken in."""
        return self.exit.done() and not self.follower.behind

    @property
    def _steps(self) -> bool:
        return self.follower.progress.horizon is not None

    def poll(self, now: float, *, late_seconds: float = 0.0) -> Sequence[Point]:
        """Take in what is new and end the attempt where it passes a limit, by the time at which the turn began.

        In a turn that is late no limit is judged: what ended meanwhile is heard of in the next.
        """
        points = self.follower.poll(_TURN_BYTES)
        seen = self.follower.bytes, self.sink.seen_bytes if self.sink is not None else 0
        if seen != self._seen:
            self._sign, self._seen = now, seen
        if late_seconds:
            self._sign = min(now, self._sign + late_seconds)  # who stood still with the machine was not idle
            return points
        if self._waiting:
            self._waiting = self._backend.waiting(self.process)
            self._began = self._sign = now
        elif self.cause is None and not self.exit.done():
            self._judge(now)
        if self._deadline is not None and now > self._deadline:
            self._backend.end(self.process)
        return points

    def end(self, cause: Reason) -> None:
        """End the attempt at once, for this cause."""
        self.cause = cause
        self._backend.end(self.process)

    def stop(self, cause: Reason) -> None:
        """Let the attempt leave its loop and report, then end it."""
        self.cause = cause
        self.follower.signal(Signal.STOP)
        self._deadline = time.monotonic() + (_GRACE_SECONDS if self._steps else _SECONDS_WITHOUT_STEPS)

    def pause(self) -> None:
        """Let the attempt reach its next checkpoint, then end it."""
        self.pausing = True
        self.follower.signal(Signal.PAUSE)
        self._deadline = time.monotonic() + (_PAUSE_SECONDS if self._steps else _SECONDS_WITHOUT_STEPS)

    def end_now(self) -> None:
        """End the attempt at once; it goes on from its last checkpoint when the study is resumed."""
        self.pausing = True
        self._backend.end(self.process)

    def close(self) -> None:
        """Take the last words and close all files. To do it again changes nothing."""
        if self._closed:
            return
        self._closed = True
        self.follower.poll()
        self.follower.close()
        if self.sink is not None and self.sink.open:
            asyncio.get_running_loop().remove_reader(self.sink.descriptor)
            self.sink.close()

    def _pump(self) -> None:
        assert self.sink is not None
        if not self.sink.pump():
            asyncio.get_running_loop().remove_reader(self.sink.descriptor)
            self.sink.close()
        elif self.sink.too_much and self.cause is None:
            self.end(Reason.OUTPUT)

    def _judge(self, now: float) -> None:
        reason = self._over_limit(now)
        # One that runs no more has ended by itself: whoever tells the engine is held up.
        if reason is not None and processes.alive(self.process.pid, self.process.started):
            self.end(reason)

    def _over_limit(self, now: float) -> Reason | None:
        if now - self._began > self._limits.wall_seconds:
            return Reason.WALL_TIME
        if now - self._sign > self._limits.idle_seconds:
            return Reason.NO_PROGRESS
        if now < self._usage_due:
            return None
        self._usage_due = now + _USAGE_EVERY_SECONDS
        used = processes.usage(self.process.pid)
        self.peak_memory_bytes = max(self.peak_memory_bytes, used.memory_bytes)
        if self._limits.memory_bytes and used.memory_bytes > self._limits.memory_bytes:
            return Reason.MEMORY
        return Reason.CPU_TIME if used.cpu_seconds > self._limits.cpu_seconds else None
