"""What observers count and show, fed by hand."""

import io
import itertools
from typing import Any

import pytest
from rich.console import Console

import headway
from headway.core import Reason, Role, TrialState
from headway.engine import Assignment
from headway.interfaces.cli.progress import LiveProgress, PlainProgress
from headway.interfaces.cli.tally import Before, Tally
from headway.store import Point, TrialRecord


@headway.experiment(metric="val_loss", space={"lr": headway.Float(0.1, 1.0)})
def train(run: headway.Run) -> None:
    """Train nothing."""


names = itertools.count()


def make_tally(budget: str = "20 trials", before: Before | None = None) -> Tally:
    study = headway.Study(train, name=f"study-{next(names)}", baseline={"lr": 0.5}, budget=budget, seeds=2)
    return Tally(study, before or Before())


def assignment(number: int = 0, seed: int = 0, role: Role = Role.SEARCH) -> Assignment:
    return Assignment(candidate=f"c{number}", config={"lr": 0.1 + number / 100}, seed=seed, role=role, number=number)


def record(trial: int, value: float | None, state: TrialState = TrialState.COMPLETE, **fields: Any) -> TrialRecord:
    values: dict[str, Any] = {
        "id": trial, "candidate": "c", "config": {}, "experiment": "e", "seed": 0, "state": state, "reason": None,
        "message": "", "fingerprint": None, "value": value, "metrics": {}, "step": 99, "horizon": 100, "manifest": None,
        "record": {}, "wall_seconds": 2.0, "cpu_seconds": 2.0, "peak_memory_bytes": 0, "created": 0.0, "started": 0.0,
        "ended": 2.0,
    }  # fmt: skip
    return TrialRecord(**(values | fields))


def run_one(tally: Tally, trial: int, value: float | None, what: Assignment, **fields: Any) -> str:
    tally.started(trial, what)
    return tally.ended(record(trial, value, **fields), what, reused=False)


def test_the_best_is_the_best_of_the_search_and_the_baseline():
    tally = make_tally()
    run_one(tally, 1, 0.5, assignment(role=Role.BASELINE))
    assert "best val_loss 0.5 (the baseline)" in tally.facts()
    run_one(tally, 2, 0.3, assignment(1))
    run_one(tally, 3, 0.01, assignment(1, seed=4, role=Role.CONFIRM))
    run_one(tally, 4, None, assignment(2), state=TrialState.FAILED, reason=Reason.EXCEPTION, message="boom")
    assert "best val_loss 0.3 (baseline 0.5)" in tally.facts()
    assert tally.done == 4
    assert tally.left.trials == 16


def test_answers_from_the_record_cost_no_budget():
    tally = make_tally()
    line = tally.ended(record(1, 0.5), assignment(role=Role.BASELINE), reused=True)
    assert "from the record" in line
    assert (tally.left.trials, tally.done, tally.total) == (20, 1, 21)


def test_a_resumed_trial_is_counted_once():
    tally = make_tally(before=Before(executed=2, unfinished=frozenset({2}), seconds=5.0, mean_seconds=2.0))
    assert tally.recalled(1) == "1 trial stands in the record."
    run_one(tally, 2, 0.4, assignment(1))
    run_one(tally, 3, 0.4, assignment(2))
    assert (tally.left.trials, tally.total) == (17, 20)


def test_the_time_to_go_follows_the_mean_length_and_the_workers():
    tally = make_tally()
    assert tally.seconds_to_go is None
    run_one(tally, 1, 0.5, assignment(role=Role.BASELINE))
    tally.tick(2, 0.25)
    assert tally.seconds_to_go == pytest.approx(19.0)
    assert "idle 25 %" in tally.facts()


def test_a_budget_of_time_bounds_the_time_to_go():
    tally = make_tally("100 s", Before(seconds=60.0))
    assert tally.seconds_to_go == pytest.approx(40.0, abs=1)
    assert tally.total is None
    assert tally.share == pytest.approx(0.6, abs=0.02)
    assert any("of the budget left" in text for text in tally.facts())


def test_the_objective_takes_over_the_curve_as_soon_as_it_is_logged():
    tally = make_tally()
    tally.started(1, assignment(1))
    tally.progressed(1, [Point("loss", step, 1.0, 0.0) for step in range(5)])
    assert (tally.running[1].metric, tally.running[1].step) == ("loss", 5)
    tally.progressed(1, [Point("val_loss", 5, 0.5, 0.0), Point("loss", 6, 1.0, 0.0)])
    assert (tally.running[1].metric, tally.running[1].values) == ("val_loss", [0.5])


def test_a_long_curve_is_thinned():
    tally = make_tally()
    tally.started(1, assignment(1))
    for start in range(0, 20000, 1000):
        tally.progressed(1, [Point("val_loss", start + i, 1.0, 0.0) for i in range(1000)])
    assert len(tally.running[1].values) <= 3072
    assert tally.running[1].step == 20000


def test_plain_progress_writes_a_line_a_trial(capsys):
    progress = PlainProgress(make_tally())
    progress.preparing("importing train")
    progress.started(1, assignment(1))
    progress.progressed(1, [Point("val_loss", 0, 1.0, 0.0), Point("val_loss", 1, 0.5, 0.0)])
    progress.tick(busy=1, workers=1, idle_share=0.0)
    progress.ended(record(1, 0.5), assignment(1), reused=False)
    output = capsys.readouterr()
    assert output.out == ""
    first, second = output.err.splitlines()
    assert first == "importing train ..."
    assert second.startswith("[  1/20]  ✓ complete  trial 1     search #1    seed 0")
    assert "█▁" in second


@pytest.mark.parametrize("columns", [20, 40, 80, 160])
def test_the_live_display_fits_every_terminal(columns):
    console = Console(file=io.StringIO(), force_terminal=True, width=columns, height=20)
    with LiveProgress(make_tally(), console) as progress:
        progress.preparing("importing train")
        progress.preparing("")
        for trial in range(1, 16):
            progress.started(trial, assignment(trial))
            progress.progressed(trial, [Point("val_loss", step, 1 / (step + 1), 0.0) for step in range(50)])
        progress.tick(busy=15, workers=15, idle_share=0.1)
        progress.ended(record(1, 0.5), assignment(1), reused=False)
        progress.note("A note with [brackets] stays as it is.")
        progress._draw()
        with console.capture() as captured:
            console.print(progress._trials(), *progress._more(), progress._bar())
    lines = captured.get().splitlines()
    assert max(map(len, [_bare(line) for line in lines])) <= columns
    assert any("and 2 more" in line for line in lines)


@pytest.mark.parametrize(
    ("columns", "there"),
    [
        (40, ["▶ trial 1 ", "val_loss 0.1", "step 10"]),
        (60, ["▶ trial 1 ", "search #1 seed 0", "val_loss 0.1", "step 10", "best val_loss 0.31234 (baseline 0.5)"]),
        (80, ["▶ trial 1 ", "search #1 seed 0", "█", "val_loss 0.1", "step 10", "lr=0.11", "━"]),
    ],
)
def test_a_narrow_terminal_gets_whole_cells_the_most_important_ones(columns, there):
    console = Console(file=io.StringIO(), force_terminal=True, width=columns, height=20)
    with LiveProgress(make_tally(), console) as progress:
        progress._tally.start, progress._tally.best = record(8, 0.5), record(9, 0.31234)
        progress.started(1, assignment(1))
        progress.progressed(1, [Point("val_loss", step, 1 / (step + 1), 0.0) for step in range(10)])
        with console.capture() as captured:
            console.print(progress._trials(), progress._bar())
    text = _bare(captured.get())
    assert [cell for cell in there if cell not in text] == []


def test_a_narrow_terminal_wraps_how_a_trial_ended():
    console = Console(file=io.StringIO(), force_terminal=True, width=40, height=20)
    with LiveProgress(make_tally(), console) as progress:
        progress.started(1, assignment(1))
        progress.ended(
            record(1, None, state=TrialState.FAILED, reason=Reason.EXCEPTION, message="ValueError: the last word"),
            assignment(1),
            reused=False,
        )
        assert isinstance(console.file, io.StringIO)
        assert "the last word" in console.file.getvalue()


def test_a_note_keeps_its_brackets():
    file = io.StringIO()
    with LiveProgress(make_tally(), Console(file=file, width=100)) as progress:
        progress.note("needs [gpu]: pip install 'headway[gpu]'")
    assert "needs [gpu]: pip install 'headway[gpu]'" in file.getvalue()


def _bare(line: str) -> str:
    import click

    return click.unstyle(line)
