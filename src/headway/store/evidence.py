"""What outlives a study for its verdicts to hold: the project's sequence of tests, and how worn its holdouts are."""

from collections.abc import Mapping
from typing import Any

from headway.core import Clock, canonical_json
from headway.store.database import Database, Row, decode
from headway.store.records import EvidenceRecord

__all__ = ["Evidence"]


class Evidence:
    """Read and write tests and holdouts. A caller that reads and then writes holds one transaction around both."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def test(self, study: int, candidate: str, evidence: str) -> EvidenceRecord | None:
        """Return the test of a candidate by just these results, if it was made."""
        row = self._database.row(
            "SELECT * FROM tests WHERE study = ? AND candidate = ? AND evidence = ?", (study, candidate, evidence)
        )
        return None if row is None else _test(row)

    def tests(self) -> list[EvidenceRecord]:
        """Return all tests of the project, in their order."""
        return [_test(row) for row in self._database.rows("SELECT * FROM tests ORDER BY id")]

    def counts(self) -> tuple[int, int]:
        """Return how many tests the project has made, and how many of them accepted."""
        row = self._database.row("SELECT count(*), coalesce(sum(accepted), 0) FROM tests")
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def looks(self, study: int, candidate: str) -> int:
        """Return how often a candidate of a study was tested, each time with other results."""
        row = self._database.row("SELECT count(*) FROM tests WHERE study = ? AND candidate = ?", (study, candidate))
        return 0 if row is None else int(row[0])

    def add_test(
        self, study: int, candidate: str, evidence: str, *, log_e: float, level: float, accepted: bool
    ) -> EvidenceRecord:
        """Write a test as the project's next one."""
        now = self._clock.now()
        identity = self._database.run(
            "INSERT INTO tests (study, candidate, evidence, log_e, level, accepted, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (study, candidate, evidence, log_e, level, int(accepted), now),
        )
        return EvidenceRecord(
            index=identity, study=study, candidate=candidate, log_e=log_e, level=level, accepted=accepted, created=now
        )

    def holdout(self, name: str) -> dict[str, Any] | None:
        """Return a holdout's state, if there is one of that name."""
        row = self._database.row("SELECT state FROM holdouts WHERE name = ?", (name,))
        return None if row is None else decode(row["state"])

    def holdouts(self) -> dict[str, dict[str, Any]]:
        """Return the states of all holdouts, by name."""
        rows = self._database.rows("SELECT * FROM holdouts ORDER BY name")
        return {row["name"]: decode(row["state"]) for row in rows}

    def keep_holdout(self, name: str, state: Mapping[str, Any]) -> None:
        """Write a holdout's state."""
        self._database.run(
            "INSERT INTO holdouts VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            (name, canonical_json(dict(state)), self._clock.now()),
        )


def _test(row: Row) -> EvidenceRecord:
    return EvidenceRecord(
        index=row["id"],
        study=row["study"],
        candidate=row["candidate"],
        log_e=row["log_e"],
        level=row["level"],
        accepted=bool(row["accepted"]),
        created=row["created"],
    )
