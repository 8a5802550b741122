"""Trials in the store: their state, their attempts, their place in studies, their manifests and artifacts."""

from collections.abc import Mapping
from typing import Any

from headway.core import Clock, Manifest, NotFound, Reason, Role, TrialState, canonical_json
from headway.store.database import Database, Row, decode
from headway.store.records import ArtifactRecord, AttemptRecord, StudyTrial, TrialRecord

__all__ = ["Trials"]

_TRIAL = "SELECT t.*, c.config, c.experiment FROM trials t JOIN candidates c ON c.id = t.candidate"


class Trials:
    """Read and write trials. Every change of state is one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, candidate: str, seed: int) -> int:
        """Create a queued trial of a candidate with one seed."""
        return self._database.run(
            "INSERT INTO trials (candidate, seed, state, created) VALUES (?, ?, ?, ?)",
            (candidate, seed, TrialState.QUEUED, self._clock.now()),
        )

    def get(self, trial: int) -> TrialRecord:
        """Return a trial, or raise `NotFound`."""
        row = self._database.row(f"{_TRIAL} WHERE t.id = ?", (trial,))
        if row is None:
            last = self._database.row("SELECT max(id) FROM trials")
            there = (
                f"The last one is {last[0]}; 'headway trials' lists them" if last and last[0] else "There are none yet"
            )
            raise NotFound(f"There is no trial {trial}. {there}.")
        return _trial(row)

    def same(self, candidate: str, seed: int) -> list[TrialRecord]:
        """Return all trials of a candidate with that seed, the newest first."""
        rows = self._database.rows(
            f"{_TRIAL} WHERE t.candidate = ? AND t.seed = ? ORDER BY t.id DESC", (candidate, seed)
        )
        return [_trial(row) for row in rows]

    def place(self, study: int, trial: int, role: Role, number: int, *, reused: bool) -> None:
        """Give a trial its place in a study; another trial of the same candidate and seed there gives way."""
        with self._database.write():
            self._database.run(
                "DELETE FROM study_trials WHERE study = ? AND trial IN (SELECT b.id FROM trials a JOIN trials b"
                " ON a.candidate = b.candidate AND a.seed = b.seed WHERE a.id = ?)",
                (study, trial),
            )
            self._database.run(
                "INSERT INTO study_trials (study, trial, role, number, reused) VALUES (?, ?, ?, ?, ?)",
                (study, trial, role, number, int(reused)),
            )

    def of_study(self, study: int) -> list[StudyTrial]:
        """Return the trials of a study, in the order in which they came to it; their `record` is left empty."""
        rows = self._database.rows(
            # without `record`, the bulk of a row, which only those who look at one trial want
            "SELECT t.id, t.candidate, t.seed, t.state, t.reason, t.message, t.fingerprint, t.value, t.metrics, t.step,"
            " t.horizon, t.manifest, '{}' AS record, t.wall_seconds, t.cpu_seconds, t.peak_memory_bytes, t.created,"
            " t.started, t.ended, c.config, c.experiment, s.role, s.number, s.reused FROM study_trials s"
            " JOIN trials t ON t.id = s.trial JOIN candidates c ON c.id = t.candidate WHERE s.study = ?"
            " ORDER BY s.rowid",
            (study,),
        )
        return [
            StudyTrial(trial=_trial(row), role=Role(row["role"]), number=row["number"], reused=bool(row["reused"]))
            for row in rows
        ]

    def studies_of(self, trial: int) -> list[str]:
        """Return the names of the studies that a trial belongs to."""
        rows = self._database.rows(
            "SELECT name FROM studies JOIN study_trials ON study = studies.id WHERE trial = ? ORDER BY name", (trial,)
        )
        return [row["name"] for row in rows]

    # what happens to a trial

    def begin(self, trial: int, study: int, directory: str, record: Mapping[str, Any]) -> int:
        """Begin an attempt: the trial runs. Return the attempt's id, which fences what the attempt may write."""
        now = self._clock.now()
        with self._database.write():
            self._database.run(
                "UPDATE trials SET state = ?, started = coalesce(started, ?), record = ?, reason = NULL, message = ''"
                " WHERE id = ?",
                (TrialState.RUNNING, now, canonical_json(record), trial),
            )
            return self._database.run(
                "INSERT INTO attempts (trial, study, directory, started) VALUES (?, ?, ?, ?)",
                (trial, study, directory, now),
            )

    def set_process(self, attempt: int, pid: int, started: float) -> None:
        """Write which process runs the attempt, so that a later engine knows it by pid and start time."""
        self._database.run("UPDATE attempts SET pid = ?, pid_started = ? WHERE id = ?", (pid, started, attempt))

    def end_attempt(
        self, attempt: int, outcome: str, *, wall_seconds: float, cpu_seconds: float, peak_memory_bytes: int
    ) -> None:
        """End an attempt and add what it cost to its trial."""
        with self._database.write():
            changed = self._database.changed(
                "UPDATE attempts SET ended = ?, outcome = ?, wall_seconds = ?, cpu_seconds = ?, peak_memory_bytes = ?"
                " WHERE id = ? AND ended IS NULL",
                (self._clock.now(), outcome, wall_seconds, cpu_seconds, peak_memory_bytes, attempt),
            )
            if changed:
                self._database.run(
                    "UPDATE trials SET wall_seconds = wall_seconds + ?, cpu_seconds = cpu_seconds + ?,"
                    " peak_memory_bytes = max(peak_memory_bytes, ?)"
                    " WHERE id = (SELECT trial FROM attempts WHERE id = ?)",
                    (wall_seconds, cpu_seconds, peak_memory_bytes, attempt),
                )

    def end(
        self,
        trial: int,
        state: TrialState,
        *,
        reason: Reason | None = None,
        message: str = "",
        fingerprint: str | None = None,
        value: float | None = None,
        metrics: Mapping[str, float] | None = None,
        step: int | None = None,
        horizon: int | None = None,
        manifest: str | None = None,
    ) -> None:
        """Write how far a trial came: its end, or that it is paused or queued again."""
        self._database.run(
            "UPDATE trials SET state = ?, reason = ?, message = ?, fingerprint = ?, value = ?, metrics = ?, step = ?,"
            " horizon = ?, manifest = coalesce(?, manifest), ended = ? WHERE id = ?",
            (
                state,
                reason,
                message,
                fingerprint,
                value,
                canonical_json(dict(metrics or {})),
                step,
                horizon,
                manifest,
                self._clock.now() if state.ended else None,
                trial,
            ),
        )

    def requeue(self, trial: int) -> None:
        """Set a trial back to queued, with what it has so far."""
        self._database.run("UPDATE trials SET state = ? WHERE id = ?", (TrialState.QUEUED, trial))

    def attempts(self, trial: int) -> list[AttemptRecord]:
        """Return the attempts at a trial, in order."""
        return [
            _attempt(row) for row in self._database.rows("SELECT * FROM attempts WHERE trial = ? ORDER BY id", (trial,))
        ]

    def run_by(self, trial: int, study: int) -> bool:
        """Tell whether a study's engine itself ran the trial, and so has paid for it."""
        sql = "SELECT 1 FROM attempts WHERE trial = ? AND study = ? LIMIT 1"
        return self._database.row(sql, (trial, study)) is not None

    def open_attempts(self, study: int) -> list[AttemptRecord]:
        """Return the attempts that a study's engine never ended: what a dead engine left."""
        rows = self._database.rows("SELECT * FROM attempts WHERE study = ? AND ended IS NULL ORDER BY id", (study,))
        return [_attempt(row) for row in rows]

    # manifests and artifacts

    def add_manifest(self, manifest: Manifest) -> str:
        """Store a manifest once; return its digest."""
        self._database.run(
            "INSERT OR IGNORE INTO manifests VALUES (?, ?)", (manifest.digest, canonical_json(manifest.to_json()))
        )
        return manifest.digest

    def manifest(self, digest: str) -> Manifest:
        """Return a stored manifest."""
        row = self._database.row("SELECT data FROM manifests WHERE digest = ?", (digest,))
        if row is None:
            raise NotFound(f"The store has no manifest {digest}; the trial was recorded without one.")
        return Manifest.from_json(decode(row["data"]))

    def add_artifact(self, trial: int, name: str, digest: str, size_bytes: int) -> None:
        """Link a stored file to the trial that made it."""
        self._database.run(
            "INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?)",
            (trial, name, digest, size_bytes, self._clock.now()),
        )

    def artifacts(self, trial: int) -> list[ArtifactRecord]:
        """Return the files that a trial left, by name."""
        rows = self._database.rows("SELECT * FROM artifacts WHERE trial = ? ORDER BY name", (trial,))
        return [ArtifactRecord(name=row["name"], digest=row["digest"], size_bytes=row["size_bytes"]) for row in rows]

    def used_digests(self) -> set[str]:
        """Return the digests of all stored files that some trial needs."""
        used = {str(row[0]) for row in self._database.rows("SELECT digest FROM artifacts")}
        for row in self._database.rows("SELECT data FROM manifests"):
            used.update(use.digest for use in Manifest.from_json(decode(row["data"])).files if use.stored)
        return used


def _trial(row: Row) -> TrialRecord:
    return TrialRecord(
        id=row["id"],
        candidate=row["candidate"],
        config=decode(row["config"]),
        experiment=row["experiment"],
        seed=row["seed"],
        state=TrialState(row["state"]),
        reason=None if row["reason"] is None else Reason(row["reason"]),
        message=row["message"],
        fingerprint=row["fingerprint"],
        value=row["value"],
        metrics=decode(row["metrics"]),
        step=row["step"],
        horizon=row["horizon"],
        manifest=row["manifest"],
        record=decode(row["record"]),
        wall_seconds=row["wall_seconds"],
        cpu_seconds=row["cpu_seconds"],
        peak_memory_bytes=row["peak_memory_bytes"],
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
    )


def _attempt(row: Row) -> AttemptRecord:
    return AttemptRecord(
        id=row["id"],
        trial=row["trial"],
        study=row["study"],
        pid=row["pid"],
        pid_started=row["pid_started"],
        directory=row["directory"],
        started=row["started"],
        ended=row["ended"],
        outcome=row["outcome"],
        wall_seconds=row["wall_seconds"],
        cpu_seconds=row["cpu_seconds"],
        peak_memory_bytes=row["peak_memory_bytes"],
    )
