"""Trials in the store: their state, their attempts, their manifests and artifacts."""

from collections.abc import Mapping
from typing import Any

from headway.core import Clock, Manifest, NotFound, Reason, Role, TrialState, canonical_json, digest_bytes
from headway.store.database import Database, Row, decode
from headway.store.records import ArtifactRecord, AttemptRecord, TrialRecord

__all__ = ["BRIEF", "FULL", "Trials", "trial_of"]

BRIEF = "SELECT t.*, NULL AS record_data, c.config, c.experiment FROM trials t JOIN candidates c ON c.id = t.candidate"
FULL = (
    "SELECT t.*, c.config, c.experiment, r.data AS record_data FROM trials t JOIN candidates c ON c.id = t.candidate"
    " LEFT JOIN records r ON r.digest = t.record"
)


class Trials:
    """Read and write trials. Every change of state is one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._manifests: dict[str, Manifest] = {}
        self._last_record: tuple[Mapping[str, Any], str, str] | None = None

    def create(self, candidate: str, seed: int) -> int:
        """Create a queued trial of a candidate with one seed."""
        return self._database.run(
            "INSERT INTO trials (candidate, seed, state, created) VALUES (?, ?, ?, ?)",
            (candidate, seed, TrialState.QUEUED, self._clock.now()),
        )

    def get(self, trial: int, *, record: bool = True) -> TrialRecord:
        """Return a trial, or raise `NotFound`. Its `record` is the bulk of it, and may be left out."""
        row = self._database.row(f"{FULL if record else BRIEF} WHERE t.id = ?", (trial,))
        if row is None:
            last = self._database.row("SELECT max(id) FROM trials")
            there = (
                f"The last one is {last[0]}; 'headway trials' lists them" if last and last[0] else "There are none yet"
            )
            raise NotFound(f"There is no trial {trial}. {there}.")
        return trial_of(row)

    def same(self, candidate: str, seed: int) -> list[TrialRecord]:
        """Return all trials of a candidate with that seed, the newest first."""
        rows = self._database.rows(f"{FULL} WHERE t.candidate = ? AND t.seed = ? ORDER BY t.id DESC", (candidate, seed))
        return [trial_of(row) for row in rows]

    def studies_of(self, trial: int) -> list[str]:
        """Return the names of the studies that a trial belongs to."""
        rows = self._database.rows(
            "SELECT name FROM studies JOIN study_trials ON study = studies.id WHERE trial = ? ORDER BY name", (trial,)
        )
        return [row["name"] for row in rows]

    # what happens to a trial; its places in studies carry a copy of its state

    def begin_new(
        self,
        candidate: str,
        seed: int,
        study: int,
        role: Role,
        number: int,
        record: Mapping[str, Any],
        live: str | None = None,
        process: tuple[int, float] | None = None,
    ) -> AttemptRecord:
        """Create a trial, give it its place in the study, and begin its first attempt, all at once.

        The rest is as `begin` takes it.
        """
        now = self._clock.now()
        digest, data = self._recorded(record)
        with self._database.write():
            self._database.run("INSERT OR IGNORE INTO records VALUES (?, ?)", (digest, data))
            trial = self._database.run(
                "INSERT INTO trials (candidate, seed, state, record, created, started) VALUES (?, ?, ?, ?, ?, ?)",
                (candidate, seed, TrialState.RUNNING, digest, now, now),
            )
            self._database.run(
                "DELETE FROM study_trials WHERE study = ?"
                " AND trial IN (SELECT id FROM trials WHERE candidate = ? AND seed = ?)",
                (study, candidate, seed),
            )
            self._database.run(
                "INSERT INTO study_trials (study, trial, role, number, candidate, seed, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (study, trial, role, number, candidate, seed, TrialState.RUNNING),
            )
            directory = f"runs/{trial}/1"
            attempt = self._insert_attempt(trial, study, directory, live, now, process)
        return AttemptRecord(id=attempt, trial=trial, study=study, directory=directory, live=live, started=now)

    def begin(
        self,
        trial: int,
        study: int,
        directory: str,
        record: Mapping[str, Any],
        live: str | None = None,
        process: tuple[int, float] | None = None,
    ) -> int:
        """Begin an attempt: the trial runs. Return the attempt's id, which fences what the attempt may write.

        `record` is what the trial's own row cannot say (machine, environment, limits). Trials that are handed the same
        object share it. `process` runs the attempt, by pid and start time; where it is not there yet, `set_process`
        writes it.
        """
        digest, data = self._recorded(record)
        now = self._clock.now()
        with self._database.write():
            self._database.run("INSERT OR IGNORE INTO records VALUES (?, ?)", (digest, data))
            self._database.run(
                "UPDATE trials SET state = ?, started = coalesce(started, ?), record = ?, reason = NULL, message = ''"
                " WHERE id = ?",
                (TrialState.RUNNING, now, digest, trial),
            )
            self._database.run("UPDATE study_trials SET state = ? WHERE trial = ?", (TrialState.RUNNING, trial))
            return self._insert_attempt(trial, study, directory, live, now, process)

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
        with self._database.write():
            self._database.run(
                "UPDATE trials SET state = ?, reason = ?, message = ?, fingerprint = ?, value = ?, metrics = ?,"
                " step = ?, horizon = ?, manifest = coalesce(?, manifest), ended = ? WHERE id = ?",
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
            # A trial that was stopped early would have cost as much again for each step that it did not do.
            share = horizon / step - 1 if reason == Reason.SCHEDULER and step and horizon else 0.0
            self._database.run(
                "UPDATE study_trials SET state = ?, value = ?, seconds = t.wall_seconds,"
                " saved_seconds = t.wall_seconds * ? FROM trials t WHERE t.id = ? AND trial = t.id",
                (state, value, share, trial),
            )

    def requeue(self, trial: int) -> None:
        """Set a trial back to queued, with what it has so far."""
        with self._database.write():
            self._database.run("UPDATE trials SET state = ? WHERE id = ?", (TrialState.QUEUED, trial))
            self._database.run("UPDATE study_trials SET state = ? WHERE trial = ?", (TrialState.QUEUED, trial))

    def _insert_attempt(
        self, trial: int, study: int, directory: str, live: str | None, now: float, process: tuple[int, float] | None
    ) -> int:
        return self._database.run(
            "INSERT INTO attempts (trial, study, directory, live, started, pid, pid_started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (trial, study, directory, live, now, *(process or (None, None))),
        )

    def _recorded(self, record: Mapping[str, Any]) -> tuple[str, str]:
        """Return a record's digest and text; the last one's from memory, as a study's trials share one."""
        if self._last_record is None or self._last_record[0] is not record:
            data = canonical_json(record)
            self._last_record = (record, digest_bytes(data.encode(errors="backslashreplace")), data)
        return self._last_record[1:]

    def attempts(self, trial: int) -> list[AttemptRecord]:
        """Return the attempts at a trial, in order."""
        return [
            _attempt(row) for row in self._database.rows("SELECT * FROM attempts WHERE trial = ? ORDER BY id", (trial,))
        ]

    def last_attempts(self, study: int, limit: int) -> list[AttemptRecord]:
        """Return the attempts of a study's engines that began last."""
        rows = self._database.rows("SELECT * FROM attempts WHERE study = ? ORDER BY id DESC LIMIT ?", (study, limit))
        return [_attempt(row) for row in rows]

    def run_by(self, trial: int, study: int) -> bool:
        """Tell whether a study's engine itself ran the trial, and so has paid for it."""
        sql = "SELECT 1 FROM attempts WHERE trial = ? AND study = ? LIMIT 1"
        return self._database.row(sql, (trial, study)) is not None

    def open_attempts(self, study: int) -> list[AttemptRecord]:
        """Return the attempts that a study's engine never ended: what a dead engine left."""
        rows = self._database.rows(
            "SELECT a.* FROM study_trials s JOIN attempts a ON a.trial = s.trial AND a.study = s.study"
            " WHERE s.study = ? AND s.state = 'running' AND a.ended IS NULL ORDER BY a.id",
            (study,),
        )
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
        if digest not in self._manifests:
            row = self._database.row("SELECT data FROM manifests WHERE digest = ?", (digest,))
            if row is None:
                raise NotFound(f"The store has no manifest {digest}; the trial was recorded without one.")
            self._manifests.clear()  # the last one is asked for again and again, all others rarely
            self._manifests[digest] = Manifest.from_json(decode(row["data"]))
        return self._manifests[digest]

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


def trial_of(row: Row) -> TrialRecord:
    """Make a trial of a row of `trials` with its candidate's columns; `record_data` may be None."""
    record = row["record_data"]
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
        record={} if record is None else decode(record),
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
        live=row["live"],
        started=row["started"],
        ended=row["ended"],
        outcome=row["outcome"],
        wall_seconds=row["wall_seconds"],
        cpu_seconds=row["cpu_seconds"],
        peak_memory_bytes=row["peak_memory_bytes"],
    )
