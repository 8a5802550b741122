"""Write what attempts came to, one transaction each: those that end now, and those that a dead engine left."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headway.core import FileUse, Limits, Manifest, Reason, TrialState
from headway.engine.manifests import Filed, Library, bytes_of
from headway.engine.outcome import Exit, Outcome, judge
from headway.engine.progress import Follower, Progress
from headway.experiments import trace
from headway.sandbox import processes
from headway.store import AttemptRecord, Store, StudyRecord, TrialRecord

__all__ = ["LOST", "LOST_BESIDE", "AttemptPlaces", "Recorder"]

# What became of an attempt whose process went away: alone, or beside others, of which any may be the cause.
LOST, LOST_BESIDE = "lost", "lost beside others"

_END_SECONDS = 10.0
_LAST_ATTEMPTS = 256  # more than an engine has running at a time
_WITHOUT_STATE = (TrialState.COMPLETE, TrialState.FAILED)  # nothing goes on from their checkpoints
_MOST_REMARKS = 100
_PASSING = ("trace", "template.trace", "spec.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlaces:
    """Say where an attempt left things: its own `folder`, and the one with its run log and traces."""

    attempt: int
    folder: Path
    live: Path

    @classmethod
    def of(cls, attempt: AttemptRecord, store: Path) -> "AttemptPlaces":
        """Read it from the record."""
        folder = store / attempt.directory
        return cls(attempt=attempt.id, folder=folder, live=folder if attempt.live is None else store / attempt.live)

    def traces(self) -> tuple[bytes, bytes]:
        """Read the traces of what it shared with other attempts, and of what it used itself."""
        shared, own = (bytes_of(self.live / name) for name in ("template.trace", "trace"))
        return shared, own if self.live == self.folder else trace.own(own, self.attempt)

    def follower(self) -> Follower:
        """Read its run logs."""
        if self.live == self.folder:
            return Follower(self.folder, many=True)
        return Follower(self.live, attempt=self.attempt)


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
        self._filed: set[str] = set()  # digests of manifests that this session has stored

    def record(
        self,
        trial: int,
        attempt: int,
        places: AttemptPlaces,
        progress: Progress,
        ended: Exit,
        cause: Reason | None,
        *,
        earlier: TrialRecord | None,
        wall_seconds: float,
    ) -> TrialRecord:
        """Write an ended attempt; return its trial as it stands now, and as it stood `earlier` if it had begun then."""
        if earlier is not None:
            progress.go_on_from(earlier.metrics, earlier.value, self._study.metric)
        outcome = judge(progress, ended, cause, self._study.metric, self._limits)
        outcome = self._second_chance(trial, outcome)
        manifest = self._manifest(earlier, places, progress)
        artifacts = {name: self._store.artifacts.put_file(Path(path)) for name, path in progress.artifacts.items()}
        with self._store.database.write():
            self._store.curves.fold(trial, attempt, progress.points)
            self._store.trials.end_attempt(
                attempt,
                _summary(outcome, ended),
                wall_seconds=wall_seconds,
                cpu_seconds=ended.cpu_seconds,
                peak_memory_bytes=ended.peak_memory_bytes,
            )
            for name, (digest, size) in artifacts.items():
                self._store.trials.add_artifact(trial, name, digest, size)
            if manifest.digest not in self._filed:
                self._store.trials.add_manifest(manifest.manifest)
            self._store.trials.end(
                trial,
                outcome.state,
                reason=outcome.reason,
                message=outcome.message,
                fingerprint=outcome.fingerprint,
                value=outcome.value,
                metrics=progress.finite_metrics,
                step=progress.step if progress.step is not None or earlier is None else earlier.step,
                horizon=progress.horizon if progress.horizon is not None or earlier is None else earlier.horizon,
                manifest=manifest.digest,
            )
            for damage in progress.damaged:
                self._store.events.add("damaged checkpoint", study=self._study.id, trial=trial, **damage)
            for remark in progress.remarks[:_MOST_REMARKS]:
                self._store.events.add(
                    remark["about"], study=self._study.id, trial=trial, text=remark["text"], **remark["data"]
                )
            if progress.failure is not None:
                self._store.events.add(
                    "failed", study=self._study.id, trial=trial, traceback=progress.failure["traceback"]
                )
        self._filed.add(manifest.digest)
        self._tidy(trial, places.folder, outcome.state)
        return self._store.trials.get(trial, record=False)

    def recover(self, note: Callable[[str], None]) -> int:
        """Record the attempts that a dead engine left open; end those of their processes that still live."""
        left = self._store.trials.open_attempts(self._study.id)
        for attempt in left:
            self._recover(attempt)
        for folder in self._store.folder.glob(f"live/{self._study.id}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        if left:
            plural = "trial was" if len(left) == 1 else "trials were"
            note(f"{len(left)} {plural} running when the last engine ended; they go on from their checkpoints.")
        return len(left)

    def recover_attempt(self, attempt: int) -> None:
        """Record an attempt of this engine that is over without a word."""
        for left in self._store.trials.open_attempts(self._study.id):
            if left.id == attempt:
                self._recover(left)

    def tidy_after_death(self) -> None:
        """Remove what a dead engine had recorded but not removed yet, and the files of its templates."""
        for folder in self._store.folder.glob("checkpoints/*"):
            if (
                folder.name.isdecimal()
                and self._store.trials.get(int(folder.name), record=False).state in _WITHOUT_STATE
            ):
                shutil.rmtree(folder, ignore_errors=True)
        for attempt in self._store.trials.last_attempts(self._study.id, _LAST_ATTEMPTS):
            if attempt.ended is not None:
                _remove_passing(self._store.folder / attempt.directory)
        for folder in self._store.folder.glob("templates/*"):
            if folder.name.isdecimal() and processes.start_time(int(folder.name)) is None:
                shutil.rmtree(folder, ignore_errors=True)

    def _recover(self, attempt: AttemptRecord) -> None:
        pid, started = attempt.pid, attempt.pid_started
        if pid is not None and started is not None and pid != os.getpid():  # inline, its process is the engine's own
            _end(pid, started)
        places = AttemptPlaces.of(attempt, self._store.folder)
        follower = places.follower()
        follower.poll()
        follower.close()
        seconds = max((point.seconds for point in follower.progress.points), default=0.0)
        progress = follower.progress
        finished = progress.ended or (progress.failure is not None and not progress.cut_short)
        self.record(
            attempt.trial,
            attempt.id,
            places,
            follower.progress,
            Exit(code=0) if finished else Exit(lost=True, interrupted=True),
            None,
            earlier=self._store.trials.get(attempt.trial),
            wall_seconds=seconds,
        )

    def _second_chance(self, trial: int, outcome: Outcome) -> Outcome:
        """Queue a trial again that a signal ended: once, for a second time is no accident."""
        if outcome.reason != Reason.SIGNAL:
            return outcome
        before = [item.outcome for item in self._store.trials.attempts(trial)]
        return (
            outcome
            if "signal" in before
            else Outcome(state=TrialState.QUEUED, reason=Reason.SIGNAL, message=outcome.message)
        )

    def _manifest(self, earlier: TrialRecord | None, places: AttemptPlaces, progress: Progress) -> Filed:
        new = self._library.filed(places.traces(), inputs=progress.inputs, threads=self._threads, device=self._device)
        began_anew = progress.restored is None and progress.step is not None
        if earlier is None or earlier.manifest is None or began_anew:
            return new
        return Filed.of(_joined(self._store.trials.manifest(earlier.manifest), new.manifest))

    def _tidy(self, trial: int, folder: Path, state: TrialState) -> None:
        """Remove what the record holds now; what was printed stays, and an empty folder goes."""
        _remove_passing(folder)
        checkpoints = os.path.join(self._store.folder, "checkpoints", str(trial))
        if state in _WITHOUT_STATE and os.path.exists(checkpoints):
            shutil.rmtree(checkpoints, ignore_errors=True)


def _remove_passing(folder: Path) -> None:
    if not os.path.exists(folder):  # most attempts print nothing, and make none
        return
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if entry.name.endswith(".runlog") or entry.name in _PASSING:
                os.unlink(entry.path)
            elif entry.name in ("artifacts", "work"):  # the latter where the worker of a repository was ended
                shutil.rmtree(entry.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()
            folder.parent.rmdir()


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
        if ended.interrupted:
            return "interrupted"
        return "paused" if not ended.lost else LOST_BESIDE if ended.beside else LOST
    return str(outcome.reason or outcome.state)
