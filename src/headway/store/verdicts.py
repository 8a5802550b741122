"""Verdicts as they come: which are new since somebody looked, which was accepted last, how many of each there are.

A verdict's id is its place in the order of decisions. One that gives way to another gets a new id, so whoever remembers
the last id that he saw misses none, however often the study's engine and the reader begin anew.
"""

from dataclasses import dataclass

from headway.store.database import Database, Row, decode
from headway.store.records import VerdictRecord, is_accepted

__all__ = ["Decided", "Verdicts", "verdict_of"]

_NUMBER = "(SELECT min(p.number) FROM proposals p WHERE p.study = v.study AND p.candidate = v.candidate)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Hold a verdict, its place in the order of decisions, and the number of its candidate's proposal."""

    id: int
    number: int | None
    verdict: VerdictRecord


class Verdicts:
    """Read the verdicts of a study without reading them all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, study: int) -> int:
        """Return the id of a study's newest verdict; 0 where it has none."""
        row = self._database.row("SELECT id FROM verdicts WHERE study = ? ORDER BY id DESC LIMIT 1", (study,))
        return 0 if row is None else int(row[0])

    def since(self, study: int, after: int, limit: int) -> list[Decided]:
        """Return the verdicts that were written after the one of the id `after`, the first decided first."""
        return self._some("study = ? AND id > ? ORDER BY id LIMIT ?", study, after, limit)

    def count_since(self, study: int, after: int) -> int:
        """Count the verdicts that were written after the one of the id `after`."""
        row = self._database.row("SELECT count(*) FROM verdicts WHERE study = ? AND id > ?", (study, after))
        return 0 if row is None else int(row[0])

    def newest(self, study: int, limit: int) -> list[Decided]:
        """Return the newest verdicts, the last decided first."""
        return self._some("study = ? ORDER BY id DESC LIMIT ?", study, limit)

    def accepted(self, study: int, limit: int) -> list[Decided]:
        """Return what was accepted, the last decided first; whatever trust the decision names."""
        # "accepted", alone or with the trust behind it: a range of the index, and few rows.
        which = "study = ? AND decision >= 'accepted' AND decision < 'acceptee' ORDER BY id DESC LIMIT ?"
        return [item for item in self._some(which, study, limit) if is_accepted(item.verdict.decision)]

    def tally(self, study: int) -> dict[str, int]:
        """Count a study's verdicts by decision, the most frequent first."""
        rows = self._database.rows(
            "SELECT decision, count(*) FROM verdicts WHERE study = ? GROUP BY decision ORDER BY 2 DESC, 1", (study,)
        )
        return {str(row[0]): int(row[1]) for row in rows}

    def _some(self, which: str, *values: str | int) -> list[Decided]:
        # The few rows are chosen first, then their numbers are looked up: not the other way round.
        sql = f"SELECT v.*, {_NUMBER} number FROM (SELECT * FROM verdicts WHERE {which}) v"
        return [_decided(row) for row in self._database.rows(sql, values)]


def verdict_of(row: Row) -> VerdictRecord:
    """Return the verdict that a row of the table is."""
    return VerdictRecord(
        candidate=row["candidate"],
        baseline=row["baseline"],
        decision=row["decision"],
        sentence=row["sentence"],
        data=decode(row["data"]),
        created=row["created"],
    )


def _decided(row: Row) -> Decided:
    return Decided(
        id=row["id"],
        number=row["number"],
        verdict=verdict_of(row),
    )
