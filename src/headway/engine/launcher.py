"""From an assignment to a running attempt: the trial's row, its folder, its spec, a process from the backend."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headway.core import Limits, Redactor
from headway.engine.attempt import Attempt
from headway.engine.backends import BackendSetup, Host, WorkerLost, make_backend
from headway.engine.output import OutputSink
from headway.engine.slots import Lease, Slots
from headway.engine.spec import AttemptSpec, Origin
from headway.engine.surroundings import surroundings
from headway.engine.work import Assignment, Work
from headway.experiments import Experiment
from headway.store import Store, StudyRecord, TrialRecord

__all__ = ["Launcher"]


class Launcher:
    """Start attempts of one study. The backend is opened for the first one: what the record answers needs none."""

    def __init__(
        self,
        store: Store,
        study: StudyRecord,
        experiment: Experiment,
        origin: Origin,
        *,
        backend: str,
        rungs: tuple[float, ...],
        slots: Slots,
        limits: Limits,
        redactor: Redactor,
    ) -> None:
        self._store = store
        self._study = study
        self._experiment = experiment
        self._origin = origin
        self._rungs = rungs
        self._slots = slots
        self._limits = limits
        self._redactor = redactor
        self._folder = store.folder / "templates" / str(os.getpid())
        self._backend = make_backend(
            backend,
            BackendSetup(
                experiment=experiment,
                origin=origin,
                folder=self._folder,
                threads=experiment.needs.cores,
                ignore=(str(store.folder),),
                workers=slots.workers,
            ),
        )
        # Named after this process too: what a dead engine's workers may still write to is never used again.
        self.live = f"live/{study.id}-{os.getpid()}-{time.time_ns():x}"
        self._own_logs = experiment.opaque and not experiment.standing
        self._made: set[int] = set()
        self._records: dict[bool, Mapping[str, Any]] = {}
        self.opened = False

    @property
    def ahead(self) -> int:
        """Return how many attempts may be started beside those that run, to wait for a worker."""
        return self._backend.ahead

    @property
    def shared(self) -> bool:
        """Tell whether the next trial would share with a running one a process whose death ends both."""
        return self._backend.shared

    async def open(self, note: Callable[[str], None]) -> None:
        """Make the backend ready."""

        def keep(text: str) -> None:
            self._store.events.add("note", study=self._study.id, text=text)
            note(text)

        await self._backend.open(keep)
        self.opened = True

    async def launch(self, work: Work, assignment: Assignment, unfinished: TrialRecord | None) -> Attempt:
        """Start an attempt at a new trial or an `unfinished` one, in a slot that the caller knows to be free."""
        lease, host = self._slots.take(), self._backend.host
        try:
            spec = self._begin(work, assignment, unfinished, lease, host)
            return await self._start(assignment, unfinished, spec, lease, host)
        except BaseException:
            self._slots.give_back(lease)
            raise

    def _begin(
        self, work: Work, assignment: Assignment, unfinished: TrialRecord | None, lease: Lease, host: Host
    ) -> AttemptSpec:
        """Write in one transaction that the trial runs, and see to its folders."""
        live = None if self._own_logs else self._live(lease.slot)
        record, trials = self._record(assignment.scheduled), self._store.trials
        with self._store.database.write():
            work.begins(assignment)
            if unfinished is None:
                a = assignment
                begun = trials.begin_new(a.candidate, a.seed, self._study.id, a.role, a.number, record, live, host)
                trial, attempt, directory = begun.trial, begun.id, begun.directory
            else:
                trial, directory = unfinished.id, f"runs/{unfinished.id}/{len(trials.attempts(unfinished.id)) + 1}"
                attempt = trials.begin(trial, self._study.id, directory, record, live, host)
        spec = AttemptSpec(
            attempt=attempt,
            trial=trial,
            config=assignment.config,
            seed=assignment.seed,
            folder=os.path.join(self._store.folder, directory),
            live="" if live is None else os.path.join(self._store.folder, live),
            checkpoints=os.path.join(self._store.folder, "checkpoints", str(trial)),
            threads=self._experiment.needs.cores,
            gpus=lease.gpus,
            rungs=self._rungs if assignment.scheduled and self._backend.stops_early else (),
            memory_bytes=self._limits.memory_bytes,
            cpu_seconds=self._limits.cpu_seconds,
            ignore=(str(self._store.folder),),
            patch=self._patch(assignment.candidate),
        )
        if live is None:  # a command's scripts read their spec, and write logs of their own
            os.makedirs(spec.folder, exist_ok=True)
            spec.write()
        return spec

    def _patch(self, candidate: str) -> Mapping[str, str]:
        """Return the files that a candidate changes; configurations of functions and commands change none."""
        if self._origin.repository is None:
            return {}
        return self._store.studies.candidate(candidate).files

    def _live(self, slot: int) -> str:
        """Return the folder where the attempts in a slot keep their run logs, one after the other."""
        folder = f"{self.live}/{slot}"
        if slot not in self._made:
            os.makedirs(os.path.join(self._store.folder, folder), exist_ok=True)
            self._made.add(slot)
        return folder

    async def _start(
        self, assignment: Assignment, unfinished: TrialRecord | None, spec: AttemptSpec, lease: Lease, host: Host
    ) -> Attempt:
        started = time.time()
        try:
            process = await self._backend.start(spec)
        except WorkerLost:
            raise
        except BaseException:
            with self._store.database.write():
                self._store.trials.end_attempt(
                    spec.attempt, "interrupted", wall_seconds=0, cpu_seconds=0, peak_memory_bytes=0
                )
                self._store.trials.requeue(spec.trial)
            raise
        if not self._backend.in_process and (process.pid, process.started) != host:
            self._store.trials.set_process(spec.attempt, process.pid, process.started)
        sink = None
        if process.output is not None:
            log = Path(spec.folder) / "output.log"
            sink = OutputSink(process.output, log, self._redactor, self._limits.output_bytes)
        return Attempt(
            assignment=assignment,
            spec=spec,
            lease=lease,
            process=process,
            backend=self._backend,
            sink=sink,
            limits=self._limits,
            earlier=unfinished,
            started=started,
        )

    async def close(self) -> None:
        """End all that runs, and remove the templates' files."""
        await self._backend.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def forget(self) -> None:
        """Remove the run logs, once the record holds all that they say."""
        shutil.rmtree(self._store.folder / self.live, ignore_errors=True)

    def _record(self, scheduled: bool) -> Mapping[str, Any]:
        """Return what the trials' record says beside their files: how they were run, and on what. One object each."""
        if scheduled not in self._records:
            self._records[scheduled] = {
                **surroundings(self._experiment.root, self._redactor),
                "experiment": self._experiment.described,
                "metric": self._experiment.metric,
                "direction": self._experiment.direction,
                "file": self._origin.file and os.path.relpath(self._origin.file, self._experiment.root),
                "pickled": self._origin.pickled and Path(self._origin.pickled).name,
                "command": self._origin.command and dict(self._origin.command),
                **({"repository": _without_sources(self._origin.repository)} if self._origin.repository else {}),
                "limits": self._experiment.limits.to_json(),
                "needs": self._experiment.needs.to_json(),
                "backend": self._backend.name,
                "rungs": list(self._rungs) if scheduled else [],
            }
        return self._records[scheduled]


def _without_sources(repository: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in repository.items() if name != "sources"}
