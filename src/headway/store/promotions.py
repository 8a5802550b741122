"""Promotions: accepted candidates that somebody wants to build on, and the word of a person on each."""

from dataclasses import dataclass
from typing import Literal, cast

from headway.core import Clock, NotFound
from headway.store.database import Database, Row

__all__ = ["PromotionRecord", "PromotionState", "Promotions"]

PromotionState = Literal["asked", "promoted", "refused"]
_BY_ITSELF = "the study"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRecord:
    """Hold one promotion: who asked for which candidate and why, and what was answered by whom."""

    candidate: str
    proposer: str
    note: str
    state: PromotionState
    created: float
    answered: float | None
    answered_by: str | None


class Promotions:
    """Read and write promotions, and whether a study needs a person for them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def allowed(self, study: int) -> bool:
        """Tell whether accepted candidates of a study are promoted without a person's word."""
        row = self._database.row("SELECT promotes FROM studies WHERE id = ?", (study,))
        return row is not None and bool(row[0])

    def allow(self, study: int, allowed: bool) -> None:
        """Let a study promote accepted candidates by itself, or no longer."""
        self._database.run("UPDATE studies SET promotes = ? WHERE id = ?", (int(allowed), study))

    def ask(self, study: int, candidate: str, *, proposer: str, note: str = "") -> PromotionRecord:
        """Ask for a promotion, or return what stands: asked once, a candidate is not asked for again."""
        now = self._clock.now()
        with self._database.write():
            state, by = ("promoted", _BY_ITSELF) if self.allowed(study) else ("asked", None)
            self._database.run(
                "INSERT OR IGNORE INTO promotions (study, candidate, proposer, note, state, created, answered,"
                " answered_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (study, candidate, proposer, note, state, now, now if by else None, by),
            )
            return self.get(study, candidate)

    def answer(self, study: int, candidate: str, *, promoted: bool, by: str) -> PromotionRecord:
        """Write a person's word on a promotion that was asked for."""
        with self._database.write():
            self.get(study, candidate)
            self._database.run(
                "UPDATE promotions SET state = ?, answered = ?, answered_by = ? WHERE study = ? AND candidate = ?",
                ("promoted" if promoted else "refused", self._clock.now(), by, study, candidate),
            )
            return self.get(study, candidate)

    def get(self, study: int, candidate: str) -> PromotionRecord:
        """Return the promotion of a candidate, or raise `NotFound`."""
        found = self.find(study, candidate)
        if found is None:
            raise NotFound(f"Nobody has asked to promote the candidate {candidate}.")
        return found

    def find(self, study: int, candidate: str) -> PromotionRecord | None:
        """Return the promotion of a candidate, if anybody asked for it."""
        row = self._database.row("SELECT * FROM promotions WHERE study = ? AND candidate = ?", (study, candidate))
        return None if row is None else _promotion(row)

    def of_study(self, study: int) -> list[PromotionRecord]:
        """Return a study's promotions, the first asked for first."""
        rows = self._database.rows("SELECT * FROM promotions WHERE study = ? ORDER BY id", (study,))
        return [_promotion(row) for row in rows]


def _promotion(row: Row) -> PromotionRecord:
    return PromotionRecord(
        candidate=row["candidate"],
        proposer=row["proposer"],
        note=row["note"],
        state=cast("PromotionState", row["state"]),
        created=row["created"],
        answered=row["answered"],
        answered_by=row["answered_by"],
    )
