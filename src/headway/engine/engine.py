"""The engine: asks a study for work, answers from the record what it can, runs the rest, and never dies of a trial.

One asyncio loop. Each turn hears requests, fills free slots, follows run logs, decides at rungs, and records what has
ended. Every change of state is a transaction: `kill -9` at any moment loses nothing, as the next engine
of the study recovers what this one left.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from headway.core import HeadwayError, Limits, Reason, Redactor, StudyBusy, TrialState
from headway.engine import processes
from headway.engine.attempt import Attempt
from headway.engine.backends import Backend, BackendSetup, make_backend
from headway.engine.manifests import Library
from headway.engine.output import OutputSink
from headway.engine.recorder import Recorder
from headway.engine.reuse import Reuse
from headway.engine.schedulers import Scheduler
from headway.engine.settings import EngineSettings, with_default_memory
from headway.engine.slots import Slots
from headway.engine.spec import AttemptSpec, Origin
from headway.engine.surroundings import surroundings
from headway.engine.work import Assignment, Observer, Work
from headway.experiments import Experiment
from headway.store import Store, StudyRecord, StudyTrial, TrialRecord

__all__ = ["Ending", "Engine"]

Ending = Literal["done", "paused"]

_TURN_SECONDS = 0.05
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
        self._origin = origin
        self._scheduler = scheduler
        self._observer = observer
        self._limits: Limits = with_default_memory(experiment.limits)
        self._redactor = Redactor.of_environment(os.environ)
        self._slots = Slots(experiment.needs, workers=1 if settings.backend == "inline" else settings.workers)
        self._settings = settings
        threads, device = experiment.needs.cores, "gpu" if experiment.needs.gpus else "cpu"
        library = Library(store, experiment.root, self._redactor)
        self._recorder = Recorder(store, study, library, self._limits, threads=threads, device=device)
        self._reuse = Reuse(
            store,
            study,
            library,
            experiment.limits,
            threads=threads,
            device=device,
            since=time.time() if settings.retry_failed else 0.0,
        )
        self._backend = self._make_backend()
        self._backend_open = False
        self._running: dict[int, Attempt] = {}
        self._again: list[Assignment] = []
        self._placed: dict[int, StudyTrial] = {}
        self._pausing = False
        self._said_undecidable = False
        self._surroundings: Mapping[str, Any] | None = None
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy_seconds = self._slot_seconds = self._wall_seconds = 0.0
        self._total_busy = self._total_slots = 0.0

    async def run(self, work: Work) -> Ending:
        """Run until the work is done, or until somebody pauses the study."""
        self._loop = asyncio.get_running_loop()
        self._take_lease()
        state = "paused"
        try:
            self._placed = {place.trial.id: place for place in self._store.trials.of_study(self._study.id)}
            self._recorder.recover(self._observer.note)
            self._recall_rungs()
            await self._turns(work)
            state = "paused" if self._pausing else "running"
            return "paused" if self._pausing else "done"
        finally:
            await self._close()
            self._store.studies.release_lease(self._study.id, os.getpid(), state)

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
        last, request_due, charge_due = time.monotonic(), 0.0, time.monotonic() + _CHARGE_EVERY_SECONDS
        while True:
            now = time.monotonic()
            self._account(now - last)
            last = now
            if now >= request_due:
                self._hear_requests()
                request_due = now + _REQUEST_EVERY_SECONDS
            if now >= charge_due:
                self._charge()
                charge_due = now + _CHARGE_EVERY_SECONDS
            if not self._pausing:
                await self._fill(work)
            self._follow()
            self._collect(work)
            if not self._running and (self._pausing or (not self._again and work.done())):
                return
            self._observer.tick(busy=self._slots.busy, workers=self._slots.workers, idle_share=self._idle_share())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _TURN_SECONDS if not self._waiting() else 0.002)
            self._wake.clear()

    async def _fill(self, work: Work) -> None:
        while self._slots.free and not self._pausing:
            assignment = self._next(work)
            if assignment is None:
                return
            answer = self._reuse.finished(assignment.candidate, assignment.seed, self._placed)
            if answer is not None:
                self._answer(work, assignment, answer)
            else:
                await self._start(assignment)

    def _next(self, work: Work) -> Assignment | None:
        if self._again:
            return self._again.pop(0)
        return work.next([attempt.assignment for attempt in self._running.values()])

    def _answer(self, work: Work, assignment: Assignment, trial: TrialRecord) -> None:
        if trial.id not in self._placed:
            self._place(trial.id, assignment, reused=True)
        self._observer.ended(trial, assignment, reused=True)
        work.ended(assignment, trial, reused=True)

    def _place(self, trial: int, assignment: Assignment, *, reused: bool) -> None:
        self._store.trials.place(self._study.id, trial, assignment.role, assignment.number, reused=reused)
        self._placed[trial] = StudyTrial(
            trial=self._store.trials.get(trial), role=assignment.role, number=assignment.number, reused=reused
        )

    # starting

    async def _start(self, assignment: Assignment) -> None:
        await self._open_backend()
        trial = self._trial_for(assignment)
        count = len(self._store.trials.attempts(trial.id)) + 1
        folder = self._store.run_folder(trial.id) / str(count)
        folder.mkdir(parents=True, exist_ok=True)
        lease = self._slots.take()
        directory = os.path.relpath(folder, self._store.folder)
        attempt = self._store.trials.begin(trial.id, self._study.id, directory, self._record(assignment))
        spec = self._spec(assignment, trial, attempt, folder, lease.gpus)
        spec.write()
        started = time.time()
        try:
            process = await self._backend.start(spec)
        except BaseException:
            self._slots.give_back(lease)
            self._store.trials.end_attempt(attempt, "lost", wall_seconds=0, cpu_seconds=0, peak_memory_bytes=0)
            self._store.trials.requeue(trial.id)
            raise
        self._store.trials.set_process(attempt, process.pid, process.started)
        sink = None
        if process.output is not None:
            sink = OutputSink(process.output, folder / "output.log", self._redactor, self._limits.output_bytes)
        running = Attempt(
            assignment=assignment,
            spec=spec,
            lease=lease,
            process=process,
            backend=self._backend,
            sink=sink,
            limits=self._limits,
            many_logs=self._experiment.opaque,
            started=started,
        )
        running.exit.add_done_callback(lambda _: self._wake.set())
        self._running[trial.id] = running
        self._observer.started(trial.id, assignment)

    def _trial_for(self, assignment: Assignment) -> TrialRecord:
        """Return the unfinished trial to go on with, or a new one."""
        found = self._reuse.unfinished(assignment.candidate, assignment.seed, self._placed)
        if found is not None:
            if found.manifest is not None and (change := self._reuse.changed_files(found)) is not None:
                self._from_scratch(found.id, change)
            return found
        trial = self._store.trials.create(assignment.candidate, assignment.seed)
        self._place(trial, assignment, reused=False)
        return self._store.trials.get(trial)

    def _from_scratch(self, trial: int, change: str) -> None:
        import shutil

        shutil.rmtree(self._store.checkpoint_folder(trial), ignore_errors=True)
        self._store.events.add("from scratch", study=self._study.id, trial=trial, because=change)
        self._observer.note(f"Trial {trial} begins again from step 0: {change}.")

    def _spec(
        self, assignment: Assignment, trial: TrialRecord, attempt: int, folder: Path, gpus: tuple[int, ...]
    ) -> AttemptSpec:
        scheduled = assignment.scheduled and self._backend.stops_early
        return AttemptSpec(
            attempt=attempt,
            trial=trial.id,
            config=assignment.config,
            seed=assignment.seed,
            folder=str(folder),
            checkpoints=str(self._store.checkpoint_folder(trial.id)),
            threads=self._experiment.needs.cores,
            gpus=gpus,
            rungs=self._scheduler.rungs if scheduled else (),
            memory_bytes=self._limits.memory_bytes,
            cpu_seconds=self._limits.cpu_seconds,
            ignore=(str(self._store.folder),),
        )

    def _record(self, assignment: Assignment) -> dict[str, Any]:
        if self._surroundings is None:
            self._surroundings = surroundings(self._experiment.root, self._redactor)
        return {
            **self._surroundings,
            "experiment": self._experiment.described,
            "metric": self._experiment.metric,
            "direction": self._experiment.direction,
            "file": self._origin.file and os.path.relpath(self._origin.file, self._experiment.root),
            "pickled": self._origin.pickled and Path(self._origin.pickled).name,
            "command": self._origin.command and dict(self._origin.command),
            "limits": self._experiment.limits.to_json(),
            "needs": self._experiment.needs.to_json(),
            "backend": self._backend.name,
            "rungs": list(self._scheduler.rungs) if assignment.scheduled else [],
        }

    # following

    def _follow(self) -> None:
        for trial, attempt in self._running.items():
            points = attempt.poll()
            if points:
                self._observer.progressed(trial, points)
            waiting = attempt.follower.waiting_at
            if waiting and waiting not in attempt.decided:
                attempt.decided.add(waiting)
                self._decide(trial, attempt, waiting)

    def _decide(self, trial: int, attempt: Attempt, step: int) -> None:
        progress = attempt.follower.progress
        rung = self._rung_index(progress.horizon or 0, step)
        value = progress.value_at(self._study.metric, step)
        go_on = self._scheduler.decide(trial, rung, value)
        self._store.events.add(
            "rung",
            study=self._study.id,
            trial=trial,
            rung=rung,
            step=step,
            go_on=go_on,
            value=value if value is None or abs(value) < float("inf") else None,
        )
        if value is None and not self._said_undecidable:
            self._said_undecidable = True
            self._observer.note(
                f"Trial {trial} logged no {self._study.metric} by step {step}, so nothing can be decided early: "
                f"log it in the loop, run.log({self._study.metric}=...)."
            )
        if go_on:
            attempt.follower.grant(step + 1)
        else:
            attempt.stop(Reason.SCHEDULER)

    def _rung_index(self, horizon: int, step: int) -> int:
        import math

        steps = [max(1, math.ceil(horizon * rung)) for rung in self._scheduler.rungs]
        return steps.index(step) if step in steps else len([item for item in steps if item < step])

    def _recall_rungs(self) -> None:
        for event in self._store.events.of_study(self._study.id, kinds=("rung",)):
            if event.trial in self._placed:
                self._scheduler.recall(event.trial, event.data["rung"], event.data["value"])

    def _waiting(self) -> bool:
        return bool(self._scheduler.rungs) and any(attempt.follower.waiting_at for attempt in self._running.values())

    # ending

    def _collect(self, work: Work) -> None:
        for trial, attempt in list(self._running.items()):
            if attempt.exit.done():
                del self._running[trial]
                self._slots.give_back(attempt.lease)
                self._end(work, trial, attempt)

    def _end(self, work: Work, trial: int, attempt: Attempt) -> None:
        attempt.close()
        ended = attempt.exit.result()
        lost = ended.lost or (attempt.pausing and not attempt.follower.progress.ended)
        ended = replace(
            ended,
            lost=lost and not attempt.follower.progress.paused,
            peak_memory_bytes=max(ended.peak_memory_bytes, attempt.peak_memory_bytes),
        )
        record = self._recorder.record(
            self._store.trials.get(trial),
            attempt.spec.attempt,
            Path(attempt.spec.folder),
            attempt.follower.progress,
            ended,
            attempt.cause,
            began=attempt.started,
            wall_seconds=attempt.wall_seconds,
        )
        self._reuse.refresh()
        if record.state.ended:
            self._observer.ended(record, attempt.assignment, reused=False)
            work.ended(attempt.assignment, record, reused=False)
            self._trim_checkpoints()
        elif not self._pausing:
            self._retry(work, record, attempt.assignment)

    def _retry(self, work: Work, record: TrialRecord, assignment: Assignment) -> None:
        lost = [item for item in self._store.trials.attempts(record.id) if item.outcome == "lost"]
        if record.state == TrialState.PAUSED and len(lost) > 1:
            self._store.trials.end(
                record.id, TrialState.FAILED, reason=Reason.LOST, message="Its process went away twice."
            )
            record = self._store.trials.get(record.id)
            self._observer.ended(record, assignment, reused=False)
            work.ended(assignment, record, reused=False)
            return
        self._observer.note(f"Trial {record.id} is tried once more: {record.message or 'its process went away.'}")
        self._again.append(assignment)

    def _trim_checkpoints(self) -> None:
        """Remove the checkpoints of stopped trials, the oldest first, until the cap holds."""
        folder = self._store.folder / "checkpoints"
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*/*.ckpt")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._settings.checkpoint_bytes:
                return
            if int(path.parent.name) not in self._running:
                path.unlink(missing_ok=True)
                total -= size

    # requests, lease, backend, accounts

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
        self._wake.set()

    def _begin_end(self) -> None:
        self._pausing = True
        for attempt in self._running.values():
            attempt.end_now()
        self._wake.set()

    def _take_lease(self) -> None:
        started = processes.start_time(os.getpid()) or 0.0
        study = self._store.studies.get(self._study.name)
        previous = None
        if study.lease_pid is not None and study.lease_started is not None:
            if processes.alive(study.lease_pid, study.lease_started):
                raise StudyBusy(
                    f"The study {study.name!r} is running already, in process {study.lease_pid}. Watch it with: "
                    f"headway status {study.name}; end it with: headway stop {study.name}"
                )
            previous = (study.lease_pid, study.lease_started)
        if not self._store.studies.take_lease(self._study.id, os.getpid(), started, previous):
            raise StudyBusy(
                f"Another engine took the study {study.name!r} this moment. See: headway status {study.name}"
            )

    def _make_backend(self) -> Backend:
        return make_backend(
            self._settings.backend,
            BackendSetup(
                experiment=self._experiment,
                origin=self._origin,
                folder=self._store.folder / "templates" / str(os.getpid()),
                threads=self._experiment.needs.cores,
                ignore=(str(self._store.folder),),
            ),
        )

    async def _open_backend(self) -> None:
        if not self._backend_open:
            self._observer.preparing(f"importing {self._experiment.name}")
            await self._backend.open(self._note_backend)
            self._backend_open = True
            self._observer.preparing("")

    def _note_backend(self, text: str) -> None:
        self._store.events.add("note", study=self._study.id, text=text)
        self._observer.note(text)

    async def _close(self) -> None:
        import shutil

        await self._backend.close()
        for trial, attempt in list(self._running.items()):
            with contextlib.suppress(HeadwayError, OSError):
                await attempt.exit
                attempt.pausing = True
                self._pausing = True
                self._end(_Deaf(), trial, attempt)
        self._charge()
        shutil.rmtree(self._store.folder / "templates" / str(os.getpid()), ignore_errors=True)

    def _account(self, seconds: float) -> None:
        self._wall_seconds += seconds
        self._busy_seconds += seconds * self._slots.busy
        self._slot_seconds += seconds * self._slots.workers

    def _idle_share(self) -> float:
        total = self._total_slots + self._slot_seconds
        return 1 - (self._total_busy + self._busy_seconds) / total if total else 0.0

    def _charge(self) -> None:
        if self._backend_open:  # a session that only answers from the record costs nothing
            with self._store.database.write():
                self._store.studies.charge(self._study.id, "seconds", self._wall_seconds)
                self._store.studies.charge(self._study.id, "busy slot seconds", self._busy_seconds)
                self._store.studies.charge(self._study.id, "slot seconds", self._slot_seconds)
        self._total_busy += self._busy_seconds
        self._total_slots += self._slot_seconds
        self._busy_seconds = self._slot_seconds = self._wall_seconds = 0.0


class _Deaf:
    """Be the work of an engine that closes: nothing follows from what ends now."""

    def next(self, running: Any) -> None:
        return None

    def done(self) -> bool:
        return True

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        return None
