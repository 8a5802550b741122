"""What has ended in a study since somebody looked last: trials and verdicts, found without a clock.

A mark names the last place that was seen and the places that were still open then; what came later or has ended since
is new. Times would not do: clocks jump, and a result from the record ended before the study was born.
"""

from dataclasses import dataclass
from typing import Self

from headway.core import TrialState, UsageError, digest
from headway.store.database import Database, Row

__all__ = ["End", "Ends", "EndsMark"]

_ENDED_STUDY = {"finished": "f", "paused": "p"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Hold one trial of a study that ended. Its value is None where it failed."""

    trial: int
    role: str
    number: int
    candidate: str
    seed: int
    state: str
    value: float | None
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndsMark:
    """Hold how far somebody has seen a study. `text` is what a client keeps, and `read` takes back."""

    last: int
    trial: int
    open: frozenset[int]
    verdicts: str

    @property
    def text(self) -> str:
        """Return the mark as a short text."""
        return "~".join((str(self.last), str(self.trial), ".".join(map(str, sorted(self.open))), self.verdicts))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `text` gave, or raise `UsageError`."""
        try:
            last, trial, places, verdicts = text.split("~")
            opened = frozenset(int(place) for place in places.split(".") if place)
            return cls(last=int(last), trial=int(trial), open=opened, verdicts=verdicts)
        except ValueError:
            raise UsageError(
                f"{text[:80]!r} is no cursor. Give the one that the last answer of `wait` holds, or leave it out to "
                "wait for what ends from now on."
            ) from None


class Ends:
    """Read what ended. Nothing here grows with the number of trials that ended before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def changes(self) -> int:
        """Return a number that changes when another connection has written: a look at shared memory, no query."""
        row = self._database.row("PRAGMA data_version")
        return 0 if row is None else int(row[0])

    def mark(self, study: int) -> EndsMark:
        """Return how far the study is now."""
        last, trial = self._last()  # read first: what comes between the two is new next time
        going = [str(state) for state in TrialState if not state.ended]
        rows = self._database.rows(
            f"SELECT position FROM study_trials WHERE study = ? AND state IN ({','.join('?' * len(going))})",
            (study, *going),
        )
        return EndsMark(last=last, trial=trial, open=frozenset(row[0] for row in rows), verdicts=self._verdicts(study))

    def since(self, study: int, mark: EndsMark) -> tuple[list[End], EndsMark]:
        """Return the trials of a study that ended after a mark, in the order in which they began, and the next mark."""
        verdicts = self._verdicts(study)
        last, trial = self._last()
        # A place that gave way to another trial of its candidate and seed may hand its number on, if it was the last.
        first = mark.last + self._same(mark)
        some = ",".join(map(str, sorted(mark.open)))
        rows = self._database.rows(
            "SELECT position, trial, role, number, candidate, seed, state, value, reused FROM study_trials"
            f" WHERE +study = ? AND (position BETWEEN ? AND ? OR position IN ({some})) ORDER BY position",
            (study, first, last),
        )
        ended = [row for row in rows if TrialState(row["state"]).ended]
        still = frozenset(row["position"] for row in rows) - {row["position"] for row in ended}
        return [_end(row) for row in ended], EndsMark(last=last, trial=trial, open=still, verdicts=verdicts)

    def concluded(self, before: EndsMark, now: EndsMark) -> bool:
        """Tell whether verdicts were written between two marks, or the study came to an end."""
        state, before_state = now.verdicts[:1], before.verdicts[:1]
        return now.verdicts[1:] != before.verdicts[1:] or (state != before_state and state != "g")

    def _last(self) -> tuple[int, int]:
        row = self._database.row("SELECT position, trial FROM study_trials ORDER BY position DESC LIMIT 1")
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def _same(self, mark: EndsMark) -> bool:
        row = self._database.row("SELECT trial FROM study_trials WHERE position = ?", (mark.last,))
        return row is None or row[0] == mark.trial

    def _verdicts(self, study: int) -> str:
        row = self._database.row(
            "SELECT s.state, count(v.id), max(v.id), max(v.created) FROM studies s"
            " LEFT JOIN verdicts v ON v.study = s.id WHERE s.id = ?",
            (study,),
        )
        state, *rest = ("", 0, None, None) if row is None else tuple(row)
        return _ENDED_STUDY.get(str(state), "g") + digest(rest)[:8]


def _end(row: Row) -> End:
    return End(
        trial=row["trial"],
        role=row["role"],
        number=row["number"],
        candidate=row["candidate"],
        seed=row["seed"],
        state=row["state"],
        value=row["value"],
        reused=bool(row["reused"]),
    )
