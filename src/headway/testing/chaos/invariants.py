"""What must hold whatever happened: no finished trial lost, none finished twice, the database sound, nobody left.

Each check returns sentences that say what is broken; none is the good answer. They look at a copy of the database, so
that a study that goes on meets exactly what the fault left. This file alone knows the tables.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path

__all__ = ["EMPTY", "Ended", "Snapshot", "finished_twice", "fold_log", "lost", "take_snapshot", "unclean"]

_PASSING = ("*.runlog", "*.ckpt", "*.ckpt.*", ".*.tmp")
_ENDED = "('complete', 'stopped', 'failed')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Hold what the record says of a trial that ended. None of it may ever change."""

    candidate: str
    seed: int
    state: str
    reason: str | None
    fingerprint: str | None
    value: float | None
    metrics: str
    step: int | None
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Hold what the record said at one time: ended trials by id, outcomes of attempts by trial, studies by name.

    `engines` holds the pids that lease studies. `problems` says what SQLite finds wrong with its file, and where the
    record contradicts itself.
    """

    ended: Mapping[int, Ended]
    outcomes: Mapping[int, Sequence[str | None]]
    states: Mapping[str, str]
    engines: Mapping[str, int | None]
    problems: Sequence[str]


EMPTY = Snapshot(ended={}, outcomes={}, states={}, engines={}, problems=())


def take_snapshot(store: Path) -> Snapshot:
    """Read the record as it stands, while no engine runs. A store that is not there yet is empty."""
    with tempfile.TemporaryDirectory(prefix="headway-chaos-") as folder:
        copy = Path(folder) / "store.sqlite"
        for suffix in ("", "-wal"):  # the index of the log is made anew, as after a crash of the machine
            source = store / f"store.sqlite{suffix}"
            if source.exists():
                shutil.copyfile(source, copy.with_name(source.name))
        try:
            with closing(sqlite3.connect(copy)) as connection:
                return _read(connection)
        except sqlite3.DatabaseError as error:
            return replace(EMPTY, problems=[f"the database cannot be read: {error}"])


def fold_log(database: Path) -> None:
    """Fold the database's log into its file, as the last of its users does."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def lost(before: Snapshot, after: Snapshot) -> list[str]:
    """Say which trials had ended and have not, or ended otherwise, later on."""
    broken: list[str] = []
    for trial, was in before.ended.items():
        now = after.ended.get(trial)
        if now is None:
            broken.append(f"trial {trial} had ended ({was.state}, {was.value}) and is no more")
        elif now != was:
            changed = [name.name for name in fields(Ended) if getattr(now, name.name) != getattr(was, name.name)]
            broken.append(f"trial {trial} ended anew: {', '.join(changed)} changed from {was} to {now}")
    return broken


def finished_twice(snapshot: Snapshot) -> list[str]:
    """Say what ended more than once: two trials of a candidate and a seed, or an attempt after a trial's end."""
    broken: list[str] = []
    first: dict[tuple[str, int], int] = {}
    for trial, item in snapshot.ended.items():
        other = first.setdefault((item.candidate, item.seed), trial)
        if other != trial:
            broken.append(f"trials {other} and {trial} are the same candidate {item.candidate} with seed {item.seed}")
        outcomes = snapshot.outcomes.get(trial, ())
        if any(outcome == "complete" for outcome in outcomes[:-1]):
            broken.append(f"trial {trial} was run again after it was complete: {outcomes}")
    return broken


def unclean(snapshot: Snapshot, store: Path) -> list[str]:
    """Say what a study that is finished left behind: attempts without an end, run logs, checkpoints, partial files."""
    broken = [f"the study {name!r} is {state}" for name, state in snapshot.states.items() if state != "finished"]
    for trial, outcomes in snapshot.outcomes.items():
        if None in outcomes:
            broken.append(f"trial {trial} has an attempt without an end")
        elif trial not in snapshot.ended:
            broken.append(f"trial {trial} has not ended")
    stopped = {str(trial) for trial, item in snapshot.ended.items() if item.state == "stopped"}  # may go on
    left = [path for pattern in _PASSING for path in store.rglob(pattern) if path.parent.name not in stopped]
    broken += [f"{path.relative_to(store)} is left" for path in left]
    return broken


def _read(connection: sqlite3.Connection) -> Snapshot:
    problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    problems += [
        f"a row of {row[0]} points to nothing in {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")
    ]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"trials", "attempts", "studies", "study_trials"} <= tables:  # not laid out yet
        return replace(EMPTY, problems=problems)
    names = [field.name for field in fields(Ended)]
    rows = connection.execute(
        f"SELECT id, {', '.join(names)} FROM trials WHERE state IN {_ENDED} AND id IN (SELECT trial FROM study_trials)"
    )
    ended = {int(row[0]): Ended(**dict(zip(names, row[1:], strict=True))) for row in rows}
    outcomes: dict[int, list[str | None]] = {}
    placed = "SELECT trial, outcome FROM attempts WHERE trial IN (SELECT trial FROM study_trials) ORDER BY id"
    for trial, outcome in connection.execute(placed):
        outcomes.setdefault(int(trial), []).append(outcome)
    studies = connection.execute("SELECT name, state, lease_pid FROM studies").fetchall()
    return Snapshot(
        ended=ended,
        outcomes=outcomes,
        states={name: state for name, state, _ in studies},
        engines={name: pid for name, _, pid in studies},
        problems=[*problems, *_contradictions(connection)],
    )


def _contradictions(connection: sqlite3.Connection) -> list[str]:
    """Compare what the record says in two places."""
    copied = {row[1] for row in connection.execute("PRAGMA table_info(study_trials)")} & {"state", "value", "seed"}
    if not copied:
        return []
    differs = " OR ".join(f"s.{name} IS NOT t.{name}" for name in sorted(copied))
    rows = connection.execute(f"SELECT t.id FROM study_trials s JOIN trials t ON t.id = s.trial WHERE {differs}")
    return [f"trial {row[0]} and its place in a study differ" for row in rows]
