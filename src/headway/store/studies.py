"""Studies in the store: their definition, their lease, what was proposed to them, decided in them and spent on them."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from headway.core import Clock, Config, Direction, NotFound, Spent, canonical_json, digest
from headway.store.database import Database, Row, decode
from headway.store.records import CandidateRecord, ProposalRecord, QueueRecord, StudyRecord, VerdictRecord
from headway.store.verdicts import verdict_of

__all__ = ["Studies", "candidate_id"]


def candidate_id(experiment: str, config: Config, patch: str | None = None) -> str:
    """Return the id of a candidate: a digest of experiment, configuration and patch."""
    identity: dict[str, Any] = {"experiment": experiment, "config": dict(config), "patch": patch}
    return digest(identity)


class Studies:
    """Read and write studies and what belongs to them alone."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        *,
        name: str,
        definition: Mapping[str, Any],
        settings: Mapping[str, Any],
        source: str,
        experiment: str,
        metric: str,
        direction: Direction,
    ) -> StudyRecord:
        """Create a study under a name that is free."""
        now = self._clock.now()
        self._database.run(
            "INSERT INTO studies (name, definition, settings, source, experiment, metric, direction, state, created,"
            " updated) VALUES (?, ?, ?, ?, ?, ?, ?, 'new', ?, ?)",
            (
                name,
                canonical_json(definition),
                canonical_json(settings),
                source,
                experiment,
                metric,
                direction,
                now,
                now,
            ),
        )
        return self.get(name)

    def find(self, name: str) -> StudyRecord | None:
        """Return the study of that name, or None."""
        row = self._database.row("SELECT * FROM studies WHERE name = ?", (name,))
        return None if row is None else _study(row)

    def get(self, name: str) -> StudyRecord:
        """Return the study of that name, or raise `NotFound` with the names that there are."""
        study = self.find(name)
        if study is None:
            self._database.refuse_damage()  # a damaged file can look like an empty one
            names = [item.name for item in self.all()]
            empty = "It is empty. Type: headway run FILE ('headway init' writes one)"
            there = f"It holds: {', '.join(names)}." if names else empty
            raise NotFound(f"The store {self._database.path.parent} has no study {name!r}. {there}")
        return study

    def all(self) -> list[StudyRecord]:
        """Return all studies, the one that changed last first."""
        return [_study(row) for row in self._database.rows("SELECT * FROM studies ORDER BY updated DESC, id DESC")]

    def set_state(self, study: int, state: str) -> None:
        """Write where the study stands: new, running, paused or finished."""
        self._database.run("UPDATE studies SET state = ?, updated = ? WHERE id = ?", (state, self._clock.now(), study))

    def set_settings(self, study: int, settings: Mapping[str, Any], source: str) -> None:
        """Write what may change between two runs of a study."""
        self._database.run(
            "UPDATE studies SET settings = ?, source = ?, updated = ? WHERE id = ?",
            (canonical_json(settings), source, self._clock.now(), study),
        )

    def take_lease(self, study: int, pid: int, started: float, previous: tuple[int, float] | None) -> bool:
        """Take the study for one engine. `previous` is the dead lease that the caller saw, None for a free study."""
        old_pid, old_started = previous or (None, None)
        changed = self._database.changed(
            "UPDATE studies SET lease_pid = ?, lease_started = ?, request = NULL, state = 'running', updated = ?"
            " WHERE id = ? AND lease_pid IS ? AND lease_started IS ?",
            (pid, started, self._clock.now(), study, old_pid, old_started),
        )
        return changed == 1

    def release_lease(self, study: int, pid: int, state: str) -> None:
        """Give the study back, in the state it is left in."""
        self._database.run(
            "UPDATE studies SET lease_pid = NULL, lease_started = NULL, request = NULL, state = ?, updated = ?"
            " WHERE id = ? AND lease_pid = ?",
            (state, self._clock.now(), study, pid),
        )

    def ask(self, study: int, request: str) -> None:
        """Ask the engine that runs the study for something: `pause` (clean), `now` (at once), `stop TRIAL`."""
        self._database.run("UPDATE studies SET request = ? WHERE id = ?", (request, study))

    def asked(self, study: int) -> str | None:
        """Take what was asked, if anything was."""
        row = self._database.row("SELECT request FROM studies WHERE id = ?", (study,))
        if row is None or row["request"] is None:
            return None
        self._database.run("UPDATE studies SET request = NULL WHERE id = ? AND request = ?", (study, row["request"]))
        return str(row["request"])

    # candidates and proposals

    def add_candidate(self, experiment: str, config: Config, patch: str | None = None) -> str:
        """Store a candidate once; return its id, a digest of experiment, configuration and patch."""
        candidate = candidate_id(experiment, config, patch)
        self._database.run(
            "INSERT OR IGNORE INTO candidates VALUES (?, ?, ?, ?, ?)",
            (candidate, experiment, canonical_json(dict(config)), patch, self._clock.now()),
        )
        return candidate

    def candidate(self, identity: str) -> CandidateRecord:
        """Return the candidate whose id begins with `identity`."""
        rows = self._database.rows(
            "SELECT * FROM candidates WHERE id >= ? AND id < ? LIMIT 2", (identity, identity + "g")
        )
        if len(rows) != 1:
            raise NotFound(
                f"{identity!r} names {'more than one' if rows else 'no'} candidate. Give more characters of "
                "its id; 'headway trials' lists them."
            )
        row = rows[0]
        return CandidateRecord(
            id=row["id"], experiment=row["experiment"], config=decode(row["config"]), patch=row["patch"]
        )

    def propose(
        self, study: int, number: int, candidate: str, proposer: str, parents: Sequence[str] = (), note: str = ""
    ) -> None:
        """Record that a candidate was proposed as the study's `number`-th."""
        self._database.run(
            "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?)",
            (study, number, candidate, proposer, canonical_json(list(parents)), note, self._clock.now()),
        )

    def proposals(self, study: int, numbers: Sequence[int] | None = None) -> list[ProposalRecord]:
        """Return what was proposed to a study, all or some, in order. Number 0 is the baseline."""
        some = "" if numbers is None else f" AND number IN ({','.join('?' * len(numbers))})"
        rows = self._database.rows(
            "SELECT p.*, c.config, c.patch IS NOT NULL AS code FROM proposals p JOIN candidates c ON c.id = p.candidate"
            f" WHERE study = ?{some} ORDER BY number",
            (study, *(numbers or ())),
        )
        return [
            ProposalRecord(
                number=row["number"],
                candidate=row["candidate"],
                config=decode(row["config"]),
                proposer=row["proposer"],
                parents=tuple(decode(row["parents"])),
                note=row["note"],
                created=row["created"],
                changes_code=bool(row["code"]),
            )
            for row in rows
        ]

    def proposal_of(self, study: int, candidate: str) -> ProposalRecord | None:
        """Return the first proposal of a candidate to a study, or None."""
        number = self.find_number(study, candidate)
        return None if number is None else self.proposals(study, [number])[0]

    def proposed(self, study: int) -> list[tuple[int, str, str]]:
        """Return number, candidate and proposer of each proposal to a study, in order."""
        rows = self._database.rows(
            "SELECT number, candidate, proposer FROM proposals WHERE study = ? ORDER BY number", (study,)
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def newest_numbers(self, study: int, limit: int) -> list[int]:
        """Return the numbers of the newest proposals to a study."""
        rows = self._database.rows(
            "SELECT number FROM proposals WHERE study = ? ORDER BY number DESC LIMIT ?", (study, limit)
        )
        return [row[0] for row in rows]

    def count_proposals(self, study: int) -> int:
        """Count what was proposed to a study, the baseline included."""
        row = self._database.row("SELECT count(*) FROM proposals WHERE study = ?", (study,))
        return int(row[0]) if row else 0

    def find_number(self, study: int, candidate: str) -> int | None:
        """Return the number under which a candidate was first proposed to a study, or None."""
        row = self._database.row(
            "SELECT min(number) FROM proposals WHERE study = ? AND candidate = ?", (study, candidate)
        )
        return None if row is None or row[0] is None else int(row[0])

    def number_of(self, study: int, candidate: str) -> int:
        """Return the number under which a candidate was first proposed to a study, or raise `NotFound`."""
        number = self.find_number(study, candidate)
        if number is None:
            raise NotFound(f"The candidate {candidate} was never proposed to this study.")
        return number

    # the queue

    def enqueue(
        self,
        study: int,
        config: Config,
        *,
        proposer: str,
        parents: Sequence[str] = (),
        note: str = "",
        priority: int = 0,
        token: str | None = None,
        patch: str | None = None,
        candidate: str | None = None,
    ) -> int:
        """Put a candidate into a study's queue; a higher priority is taken first.

        Among equal priorities the proposers take turns: one who brings fifty ideas keeps nobody waiting for fifty. The
        round is decided here, so that taking is one look at an index (start-time fair queueing, Goyal et al. 1996).
        """
        with self._database.write():
            return self._database.run(
                "INSERT INTO queue (study, config, proposer, parents, note, priority, created, turn, token, patch,"
                " candidate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    study,
                    canonical_json(dict(config)),
                    proposer,
                    canonical_json(list(parents)),
                    note,
                    priority,
                    self._clock.now(),
                    self._turn(study, proposer, priority),
                    token,
                    patch,
                    candidate or candidate_id(self._experiment_of(study), config, patch),
                ),
            )

    def _experiment_of(self, study: int) -> str:
        row = self._database.row("SELECT experiment FROM studies WHERE id = ?", (study,))
        return "" if row is None else str(row[0])

    def _turn(self, study: int, proposer: str, priority: int) -> int:
        """Return the round in which a proposer's next candidate is taken: after its own last one, or in this round."""
        # Two looks at an index each, however many wait: one query for both would read the whole queue.
        own = self._database.row(
            "SELECT turn FROM queue WHERE study = ? AND proposer = ? AND priority = ? AND taken IS NULL"
            " ORDER BY turn DESC LIMIT 1",
            (study, proposer, priority),
        )
        if own is not None:
            return int(own[0]) + 1
        now = self._database.row(
            "SELECT turn FROM queue WHERE study = ? AND priority = ? AND taken IS NULL ORDER BY turn LIMIT 1",
            (study, priority),
        )
        return 0 if now is None else int(now[0])

    def waiting(self, study: int) -> int:
        """Count the candidates that wait in a study's queue."""
        row = self._database.row("SELECT count(*) FROM queue WHERE study = ? AND taken IS NULL", (study,))
        return int(row[0]) if row else 0

    def dequeue(self, study: int, number: int, experiment: str) -> tuple[QueueRecord, str] | None:
        """Take the first waiting candidate and record it as the `number`-th proposal, in one transaction.

        First is the highest priority, then the round of the proposers' turns, then age.
        """
        with self._database.write():
            row = self._database.row(
                "SELECT * FROM queue WHERE study = ? AND taken IS NULL ORDER BY priority DESC, turn, id LIMIT 1",
                (study,),
            )
            if row is None:
                return None
            item = QueueRecord(
                id=row["id"],
                config=decode(row["config"]),
                proposer=row["proposer"],
                parents=tuple(decode(row["parents"])),
                note=row["note"],
                priority=row["priority"],
                patch=row["patch"],
            )
            self._database.run("UPDATE queue SET taken = ? WHERE id = ?", (self._clock.now(), item.id))
            candidate = self.add_candidate(experiment, item.config, item.patch)
            self.propose(study, number, candidate, item.proposer, item.parents, item.note)
        return item, candidate

    # verdicts and budget

    def decide(
        self, study: int, candidate: str, baseline: str, decision: str, sentence: str, data: Mapping[str, Any]
    ) -> None:
        """Write a verdict; an earlier one of the same study on the same candidate gives way."""
        self._database.run(
            "INSERT OR REPLACE INTO verdicts (study, candidate, baseline, decision, sentence, data, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (study, candidate, baseline, decision, sentence, canonical_json(dict(data)), self._clock.now()),
        )

    def clear_verdicts(self, study: int) -> None:
        """Withdraw a study's verdicts, before it decides anew."""
        self._database.run("DELETE FROM verdicts WHERE study = ?", (study,))

    def verdicts(self, study: int) -> list[VerdictRecord]:
        """Return a study's verdicts, the first decided first."""
        rows = self._database.rows("SELECT * FROM verdicts WHERE study = ? ORDER BY id", (study,))
        return [verdict_of(row) for row in rows]

    def verdict(self, study: int, candidate: str) -> VerdictRecord | None:
        """Return a study's verdict on a candidate, or None."""
        row = self._database.row("SELECT * FROM verdicts WHERE study = ? AND candidate = ?", (study, candidate))
        return None if row is None else verdict_of(row)

    def charge(self, study: int, kind: str, amount: float, trial: int | None = None) -> None:
        """Write what was spent: `trials`, `seconds`, `busy core seconds`, `core seconds`."""
        self._database.run(
            "INSERT INTO budget (study, trial, kind, amount, at) VALUES (?, ?, ?, ?, ?)",
            (study, trial, kind, amount, self._clock.now()),
        )

    def spending(self, study: int) -> dict[str, float]:
        """Return what was spent, by kind."""
        rows = self._database.rows("SELECT kind, sum(amount) FROM budget WHERE study = ? GROUP BY kind", (study,))
        return {row[0]: float(row[1]) for row in rows}

    def spent(self, study: int) -> Spent:
        """Return what counts against the budget."""
        kinds = self.spending(study)
        return Spent(trials=round(kinds.get("trials", 0)), seconds=kinds.get("seconds", 0.0))


def _study(row: Row) -> StudyRecord:
    return StudyRecord(
        id=row["id"],
        name=row["name"],
        definition=decode(row["definition"]),
        settings=decode(row["settings"]),
        source=row["source"],
        experiment=row["experiment"],
        metric=row["metric"],
        direction=cast("Direction", row["direction"]),
        state=row["state"],
        request=row["request"],
        lease_pid=row["lease_pid"],
        lease_started=row["lease_started"],
        created=row["created"],
        updated=row["updated"],
    )
