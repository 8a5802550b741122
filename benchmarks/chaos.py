"""What faults cost: engines killed at random moments, workers that misbehave, disks that are full or fail.

The harness is `headway.testing.chaos`; a case that does not hold says how to replay it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.runner import Context, Result, Row, Sample, Table, Target, at_least, at_most, benchmark, run_process
from headway.testing.chaos import Outcome, Promise
from headway.testing.chaos.endings import Ending, Endings, run_nasty_workers

_SKIPPED = 7  # the exit code of the harness where the machine cannot do what a case wants
_SECONDS = 900.0
_SEEDS = (7, 8, 9)  # at most so many cases of a kind, each another schedule
_KILLS, _MORE = 50, 6  # the study may end before the last kills come
_PROMISES: dict[str, tuple[Promise, ...]] = {
    "finished_trials_lost": ("lost",),
    "finished_twice": ("twice",),
    "database_unsound": ("sound",),
    "other_verdict": ("verdict", "session"),
    "processes_left": ("alone",),
    "files_left": ("tidy",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """Hold one case: its outcome, or why the machine cannot play it."""

    outcome: Outcome | None
    skipped: str = ""

    def count(self, *promises: Promise) -> int:
        return 0 if self.outcome is None else self.outcome.count(*promises)


@benchmark("50 kills of the engine lose nothing; bad workers end within limits; a full disk is a clear error")
def run(context: Context) -> Result:
    """Torment studies with each kind of fault."""
    kills = context.pick(_KILLS, 8)
    seeds = _SEEDS[: context.repeats]
    killed = [_play(context, seed, f"kill:{kills + _MORE}") for seed in seeds]
    others = {
        "templates and workers die": "kill-template:3,kill-worker:4",
        "anybody freezes or is slow": "freeze:4,delay:2",
        "the clock jumps": "clock-jump:4,kill:2",
        "run logs are damaged": "corrupt-log:3",
        "checkpoints are damaged": "corrupt-checkpoint:3",
        "the database is damaged": "corrupt-database:3",
        "the disk is full": "fill-disk:4",
        "the disk is read-only": "read-only:3",
    }
    played = {name: _play(context, seeds[0], wishes) for name, wishes in others.items()}
    context.say("workers that misbehave")
    with context.folder() as folder:
        endings = run_nasty_workers(folder)
    figures, targets = _kill_figures(killed, kills)
    for name, case in played.items():
        key = name.removeprefix("the ").replace(" ", "_")
        figures[f"broken_where_{key}"] = count = None if case.outcome is None else float(case.count())
        targets[f"broken_where_{key}"] = at_most(count, 0)
    wrong = float(sum(bool(item.wrong) for item in (*endings.nasty, *endings.healthy)))
    figures |= {"bad_workers": float(len(endings.nasty)), "bad_endings": wrong}
    targets["bad_workers"] = at_least(len(endings.nasty), 17)
    targets["bad_endings"] = at_most(max(wrong, len(endings.broken)), 0)
    tables = [_kill_table(killed, kills), _other_table(played), _worker_table(endings)]
    notes = [
        str(item).splitlines()[0][:200]
        for case in (*killed, *played.values())
        if case.outcome
        for item in case.outcome.broken
    ]
    return Result(tables=tables, figures=figures, targets=targets, notes=[*notes, *endings.broken])


def _play(context: Context, seed: int, wishes: str) -> _Case:
    context.say(f"seed {seed}, {wishes}")
    command = [sys.executable, "-m", "headway.testing.chaos", "run", "walk", "--seed", str(seed), "--faults", wishes]
    with context.folder() as folder:
        ended = run_process([*command, "--json"], folder=folder, seconds=_SECONDS)
    if ended.code == _SKIPPED:
        return _Case(outcome=None, skipped=ended.stderr.strip())
    if not ended.stdout.strip():
        ended.checked()
    data = json.loads(ended.stdout)
    if data["replay"]:
        context.say(f"it did not hold; replay it with: {data['replay']}")
    return _Case(outcome=Outcome.from_json(data))


def _kill_figures(killed: Sequence[_Case], kills: int) -> tuple[dict[str, float | None], dict[str, Target]]:
    struck = min(len(case.outcome.struck) for case in killed if case.outcome is not None)
    figures: dict[str, float | None] = {"kills": float(struck)}
    targets = {"kills": at_least(struck, kills)}
    for name, promises in _PROMISES.items():
        figures[name] = float(sum(case.count(*promises) for case in killed))
        targets[name] = at_most(figures[name], 0)
    return figures, targets


def _kill_table(killed: Sequence[_Case], kills: int) -> Table:
    rows = [
        Row(name=name.replace("_", " "), samples=[Sample(case.count(*promises)) for case in killed])
        for name, promises in _PROMISES.items()
    ]
    title = f"A study of 200 trials whose engine is killed {kills} times or more, and resumed each time"
    return Table(title=title, unit="times it happened, a seed each", rows=rows)


def _other_table(played: dict[str, _Case]) -> Table:
    rows = [
        Row(name=name, failure=case.skipped)
        if case.outcome is None
        else Row(name=name, samples=[Sample(case.count())], note=f"{len(case.outcome.struck)} faults")
        for name, case in played.items()
    ]
    return Table(title="The same study where ...", unit="promises broken", rows=rows)


def _worker_table(endings: Endings) -> Table:
    rows = [_worker_row(item) for item in endings.nasty]
    healthy = f"{len(endings.healthy)} trials beside them, {sum(bool(item.wrong) for item in endings.healthy)} harmed"
    seconds = [Sample(item.wall_seconds) for item in endings.healthy]
    rows.append(Row(name="healthy", samples=seconds, note=healthy))
    return Table(title="Workers that misbehave, in one study with healthy ones", unit="s until they ended", rows=rows)


def _worker_row(item: Ending) -> Row:
    kept = f"{item.reason}, fingerprint {item.fingerprint}" if item.reason else item.state
    return Row(name=item.what, samples=[Sample(item.wall_seconds)], note="; ".join((kept, *item.wrong)))
