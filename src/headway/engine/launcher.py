"""From an assignment to a running attempt: the trial's row, its folder, its spec, a process from the backend."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headway.core import Limits, Redactor
from headway.engine.attempt import Attempt
from headway.engine.backends import BackendSetup, make_backend
from headway.engine.output import OutputSink
from headway.engine.slots import Slots
from headway.engine.spec import AttemptSpec, Origin
from headway.engine.surroundings import surroundings
from headway.engine.work import Assignment
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
            ),
        )
        self._surroundings: Mapping[str, Any] | None = None
        self.opened = False

    async def open(self, note: Callable[[str], None]) -> None:
        """Make the backend ready."""

        def keep(text: str) -> None:
            self._store.events.add("note", study=self._study.id, text=text)
            note(text)

        await self._backend.open(keep)
        self.opened = True

    async def launch(self, assignment: Assignment, trial: TrialRecord) -> Attempt:
        """Start an attempt at a trial, in a slot that the caller knows to be free."""
        count = len(self._store.trials.attempts(trial.id)) + 1
        folder = self._store.run_folder(trial.id) / str(count)
        folder.mkdir(parents=True, exist_ok=True)
        directory = os.path.relpath(folder, self._store.folder)
        lease = self._slots.take()
        attempt = self._store.trials.begin(trial.id, self._study.id, directory, self._record(assignment))
        spec = self._spec(assignment, trial, attempt, folder, lease.gpus)
        spec.write()
        started = time.time()
        try:
            process = await self._backend.start(spec)
        except BaseException:
            self._slots.give_back(lease)
            self._store.trials.end_attempt(attempt, "interrupted", wall_seconds=0, cpu_seconds=0, peak_memory_bytes=0)
            self._store.trials.requeue(trial.id)
            raise
        self._store.trials.set_process(attempt, process.pid, process.started)
        sink = None
        if process.output is not None:
            sink = OutputSink(process.output, folder / "output.log", self._redactor, self._limits.output_bytes)
        return Attempt(
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

    async def close(self) -> None:
        """End all that runs, and remove the templates' files."""
        await self._backend.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _spec(
        self, assignment: Assignment, trial: TrialRecord, attempt: int, folder: Path, gpus: tuple[int, ...]
    ) -> AttemptSpec:
        return AttemptSpec(
            attempt=attempt,
            trial=trial.id,
            config=assignment.config,
            seed=assignment.seed,
            folder=str(folder),
            checkpoints=str(self._store.checkpoint_folder(trial.id)),
            threads=self._experiment.needs.cores,
            gpus=gpus,
            rungs=self._rungs if assignment.scheduled and self._backend.stops_early else (),
            memory_bytes=self._limits.memory_bytes,
            cpu_seconds=self._limits.cpu_seconds,
            ignore=(str(self._store.folder),),
        )

    def _record(self, assignment: Assignment) -> dict[str, Any]:
        """Return what the trial's record says beside its files: how it was run, and on what."""
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
            "rungs": list(self._rungs) if assignment.scheduled else [],
        }
