"""The engine: asks a study for work, answers from the record what it can, runs the rest, and never dies of a trial.

One asyncio loop. Each turn hears requests, fills free slots, follows run logs, decides at rungs, and records what has
ended. Every change of state is a transaction: `kill -9` at any moment loses nothing, as the next engine of the study
recovers what this one left.
"""

import asyncio
import contextlib
import os
import shutil
import time
from dataclasses import replace
from typing import Literal

from headway.core import HeadwayError, Reason, Redactor, TrialState
from headway.engine import lease
from headway.engine.accounts import Accounts
from headway.engine.attempt import Attempt
from headway.engine.backends import WorkerLost
from headway.engine.launcher import Launcher
from headway.engine.manifests import Library
from headway.engine.recorder import LOST, Recorder
from headway.engine.reuse import Reuse
from headway.engine.rungs import Rungs
from headway.engine.schedulers import Scheduler
from headway.engine.settings import EngineSettings, with_default_memory
from headway.engine.slots import Slots
from headway.engine.spec import Origin
from headway.engine.work import Assignment, Observer, Work
from headway.experiments import Experiment
from headway.store import Store, StudyRecord, TrialRecord, explained

__all__ = ["Ending", "Engine"]

Ending = Literal["done", "paused"]

_TURN_SECONDS = 0.05
_TURN_SECONDS_AT_RUNG = 0.002  # a trial stands still until it is answered
_LATE_SECONDS = 1.0  # after it, a turn was held up: by a machine that was suspended, or stood still
_REQUEST_EVERY_SECONDS = 0.5
_CHARGE_EVERY_SECONDS = 5.0


class Engine:
    """Run one study's trials. Make one engine a session."""

    def __init__(
        self,
        store: Store,
        study: StudyRecord,
        experiment: Experiment,
        origin: Origin,
        scheduler: Scheduler,
        settings: EngineSettings,
        observer: Observer,
    ) -> None:
        self._store = store
        self._study = study
        self._experiment = experiment
        self._observer = observer
        self._settings = settings
        limits, redactor = with_default_memory(experiment.limits), Redactor.of_environment(os.environ)
        threads, device = experiment.needs.cores, "gpu" if experiment.needs.gpus else "cpu"
        library = Library(store, experiment.root, redactor)
        since = time.time() if settings.retry_failed else 0.0
        self._slots = Slots(experiment.needs, workers=1 if settings.backend == "inline" else settings.workers)
        self._recorder = Recorder(store, study, library, limits, threads=threads, device=device)
        self._reuse = Reuse(store, study, library, experiment.limits, threads=threads, device=device, since=since)
        self._rungs = Rungs(store, study, scheduler, observer.note)
        self._accounts = Accounts(store, study)
        self._launcher = Launcher(
            store,
            study,
            experiment,
            origin,
            backend=settings.backend,
            rungs=scheduler.rungs,
            slots=self._slots,
            limits=limits,
            redactor=redactor,
        )
        self._running: dict[int, Attempt] = {}
        self._again: list[Assignment] = []
        self._lost: list[Assignment] = []  # tried again one at a time: which of them took the others along shows then
        self._pausing = False
        self._problem: OSError | None = None  # of the store's disk
        self._starting: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, work: Work) -> Ending:
        """Run until the work is done, or until somebody pauses the study."""
        self._loop = asyncio.get_running_loop()
        taken_over = lease.take(self._store, self._study.name)
        state = "paused"
        try:
            if taken_over:
                self._recorder.tidy_after_death()
            self._recorder.recover(self._observer.note)
            self._recall(work)
            work.wake_with(self._wake_soon)
            await self._turns(work)
            state = "paused" if self._pausing else "running"
            return "paused" if self._pausing else "done"
        finally:
            await self._close()
            lease.release(self._store, self._study, state)

    def changed_files(self, trial: TrialRecord) -> str | None:
        """Say which file that a trial used has changed since, or return None. Its result is then of another version."""
        return self._reuse.changed_files(trial)

    def pause(self) -> None:
        """Ask every trial to reach its next checkpoint and end the session. Safe from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_pause)

    def end_now(self) -> None:
        """End the session at once. Safe from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_end)

    # one turn of the loop

    async def _turns(self, work: Work) -> None:
        last = time.monotonic()
        request_due, charge_due = last, last + _CHARGE_EVERY_SECONDS
        late_seconds = 0.0
        while True:
            now = time.monotonic()
            # Where each turn is late, the limits hold all the same.
            late_seconds = now - last if now - last > _LATE_SECONDS and not late_seconds else 0.0
            self._accounts.add(now - last, workers=self._slots.workers, busy=self._slots.busy)
            last = now
            if now >= request_due:
                self._hear_requests()
                request_due = now + _REQUEST_EVERY_SECONDS
            if now >= charge_due:
                self._charge()
                charge_due = now + _CHARGE_EVERY_SECONDS
            waiting = self._follow(now, late_seconds)
            self._collect(work)  # before new trials start, in the slots that these had
            self._mind_the_disk()
            if not self._pausing:
                await self._fill(work)
                work.prepare([attempt.assignment for attempt in self._running.values()])
            if not self._running and (self._pausing or not (self._again or self._lost or not work.done())):
                return
            self._observer.tick(
                busy=self._slots.busy, workers=self._slots.workers, idle_share=self._accounts.idle_share
            )
            await self._rest(_TURN_SECONDS_AT_RUNG if waiting else _TURN_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Wait until something ends, for so long at most."""
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()

    def _wake_soon(self) -> None:
        """End the rest. Safe from any thread, also when the session is over."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake.set)

    def _recall(self, work: Work) -> None:
        """Let the study and the scheduler take in what the record holds and still counts."""
        stale = self._reuse.stale()
        standing = work.recall(stale)
        self._rungs.recall(stale)
        if standing:
            self._observer.recalled(standing)

    async def _fill(self, work: Work) -> None:
        self._slots.ahead = self._launcher.ahead
        while self._slots.free and not self._pausing and not any(item.alone for item in self._running.values()):
            alone = bool(self._lost)
            if alone and self._launcher.shared:
                return
            if alone or self._again:
                assignment = (self._lost or self._again).pop(0)
            elif (assignment := work.next([attempt.assignment for attempt in self._running.values()])) is None:
                return
            found = self._reuse.find(assignment.candidate, assignment.seed)
            if found.answer is not None:
                self._answer(work, assignment, found.answer)
            else:
                await self._start(work, assignment, found.unfinished, alone=alone)

    def _answer(self, work: Work, assignment: Assignment, trial: TrialRecord) -> None:
        with self._store.database.write():
            work.begins(assignment)
            if not self._store.places.has(self._study.id, trial.id):
                own = self._reuse.own(trial.id)
                self._store.places.add(self._study.id, trial.id, assignment.role, assignment.number, reused=not own)
                self._rungs.recall_trial(trial.id)
        self._observer.ended(trial, assignment, reused=True)
        work.ended(assignment, trial, reused=True)

    async def _start(self, work: Work, assignment: Assignment, unfinished: TrialRecord | None, *, alone: bool) -> None:
        """Start a trial, unless the session ends while its imports or its setup still run."""
        self._starting = asyncio.ensure_future(self._launch(work, assignment, unfinished, alone=alone))
        try:
            await self._starting
        except asyncio.CancelledError:
            if not self._pausing:
                raise
        finally:
            self._starting = None

    async def _launch(self, work: Work, assignment: Assignment, unfinished: TrialRecord | None, *, alone: bool) -> None:
        if not self._launcher.opened:
            self._observer.preparing(f"importing {self._experiment.name}")
            await self._launcher.open(self._observer.note)
            self._observer.preparing("")
        if unfinished is not None:
            self._begin_anew_if_changed(unfinished)
        try:
            attempt = await self._launcher.launch(work, assignment, unfinished)
        except WorkerLost as error:
            self._recorder.recover_attempt(error.attempt)
            self._lost.append(assignment)
            return
        attempt.alone = alone
        attempt.exit.add_done_callback(lambda _: self._wake.set())
        self._running[attempt.spec.trial] = attempt
        self._observer.started(attempt.spec.trial, assignment)

    def _begin_anew_if_changed(self, trial: TrialRecord) -> None:
        """Give up the checkpoints of an unfinished trial whose files have changed."""
        if trial.manifest is not None and (change := self._reuse.changed_files(trial)) is not None:
            shutil.rmtree(self._store.checkpoint_folder(trial.id), ignore_errors=True)
            self._store.events.add("from scratch", study=self._study.id, trial=trial.id, because=change)
            self._observer.note(f"Trial {trial.id} begins again from step 0: {change}.")

    def _follow(self, now: float, late_seconds: float) -> bool:
        """Take in what the trials logged, answer those that wait; tell whether any does."""
        waiting = False
        for trial, attempt in self._running.items():
            # Asked before its log is read, so that all that it logged until it waited is known.
            waits_at = attempt.follower.waiting_at if self._rungs.fractions else 0
            points = attempt.poll(now, late_seconds=late_seconds)
            if points:
                self._observer.progressed(trial, points)
            if waits_at and not attempt.follower.behind:
                self._rungs.answer(trial, attempt, waits_at)
            waits = self._rungs.fractions and attempt.follower.waiting_at
            waiting = waiting or attempt.follower.behind or bool(waits)
        return waiting

    # ends

    def _collect(self, work: Work) -> None:
        for trial, attempt in list(self._running.items()):
            if attempt.over:
                record = self._record(trial, attempt)
                del self._running[trial]  # only now: the run logs of what is not in the record yet must stay
                self._slots.give_back(attempt.lease)
                self._settle(work, record, attempt.assignment)

    def _mind_the_disk(self) -> None:
        """End the session where the store's disk refused what a trial wrote for Headway, or printed."""
        found = self._problem or next((item.problem for item in self._running.values() if item.problem), None)
        if found is not None:
            raise explained(self._store.folder, found) from found

    def _record(self, trial: int, attempt: Attempt) -> TrialRecord:
        attempt.close()
        ended, progress = attempt.exit.result(), attempt.follower.progress
        interrupted = attempt.pausing and not progress.ended and not progress.paused
        interrupted = interrupted or attempt.refusal is not None
        self._problem = self._problem or attempt.problem
        record = self._recorder.record(
            trial,
            attempt.spec.attempt,
            attempt.places,
            progress,
            replace(
                ended,
                lost=ended.lost or interrupted,
                interrupted=interrupted,
                peak_memory_bytes=max(ended.peak_memory_bytes, attempt.peak_memory_bytes),
            ),
            attempt.cause,
            earlier=attempt.earlier,
            wall_seconds=attempt.wall_seconds if ended.wall_seconds is None else ended.wall_seconds,
        )
        self._reuse.refresh()
        return record

    def _settle(self, work: Work, record: TrialRecord, assignment: Assignment) -> None:
        """Tell of a trial's end; try one again whose process went away, unless it was alone when it did, twice."""
        lost = not record.state.ended and record.reason is None
        if lost and self._lost_alone_twice(record.id):
            message = (
                "It ended the process that had started it, twice and while it ran alone: by a signal to its parent, "
                "or because the machine ran out of memory."
            )
            self._store.trials.end(record.id, TrialState.FAILED, reason=Reason.LOST, message=message)
            record = self._store.trials.get(record.id)
        if record.state.ended:
            self._observer.ended(record, assignment, reused=False)
            work.ended(assignment, record, reused=False)
            if record.state == TrialState.STOPPED:  # of all ended trials, these alone keep theirs
                self._trim_checkpoints()
        elif not self._pausing and self._problem is None:
            how = "alone: the process that had started it went away." if lost else f"once more: {record.message}"
            self._observer.note(f"Trial {record.id} is tried {how}")
            (self._lost if lost else self._again).append(assignment)

    def _lost_alone_twice(self, trial: int) -> bool:
        return sum(item.outcome == LOST for item in self._store.trials.attempts(trial)) > 1

    def _trim_checkpoints(self) -> None:
        """Remove the checkpoints of stopped trials, the oldest first, until the cap holds."""
        folder = self._store.folder / "checkpoints"
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*/*.ckpt")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._settings.checkpoint_bytes:
                return
            if self._store.trials.get(int(path.parent.name)).state != TrialState.RUNNING:  # here or in another engine
                path.unlink(missing_ok=True)
                total -= size

    # pauses and the end of the session

    def _hear_requests(self) -> None:
        request = self._store.studies.asked(self._study.id)
        if request == "pause":
            self._begin_pause()
        elif request == "now":
            self._begin_end()
        elif request is not None and request.startswith("stop "):
            attempt = self._running.get(int(request.removeprefix("stop ")))
            if attempt is not None:
                attempt.stop(Reason.USER)

    def _begin_pause(self) -> None:
        if not self._pausing:
            self._pausing = True
            for attempt in self._running.values():
                attempt.pause()
            self._observer.note("Pausing: running trials go to their next checkpoint.")
        self._leave()

    def _begin_end(self) -> None:
        self._pausing = True
        for attempt in self._running.values():
            attempt.end_now()
        self._leave()

    def _leave(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        self._wake.set()

    async def _close(self) -> None:
        for attempt in self._running.values():
            attempt.pausing = attempt.pausing or not attempt.exit.done()
        await self._launcher.close()
        for trial, attempt in list(self._running.items()):
            with contextlib.suppress(HeadwayError, OSError):  # what cannot be written now, the next engine recovers
                await attempt.exit
                self._record(trial, attempt)
                del self._running[trial]
        if not self._running:
            self._launcher.forget()
        with contextlib.suppress(HeadwayError):
            self._charge()

    def _charge(self) -> None:
        if self._launcher.opened:  # a session that only answers from the record costs nothing
            self._accounts.charge()
