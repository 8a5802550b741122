"""Claims on ideas: who proposes a candidate first has it, and all others are told that it is there already."""

from collections.abc import Sequence
from dataclasses import dataclass

from headway.core import Config, UsageError
from headway.store.database import Database, Row, decode
from headway.store.records import StudyRecord
from headway.store.studies import Studies, candidate_id

__all__ = ["Claim", "Claims"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Hold what a study has of a candidate: whose it is, since this call (`new`) or before.

    `queued` is its number in the queue's record while it waits; `number` that of the proposal once it was taken.
    """

    candidate: str
    proposer: str
    new: bool
    queued: int | None = None
    number: int | None = None


class Claims:
    """Put candidates into a study's queue, each once, whoever brings it and however often."""

    def __init__(self, database: Database, studies: Studies) -> None:
        self._database = database
        self._studies = studies

    def claim(
        self,
        study: StudyRecord,
        config: Config,
        *,
        patch: str | None = None,
        proposer: str,
        parents: Sequence[str] = (),
        note: str = "",
        priority: int = 0,
        token: str | None = None,
    ) -> Claim:
        """Queue a candidate, or return the claim that stands on it; in one transaction, so that one of many wins.

        `token` is the proposer's own name for this proposal: to send it again is no second one, and to give it to
        another candidate raises `UsageError`. `patch` is canonical JSON: the files that change, by path.
        """
        candidate = candidate_id(study.experiment, config, patch)
        with self._database.write():
            self._refuse_other(study, candidate, proposer, token)
            standing = self.find(study, candidate)
            if standing is not None:
                return standing
            self._studies.add_candidate(study.experiment, config, patch)
            queued = self._studies.enqueue(
                study.id,
                config,
                proposer=proposer,
                parents=parents,
                note=note,
                priority=priority,
                token=token,
                patch=patch,
                candidate=candidate,
            )
        return Claim(candidate=candidate, proposer=proposer, new=True, queued=queued)

    def find(self, study: StudyRecord, candidate: str) -> Claim | None:
        """Return the claim on a candidate of a study, or None where nobody has proposed it."""
        number = self._studies.find_number(study.id, candidate)
        if number is not None:
            (proposal,) = self._studies.proposals(study.id, [number])
            return Claim(candidate=candidate, proposer=proposal.proposer, new=False, number=number)
        row = self._database.row(
            "SELECT id, proposer FROM queue WHERE study = ? AND taken IS NULL AND candidate = ? ORDER BY id LIMIT 1",
            (study.id, candidate),
        )
        if row is None:
            return None
        return Claim(candidate=candidate, proposer=row["proposer"], new=False, queued=row["id"])

    def waiting(self, study: int) -> dict[str, int]:
        """Count what waits in a study's queue, by proposer."""
        rows = self._database.rows(
            "SELECT proposer, count(*) FROM queue WHERE study = ? AND taken IS NULL GROUP BY proposer ORDER BY 1",
            (study,),
        )
        return {row[0]: int(row[1]) for row in rows}

    def ahead(self, study: int, queued: int) -> int:
        """Count what is taken before an entry of the queue."""
        row = self._database.row(
            "SELECT count(*) FROM queue q, queue own WHERE own.id = ? AND q.study = ? AND q.taken IS NULL"
            " AND (-q.priority, q.turn, q.id) < (-own.priority, own.turn, own.id)",
            (queued, study),
        )
        return 0 if row is None else int(row[0])

    def note_of(self, study: int, candidate: str) -> str:
        """Return the note that a waiting candidate was proposed with."""
        row = self._database.row(
            "SELECT note FROM queue WHERE study = ? AND taken IS NULL AND candidate = ? ORDER BY id LIMIT 1",
            (study, candidate),
        )
        return "" if row is None else str(row["note"])

    def parents_of(self, study: int, candidate: str) -> tuple[str, ...]:
        """Return what a waiting candidate changes."""
        row = self._database.row(
            "SELECT parents FROM queue WHERE study = ? AND taken IS NULL AND candidate = ? ORDER BY id LIMIT 1",
            (study, candidate),
        )
        return () if row is None else tuple(decode(row["parents"]))

    def _refuse_other(self, study: StudyRecord, candidate: str, proposer: str, token: str | None) -> None:
        row: Row | None = None
        if token is not None:
            row = self._database.row(
                "SELECT config, patch, candidate FROM queue WHERE study = ? AND proposer = ? AND token = ?",
                (study.id, proposer, token),
            )
        if row is not None and row["candidate"] not in (None, candidate):
            what = "change of code" if row["patch"] else f"configuration: {decode(row['config'])}"
            raise UsageError(
                f"The token {token!r} of {proposer} belongs to another {what}. Send that one again with it, or give "
                "this one a token of its own."
            )
