"""Answer a trial from the record where its manifest still holds."""

from dataclasses import dataclass

from headway.core import Limits, Reason, TrialState
from headway.engine.manifests import Library
from headway.store import Store, StudyRecord, TrialRecord

__all__ = ["Found", "Reuse"]

_BY_LIMIT = (Reason.WALL_TIME, Reason.CPU_TIME, Reason.MEMORY, Reason.OUTPUT, Reason.NO_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Hold what the record has for a candidate and a seed: the answer, or a trial to go on with, or neither."""

    answer: TrialRecord | None = None
    unfinished: TrialRecord | None = None


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

    def find(self, candidate: str, seed: int) -> Found:
        """Return the newest trial that ended and still counts, or this study's own that was paused or left."""
        same = self._store.trials.same(candidate, seed)
        answer = next((trial for trial in same if trial.state.ended and self._stands(trial)), None)
        if answer is not None:
            return Found(answer=answer)
        own = (trial for trial in same if not trial.state.ended and self._store.places.has(self._study.id, trial.id))
        return Found(unfinished=next(own, None))

    def stale(self) -> frozenset[int]:
        """Return the study's ended trials that do not count today: their files changed, or failures are to be retried.

        Whole studies are looked through by their few different manifests, and only what is left one by one.
        """
        known = [digest for digest in self._store.places.manifests(self._study.id) if digest is not None]
        good = [digest for digest in known if self._changed(digest) is None]
        bad = [digest for digest in known if self._changed(digest) is not None]
        changed = self._store.places.with_manifests(self._study.id, bad)
        doubtful = self._store.places.doubtful(self._study.id, good, changed=bad)
        return frozenset((*changed, *(trial.id for trial in doubtful if not self._stands(trial))))

    def _stands(self, trial: TrialRecord) -> bool:
        own = self.own(trial.id)
        return self._counts(trial, own=own) and self.changed(trial, own=own) is None

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
        return self._changed(trial.manifest)

    def _changed(self, digest: str) -> str | None:
        if digest not in self._verdicts:
            manifest = self._store.trials.manifest(digest)
            self._verdicts[digest] = self._library.changed(manifest, threads=self._threads, device=self._device)
        return self._verdicts[digest]

    def _counts(self, trial: TrialRecord, *, own: bool) -> bool:
        if trial.state == TrialState.FAILED and (trial.ended or 0.0) < self._since:
            return False
        if trial.state == TrialState.STOPPED:
            return own
        if trial.reason in (Reason.LOST, Reason.USER, Reason.SIGNAL):
            return own
        return trial.reason not in _BY_LIMIT or trial.record.get("limits") == self._limits
