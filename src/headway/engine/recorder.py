"""Write what attempts came to, one transaction each: those that end now, and those that a dead engine left."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from headway.core import FileUse, Limits, Manifest, Reason, TrialState
from headway.engine import processes
from headway.engine.manifests import Library, observed
from headway.engine.outcome import Exit, Outcome, judge
from headway.engine.progress import Follower, Progress
from headway.store import AttemptRecord, Store, StudyRecord, TrialRecord

__all__ = ["Recorder"]

_END_SECONDS = 10.0


class Recorder:
    """Turn ended attempts into records of one study."""

    def __init__(
        self, store: Store, study: StudyRecord, library: Library, limits: Limits, *, threads: int, device: str
    ) -> None:
        self._store = store
        self._study = study
        self._library = library
        self._limits = limits
        self._threads = threads
        self._device = device

    def record(
        self,
        trial: TrialRecord,
        attempt: int,
        folder: Path,
        progress: Progress,
        ended: Exit,
        cause: Reason | None,
        *,
        began: float,
        wall_seconds: float,
    ) -> TrialRecord:
        """Write an ended attempt; return its trial as it stands now."""
        progress.go_on_from(trial.metrics, trial.value, self._study.metric)
        outcome = judge(progress, ended, cause, self._study.metric, self._limits)
        outcome = self._second_chance(trial, outcome)
        manifest = self._manifest(trial, folder, progress, began)
        artifacts = {name: self._store.artifacts.put_file(Path(path)) for name, path in progress.artifacts.items()}
        with self._store.database.write():
            self._store.curves.fold(trial.id, attempt, progress.points)
            self._store.trials.end_attempt(
                attempt,
                _summary(outcome, ended),
                wall_seconds=wall_seconds,
                cpu_seconds=ended.cpu_seconds,
                peak_memory_bytes=ended.peak_memory_bytes,
            )
            for name, (digest, size) in artifacts.items():
                self._store.trials.add_artifact(trial.id, name, digest, size)
            self._store.trials.end(
                trial.id,
                outcome.state,
                reason=outcome.reason,
                message=outcome.message,
                fingerprint=outcome.fingerprint,
                value=outcome.value,
                metrics=progress.finite_metrics,
                step=progress.step if progress.step is not None else trial.step,
                horizon=progress.horizon if progress.horizon is not None else trial.horizon,
                manifest=self._store.trials.add_manifest(manifest),
            )
            if progress.failure is not None:
                self._store.events.add(
                    "failed", study=self._study.id, trial=trial.id, traceback=progress.failure["traceback"]
                )
        self._tidy(trial.id, folder, outcome)
        return self._store.trials.get(trial.id)

    def recover(self, note: Callable[[str], None]) -> int:
        """Record the attempts that a dead engine left open; end those of their processes that still live."""
        left = self._store.trials.open_attempts(self._study.id)
        for attempt in left:
            self._recover(attempt)
        if left:
            plural = "trial was" if len(left) == 1 else "trials were"
            note(f"{len(left)} {plural} running when the last engine ended; they go on from their checkpoints.")
        return len(left)

    def _recover(self, attempt: AttemptRecord) -> None:
        pid, started = attempt.pid, attempt.pid_started
        if pid is not None and started is not None and pid != os.getpid():  # inline, its process is the engine's own
            _end(pid, started)
        folder = self._store.folder / attempt.directory
        follower = Follower(folder, many=True)
        follower.poll()
        follower.close()
        trial = self._store.trials.get(attempt.trial)
        seconds = max((point.seconds for point in follower.progress.points), default=0.0)
        finished = follower.progress.ended or follower.progress.failure is not None
        self.record(
            trial,
            attempt.id,
            folder,
            follower.progress,
            Exit(code=0) if finished else Exit(lost=True, interrupted=True),
            None,
            began=attempt.started,
            wall_seconds=seconds,
        )

    def _second_chance(self, trial: TrialRecord, outcome: Outcome) -> Outcome:
        """Queue a trial again that a signal ended: once, for a second time is no accident."""
        if outcome.reason != Reason.SIGNAL:
            return outcome
        before = [item.outcome for item in self._store.trials.attempts(trial.id)]
        return (
            outcome
            if "signal" in before
            else Outcome(state=TrialState.QUEUED, reason=Reason.SIGNAL, message=outcome.message)
        )

    def _manifest(self, trial: TrialRecord, folder: Path, progress: Progress, began: float) -> Manifest:
        use = observed([folder / "template.trace", folder / "trace"])
        new = self._library.manifest(
            use, inputs=progress.inputs, began=began, threads=self._threads, device=self._device
        )
        began_anew = progress.restored is None and progress.step is not None
        if trial.manifest is None or began_anew:
            return new
        return _joined(self._store.trials.manifest(trial.manifest), new)

    def _tidy(self, trial: int, folder: Path, outcome: Outcome) -> None:
        for log in folder.glob("*.runlog"):
            log.unlink(missing_ok=True)
        for name in ("trace", "template.trace"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "artifacts", ignore_errors=True)
        if outcome.state in (TrialState.COMPLETE, TrialState.FAILED):
            shutil.rmtree(self._store.checkpoint_folder(trial), ignore_errors=True)


def _end(pid: int, started: float) -> None:
    """End a process and wait until it is gone, so that it cannot write while its log is read."""
    deadline = time.monotonic() + _END_SECONDS
    while processes.alive(pid, started) and time.monotonic() < deadline:
        processes.end_tree(pid)
        time.sleep(0.005)


def _joined(old: Manifest, new: Manifest) -> Manifest:
    """Return what a trial in several attempts used: the files of all of them."""
    from dataclasses import replace

    files: dict[str, FileUse] = {use.path: use for use in (*old.files, *new.files)}
    return replace(
        new,
        files=tuple(files[path] for path in sorted(files)),
        packages={**old.packages, **new.packages},
        sites=tuple(sorted({*old.sites, *new.sites})),
        not_reusable=old.not_reusable or new.not_reusable,
        unseen=old.unseen or new.unseen,
    )


def _summary(outcome: Outcome, ended: Exit) -> str:
    if outcome.reason == Reason.SIGNAL:
        return "signal"
    if outcome.state == TrialState.PAUSED:
        return "interrupted" if ended.interrupted else "lost" if ended.lost else "paused"
    return str(outcome.reason or outcome.state)
