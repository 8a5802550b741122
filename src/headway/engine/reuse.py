"""Answer a trial from the record where its manifest still holds."""

from collections.abc import Mapping
from typing import Any

from headway.core import Limits, Reason, TrialState
from headway.engine.manifests import Library
from headway.store import Store, StudyRecord, TrialRecord

__all__ = ["Reuse"]

_BY_LIMIT = (Reason.WALL_TIME, Reason.CPU_TIME, Reason.MEMORY, Reason.OUTPUT, Reason.NO_PROGRESS)


class Reuse:
    """Find the trial that answers for a candidate and a seed, or the unfinished one to go on with."""

    def __init__(
        self,
        store: Store,
        study: StudyRecord,
        library: Library,
        limits: Limits,
        *,
        threads: int,
        device: str,
        since: float = 0.0,
    ) -> None:
        self._store = store
        self._study = study
        self._library = library
        self._limits = limits.to_json()
        self._threads = threads
        self._device = device
        self._since = since  # failures before that time (seconds since 1970) do not count
        self._verdicts: dict[str, str | None] = {}

    def refresh(self) -> None:
        """Forget what was compared: files may have changed since."""
        self._verdicts.clear()

    def own(self, trial: int) -> bool:
        """Tell whether this study ran the trial itself, even if another version of it took its place since."""
        return self._store.trials.run_by(trial, self._study.id)

    def finished(self, candidate: str, seed: int) -> TrialRecord | None:
        """Return the newest trial that ended and still counts."""
        for trial in self._store.trials.same(candidate, seed):
            own = self.own(trial.id)
            if trial.state.ended and self._counts(trial, own=own) and self.changed(trial, own=own) is None:
                return trial
        return None

    def unfinished(self, candidate: str, seed: int, placed: Mapping[int, Any]) -> TrialRecord | None:
        """Return this study's own trial that was paused or left."""
        for trial in self._store.trials.same(candidate, seed):
            if not trial.state.ended and trial.id in placed:
                return trial
        return None

    def changed_files(self, trial: TrialRecord) -> str | None:
        """Say which of the files that the trial used has changed since it loaded them, or return None."""
        if trial.manifest is None:
            return None
        manifest = self._store.trials.manifest(trial.manifest)
        return manifest.not_reusable or self._library.changed_file(manifest)

    def changed(self, trial: TrialRecord, *, own: bool) -> str | None:
        """Say why the trial's result does not count today, or return None.

        What it may have read unseen keeps it from answering for other studies. To its `own` study it stays true, or a
        study that resumes would run again all that it had finished.
        """
        if trial.manifest is None:
            return "it has no manifest"
        if not own and (unseen := self._store.trials.manifest(trial.manifest).unseen) is not None:
            return unseen
        if trial.manifest not in self._verdicts:
            manifest = self._store.trials.manifest(trial.manifest)
            self._verdicts[trial.manifest] = self._library.changed(manifest, threads=self._threads, device=self._device)
        return self._verdicts[trial.manifest]

    def _counts(self, trial: TrialRecord, *, own: bool) -> bool:
        if trial.state == TrialState.FAILED and (trial.ended or 0.0) < self._since:
            return False
        if trial.state == TrialState.STOPPED:
            return own
        if trial.reason in (Reason.LOST, Reason.USER, Reason.SIGNAL):
            return own
        return trial.reason not in _BY_LIMIT or trial.record.get("limits") == self._limits
