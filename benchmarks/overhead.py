"""What the engine costs around a trial that does nothing, where each change of state survives `kill -9`."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks._noop import VARIABLES, Costs, drive_headway, forked, inline
from benchmarks.runner import (
    Context,
    PeerFailed,
    ProcessFailed,
    Result,
    Row,
    Sample,
    Table,
    Target,
    at_least,
    at_most,
    benchmark,
    ratio,
    run_process,
)

_TRIALS, _ANSWERS, _POINTS = 10_000, 1_000, 10
_TIMES_LESS_THAN_OPTUNA, _OF_A_FORK_LOOP, _GROWTH, _RESUME_MILLISECONDS, _ANSWER_MILLISECONDS = 10, 1 / 3, 1.2, 200, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    """Hold what was measured on one long study: its growth, resuming it, and answering another study from it."""

    costs: Costs
    resumed: Sample
    resumed_empty: Sample
    cold: Sample
    cold_empty: Sample
    answered: Sample
    answer_wall: Sample
    answer_at_99_percent: Sample


@benchmark("a trial costs 1/10 of Optuna's CPU, three bare forks where it gets one, and no more as the 10,000th")
def run(context: Context) -> Result:
    """Measure trials in one process, in forks, and a long study."""
    silent, silent_beside = inline(context, 0)
    logging, logging_beside = inline(context, _POINTS)
    forks, forks_cpu = forked(context)
    trials, answers = context.pick(_TRIALS, _TRIALS // 10), context.pick(_ANSWERS, _ANSWERS // 5)
    lives = context.in_turns({"headway": partial(_live, context, trials, answers)}, max(1, context.repeats - 2))
    found = lives["headway"]
    growth, resume, answer = _growth(found), _resuming(found, trials), _answering(found, answers)
    figures = {
        **_named(silent, "cpu_milliseconds_per_trial"),
        **_named(logging, f"cpu_milliseconds_per_trial_of_{_POINTS}_points"),
        **_named(silent_beside, "cpu_milliseconds_beside_trials"),
        **_named(logging_beside, f"cpu_milliseconds_beside_trials_of_{_POINTS}_points"),
        **_named(forks, "forked_trials_per_second"),
        **_named(forks_cpu, "cpu_milliseconds_per_forked_trial"),
        **_named(growth, "cpu_milliseconds_per_trial"),
        **_named(resume, "cpu_milliseconds_until_the_first_new_trial"),
        **_named(answer, "milliseconds_per_reused_trial"),
    }
    tables = (silent, logging, silent_beside, logging_beside, forks, forks_cpu, growth, resume, answer)
    return Result(tables=tables, figures=figures, targets=_targets(silent, logging, forks, resume, answer, found))


def _targets(
    silent: Table, logging: Table, forks: Table, resume: Table, answer: Table, lives: "Sequence[_Life] | PeerFailed"
) -> dict[str, Target]:
    growth = _row("growth", lives, lambda life: Sample(life.costs.each(2, 3).value / life.costs.each(0, 1).value))
    return {
        "times_less_cpu_than_optuna": at_least(_against_optuna(silent), _TIMES_LESS_THAN_OPTUNA),
        f"times_less_cpu_than_optuna_with_{_POINTS}_points": at_least(
            _against_optuna(logging), _TIMES_LESS_THAN_OPTUNA
        ),
        "of_the_rate_of_a_fork_loop": at_least(
            ratio(forks.row("headway").figure, forks.row("fork loop").figure), _OF_A_FORK_LOOP
        ),
        "late_trials_to_early_ones": at_most(growth.figure, _GROWTH),
        "resume_cpu_milliseconds": at_most(resume.row("headway").figure, _RESUME_MILLISECONDS),
        "reused_trial_cpu_milliseconds": at_most(answer.row("headway").figure, _ANSWER_MILLISECONDS),
        "reused_trial_wall_milliseconds": at_most(answer.row("headway, wall time").figure, _ANSWER_MILLISECONDS),
    }


def _against_optuna(table: Table) -> float | None:
    return ratio(table.row("optuna sqlite").figure, table.row("headway").figure)


def _named(table: Table, what: str) -> dict[str, float | None]:
    return {f"{row.name.replace(',', '').replace(' ', '_')}_{what}": row.figure for row in table.rows}


# a long study: how its trials' cost grows, how it is resumed, how it answers another study


def _growth(found: "Sequence[_Life] | PeerFailed") -> Table:
    counts = [0, 0, 0, 0] if isinstance(found, PeerFailed) else found[0].costs.counts
    rows = [
        _row(f"trials {counts[0]:,} to {counts[1]:,}", found, lambda life: life.costs.each(0, 1)),
        _row(f"trials {counts[2]:,} to {counts[3]:,}", found, lambda life: life.costs.each(2, 3)),
    ]
    return Table(title="CPU of a trial, early and late in one study, inline", unit="ms", rows=rows)


def _resuming(found: "Sequence[_Life] | PeerFailed", trials: int) -> Table:
    rows = [
        _row("headway", found, lambda life: life.resumed, "run_study to the first new trial; imports are done"),
        _row("empty study", found, lambda life: life.resumed_empty, "the same without a trial, imports included"),
        _row("cold", found, lambda life: life.cold, "'headway resume' to the first new trial, a fresh process"),
        _row("cold, empty study", found, lambda life: life.cold_empty, "the same without a trial"),
        _row(
            "cold, the difference",
            found,
            lambda life: Sample(life.cold.value - life.cold_empty.value),
            "what the trials in the record cost",
        ),
    ]
    return Table(title=f"Resuming a study of {trials:,} trials", unit="ms of CPU", rows=rows)


def _answering(found: "Sequence[_Life] | PeerFailed", answers: int) -> Table:
    rows = [
        _row("headway", found, lambda life: life.answered, "CPU: the mean of the answers"),
        _row("headway, wall time", found, lambda life: life.answer_wall, "the mean"),
        _row("headway, wall time, slowest percent", found, lambda life: life.answer_at_99_percent, "99 % come sooner"),
    ]
    return Table(title=f"Answering {answers:,} trials of another study from the record", unit="ms", rows=rows)


def _row(name: str, found: "Sequence[_Life] | PeerFailed", value: Callable[[_Life], Sample], note: str = "") -> Row:
    if isinstance(found, PeerFailed):
        return Row(name=name, failure=str(found), note=note)
    return Row(name=name, samples=[value(life) for life in found], note=note, ours=name == "headway")


def _live(context: Context, trials: int, answers: int) -> _Life:
    with context.folder() as folder:
        full, empty = folder / "full", folder / "empty"
        full.mkdir()
        empty.mkdir()
        counts = (50, trials // 20 + 50, trials - trials // 20, trials)
        costs = drive_headway(context, full, ("inline", 1, "cut"), counts)
        context.drive("headway_empty", empty, folder=empty, variables=VARIABLES)
        resume = context.drive("headway_resume", _copy(empty), _copy(full), folder=folder, variables=VARIABLES).data
        if resume["standing"] != trials:
            raise PeerFailed(f"{resume['standing']:,} of {trials:,} trials stood in the record")
        reuse = context.drive("headway_reuse", _copy(full), answers, folder=folder, variables=VARIABLES).data
        return _Life(
            costs=costs,
            resumed=Sample(resume["cpu_seconds"] * 1000, resume["cpu_seconds"], resume["wall_seconds"]),
            resumed_empty=Sample(resume["empty_cpu_seconds"] * 1000),
            cold=_resume_cold(context, _copy(full)),
            cold_empty=_resume_cold(context, _copy(empty)),
            answered=Sample(reuse["cpu_seconds"] * 1000),
            answer_wall=Sample(reuse["wall_seconds"] * 1000),
            answer_at_99_percent=Sample(reuse["wall_seconds_at_99_percent"] * 1000),
        )


def _resume_cold(context: Context, folder: Path) -> Sample:
    """Return the CPU of `headway resume` up to its first trial, which then ends the process."""
    mark = folder / "first_trial"
    command = [context.python(None), "-m", "headway", "resume", "noop", "--backend", "inline", "--plain"]
    variables = {**VARIABLES, "BENCH_FIRST_TRIAL": str(mark)}
    try:
        run_process([*command, "--store", folder / ".headway"], folder=folder, variables=variables).checked()
        return Sample(float(mark.read_text()) * 1000)
    except (ProcessFailed, OSError) as error:
        raise PeerFailed(f"'headway resume' {error}") from error


def _copy(folder: Path) -> Path:
    """Copy a study's folder, store and file, so that each measurement finds it as it was."""
    for number in range(100):
        copy = folder.with_name(f"{folder.name}-{number}")
        if not copy.exists():
            shutil.copytree(folder, copy)
            return copy
    raise PeerFailed(f"{folder} has too many copies")
