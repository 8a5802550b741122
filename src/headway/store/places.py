"""The places of trials in studies: which trial stands for which proposal, ranked and counted by an index alone.

A place carries a copy of its trial's state, value and cost, so that the best of ten thousand, or how many failed, are
found without a look at the trials themselves.
"""

from collections.abc import Iterator, Sequence

from headway.core import Direction, Role, TrialState
from headway.store.database import Database, Row, decode
from headway.store.records import Failure, RankedTrial, Standing, StudyTrial, Tally, TrialRecord
from headway.store.trials import FULL, trial_of

__all__ = ["Places"]

_PLACE = (
    # without `record`, which only those who look at one trial want
    "SELECT t.*, NULL AS record_data, c.config, c.experiment, s.role, s.number, s.reused FROM study_trials s"
    " JOIN trials t ON t.id = s.trial JOIN candidates c ON c.id = t.candidate"
)
_ORDERS = {
    "id": "s.rowid",
    "newest": "s.rowid DESC",
    "time": "s.seconds DESC, s.rowid",
    "lowest": "s.state = 'complete' DESC, s.state = 'stopped' DESC, s.value IS NULL, s.value, s.rowid",
    "highest": "s.state = 'complete' DESC, s.state = 'stopped' DESC, s.value IS NULL, s.value DESC, s.rowid",
}


class Places:
    """Read and write which trials belong to which study."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, study: int, trial: int, role: Role, number: int, *, reused: bool) -> None:
        """Give a trial its place in a study; another trial of the same candidate and seed there gives way."""
        with self._database.write():
            same = "SELECT t.id FROM trials t JOIN trials n ON n.candidate = t.candidate AND n.seed = t.seed"
            self._database.run(
                f"DELETE FROM study_trials WHERE study = ? AND trial IN ({same} WHERE n.id = ?)", (study, trial)
            )
            self._database.run(
                "INSERT INTO study_trials"
                " (study, trial, role, number, reused, candidate, seed, state, value, seconds)"
                " SELECT ?, id, ?, ?, ?, candidate, seed, state, value, wall_seconds FROM trials WHERE id = ?",
                (study, role, number, int(reused), trial),
            )

    def of_study(
        self, study: int, *, state: TrialState | None = None, order: str = "id", limit: int = -1
    ) -> list[StudyTrial]:
        """Return trials of a study: all, or those in one state, or the first `limit`. Their `record` is left empty.

        The order is `id` (as they came), `newest`, `time` (the longest first), `lowest` or `highest` (by value: the
        complete first, then the stopped).
        """
        some = "" if state is None else " AND s.state = ?"
        # Ranked before anything is joined: the index alone holds what decides.
        chosen = f"SELECT s.rowid FROM study_trials s WHERE s.study = ?{some} ORDER BY {_ORDERS[order]} LIMIT ?"
        rows = self._database.rows(
            f"{_PLACE} WHERE s.rowid IN ({chosen}) ORDER BY {_ORDERS[order]}",
            (study, limit) if state is None else (study, state, limit),
        )
        return [_place(row) for row in rows]

    def of_numbers(self, study: int, numbers: Sequence[int]) -> list[StudyTrial]:
        """Return the trials that stand for these proposals, in the order in which they came."""
        marks = ",".join("?" * len(numbers))
        rows = self._database.rows(
            # CROSS JOIN keeps the order: from the few proposals to their trials, and to the places of these.
            "SELECT t.*, NULL AS record_data, c.config, c.experiment, s.role, s.number, s.reused FROM proposals p"
            " CROSS JOIN trials t ON t.candidate = p.candidate"
            " CROSS JOIN study_trials s ON s.trial = t.id AND s.study = p.study AND s.number = p.number"
            " CROSS JOIN candidates c ON c.id = t.candidate"
            f" WHERE p.study = ? AND p.number IN ({marks}) ORDER BY s.rowid",
            (study, *numbers),
        )
        return [_place(row) for row in rows]

    def of_candidate(self, study: int, candidate: str) -> list[StudyTrial]:
        """Return a candidate's trials in a study, by their seeds."""
        rows = self._database.rows(
            f"{_PLACE} WHERE s.study = ? AND t.candidate = ? ORDER BY t.seed", (study, candidate)
        )
        return [_place(row) for row in rows]

    def best(self, study: int, direction: Direction, limit: int = 100, role: Role | None = None) -> list[RankedTrial]:
        """Return the complete trials of a study with the best final values, the best first."""
        some = "" if role is None else " AND s.role = ?"
        rows = self._database.rows(
            "SELECT s.trial, s.role, s.number, s.candidate, s.seed, s.value, s.seconds, c.config FROM study_trials s"
            " JOIN candidates c ON c.id = s.candidate"
            f" WHERE s.study = ? AND s.state = 'complete' AND s.value IS NOT NULL{some}"
            f" ORDER BY s.value {'DESC' if direction == 'maximize' else 'ASC'} LIMIT ?",
            (study, limit) if role is None else (study, role, limit),
        )
        return [_ranked(row) for row in rows]

    def with_value(self, study: int, value: float) -> list[StudyTrial]:
        """Return the complete trials of a study that came to exactly this value."""
        rows = self._database.rows(
            f"{_PLACE} WHERE s.study = ? AND s.state = 'complete' AND s.value = ? ORDER BY s.rowid", (study, value)
        )
        return [_place(row) for row in rows]

    def repeated(self, experiment: str, metric: str, without: int) -> list[list[dict[int, float]]]:
        """Return the values by seed of candidates that ran with several seeds, by study.

        Of complete trials that were not chosen by their own value, in an experiment's newest twenty studies of that
        `metric`, but for the study `without`.
        """
        rows = self._database.rows(
            "SELECT s.study, s.candidate, s.seed, s.value FROM studies u CROSS JOIN study_trials s ON s.study = u.id"
            " WHERE u.id IN (SELECT id FROM studies WHERE experiment = ? AND metric = ? AND id != ?"
            " ORDER BY updated DESC LIMIT 20) AND s.state = 'complete' AND s.value IS NOT NULL AND s.role != 'search'",
            (experiment, metric, without),
        )
        found: dict[int, dict[str, dict[int, float]]] = {}
        for study, candidate, seed, value in rows:
            found.setdefault(study, {}).setdefault(candidate, {})[seed] = value
        groups = ([values for values in study.values() if len(values) > 1] for study in found.values())
        return [study for study in groups if study]

    def at(self, study: int, candidate: str, seed: int) -> StudyTrial | None:
        """Return the trial that stands in a study for a candidate and a seed."""
        row = self._database.row(
            f"{_PLACE} WHERE s.study = ? AND t.candidate = ? AND t.seed = ?", (study, candidate, seed)
        )
        return None if row is None else _place(row)

    def has(self, study: int, trial: int) -> bool:
        """Tell whether a trial has a place in a study."""
        sql = "SELECT 1 FROM study_trials WHERE study = ? AND trial = ?"
        return self._database.row(sql, (study, trial)) is not None

    def standing(self, study: int) -> Iterator[Standing]:
        """Go through all places of a study, in the order in which they came."""
        sql = "SELECT trial, role, number, candidate, seed, state, value, reused FROM study_trials WHERE study = ?"
        return (Standing(*row) for row in self._database.rows(f"{sql} ORDER BY rowid", (study,)))

    def manifests(self, study: int) -> list[str | None]:
        """Return the digests of the manifests that the study's ended trials have, each once."""
        rows = self._database.rows(
            "SELECT DISTINCT t.manifest FROM study_trials s JOIN trials t ON t.id = s.trial"
            " WHERE s.study = ? AND t.ended IS NOT NULL",
            (study,),
        )
        return [row[0] for row in rows]

    def with_manifests(self, study: int, manifests: Sequence[str]) -> list[int]:
        """Return the ids of a study's ended trials that have one of these manifests."""
        marks = ",".join("?" * len(manifests))
        rows = self._database.rows(
            "SELECT t.id FROM study_trials s JOIN trials t ON t.id = s.trial"
            f" WHERE s.study = ? AND t.ended IS NOT NULL AND t.manifest IN ({marks})",
            (study, *manifests),
        )
        return [row[0] for row in rows]

    def doubtful(self, study: int, manifests: Sequence[str], *, changed: Sequence[str] = ()) -> list[TrialRecord]:
        """Return the ended trials of a study that its manifests do not decide.

        Without those that it ran itself to an end and that have one of these `manifests`, and those with a `changed`
        one.
        """
        good, bad = (",".join("?" * (len(digests) + 1)) for digests in (manifests, changed))
        rows = self._database.rows(
            f"{FULL} JOIN study_trials s ON s.trial = t.id WHERE s.study = ? AND t.ended IS NOT NULL"
            " AND NOT (s.reused = 0 AND s.state IN ('complete', 'stopped')"
            f" AND coalesce(t.manifest, 'none') IN ({good})) AND coalesce(t.manifest, 'none') NOT IN ({bad})",
            (study, "", *manifests, "", *changed),
        )
        return [trial_of(row) for row in rows]

    def failures(self, study: int) -> list[Failure]:
        """Return why trials of a study failed: equal crashes together, the most frequent first."""
        rows = self._database.rows(
            "SELECT min(t.id), count(*), sum(CASE WHEN s.reused THEN 0 ELSE s.seconds END) AS seconds"
            " FROM study_trials s JOIN trials t ON t.id = s.trial WHERE s.study = ? AND s.state = 'failed'"
            " GROUP BY coalesce(t.fingerprint, t.reason || ': ' || t.message) ORDER BY count(*) DESC, seconds DESC",
            (study,),
        )
        return [Failure(trial=row[0], count=row[1], seconds=row[2]) for row in rows]

    def numbers_of_failure(self, study: int, trial: int, limit: int) -> list[int]:
        """Return which proposals failed as a trial did, the first `limit`."""
        rows = self._database.rows(
            "SELECT DISTINCT s.number FROM study_trials s JOIN trials t ON t.id = s.trial, trials f"
            " WHERE f.id = ? AND s.study = ? AND s.state = 'failed' AND coalesce(t.fingerprint, t.reason || ': ' ||"
            " t.message) = coalesce(f.fingerprint, f.reason || ': ' || f.message) ORDER BY s.number LIMIT ?",
            (trial, study, limit),
        )
        return [row[0] for row in rows]

    def tally(self, study: int) -> Tally:
        """Count a study's trials by state, and add up what they cost and what was saved."""
        # Grouped by what the index is sorted by: with `reused` as another group, SQLite sorts first, in twice the time.
        rows = self._database.rows(
            "SELECT state, count(*), sum(reused), sum(CASE WHEN reused THEN 0.0 ELSE seconds END),"
            " sum(CASE WHEN reused THEN seconds ELSE 0.0 END), sum(CASE WHEN reused THEN 0.0 ELSE saved_seconds END)"
            " FROM study_trials WHERE study = ? GROUP BY state",
            (study,),
        )
        parts = [(TrialState(row[0]), False, row[1] - row[2], row[3], row[5]) for row in rows]
        return Tally.of(parts + [(TrialState(row[0]), True, row[2], row[4], 0.0) for row in rows])


def _ranked(row: Row) -> RankedTrial:
    trial, role, number, candidate, seed, value, seconds, config = row
    return RankedTrial(trial, Role(role), number, candidate, seed, value, seconds, decode(config))


def _place(row: Row) -> StudyTrial:
    return StudyTrial(trial=trial_of(row), role=Role(row["role"]), number=row["number"], reused=bool(row["reused"]))
