"""Whether many can use one store at once: engines, people who look, and people and scripts that feed the queues."""

from collections.abc import Sequence

from benchmarks._crowd import Calls, Crowd, Outcome, Rush, gather, rush
from benchmarks.runner import Context, Result, Row, Sample, Table, at_least, at_most, benchmark

_CROWD = Crowd(readers=20, feeders=10, each=120, seconds=60)
_QUICK = Crowd(readers=6, feeders=4, each=20, seconds=6)
_WRITERS, _RUSH_SECONDS = 12, 15
_LONGEST_SECONDS = 2
_LOOKS = 100
_WHATS = {
    "open": "open the store",
    "read": "read",
    "begin": "begin a transaction: what others write is waited for here",
    "commit": "commit",
}


@benchmark("two engines, twenty readers and ten feeders on one store: nothing is lost or run twice, no wait over 2 s")
def run(context: Context) -> Result:
    """Let a crowd work, then a dozen that write without a rest."""
    crowd = context.pick(_CROWD, _QUICK)
    context.say(f"two engines, {crowd.readers} readers, {crowd.feeders} feeders: about {crowd.seconds:.0f} s")
    with context.folder() as folder:
        outcome = gather(folder, crowd)
    context.say(f"{_WRITERS} writers without a rest")
    with context.folder() as folder:
        rushed = rush(folder, _WRITERS, context.pick(_RUSH_SECONDS, 3))
    everything = Calls(
        [wall for calls in outcome.calls.values() for wall in calls.wall],
        [still for calls in outcome.calls.values() for still in calls.still],
    )
    problems = [*outcome.problems, *rushed.problems]
    figures: dict[str, float | None] = {
        "longest_call_seconds": max(everything.wall),
        "call_milliseconds_99_of_100": 1000 * _of_100(everything.wall, 99),
        "longest_stillstand_seconds": max(everything.still),
        "longest_wait_in_a_rush_seconds": max(rushed.waits),
        "rush_transactions_per_second": sum(rushed.transactions) / context.pick(_RUSH_SECONDS, 3),
        "looks": float(outcome.looks),
        "candidates_fed": float(outcome.fed),
        "candidates_lost": float(len(outcome.lost)),
        "candidates_run_twice": float(len(outcome.run_twice)),
        "errors": float(len(problems)),
        "trials": float(outcome.trials),
        "seconds": outcome.seconds,
        "largest_log_megabytes": outcome.largest_log_bytes / 1e6,
    }
    targets = {
        "candidates_fed": at_least(outcome.fed, crowd.feeders * crowd.each),
        "looks": at_least(outcome.looks, context.pick(_LOOKS, 10)),
        **{name: at_most(figures[name], 0) for name in ("candidates_lost", "candidates_run_twice", "errors")},
        "longest_call_seconds": at_most(figures["longest_call_seconds"], _LONGEST_SECONDS),
        "longest_wait_in_a_rush_seconds": at_most(figures["longest_wait_in_a_rush_seconds"], _LONGEST_SECONDS),
    }
    notes = [*problems, *outcome.lost, *outcome.run_twice]
    return Result(tables=_tables(outcome, rushed), figures=figures, targets=targets, notes=notes)


def _tables(outcome: Outcome, rushed: Rush) -> Sequence[Table]:
    calls = [
        _row(f"{who}: {what}", calls.wall, f"stood still for {1000 * max(calls.still):.3g} ms at most. {_WHATS[what]}")
        for (who, what), calls in sorted(outcome.calls.items())
        if what in _WHATS
    ]
    fewest, most = min(rushed.transactions), max(rushed.transactions)
    rush_row = _row("writer: begin", rushed.waits, f"{fewest:,} to {most:,} transactions a writer")
    title = f"Calls to the store, {outcome.looks:,} looks and {outcome.trials:,} trials in {outcome.seconds:.0f} s"
    return [
        Table(title=title, unit="ms, a call each", rows=calls),
        Table(title=f"{_WRITERS} processes that write without a rest", unit="ms, a transaction each", rows=[rush_row]),
    ]


def _row(name: str, seconds: Sequence[float], note: str) -> Row:
    note = f"99 of 100 within {1000 * _of_100(seconds, 99):.3g} ms; {note}"
    return Row(name=name, samples=[Sample(1000 * item) for item in seconds], note=note)


def _of_100(values: Sequence[float], share: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return sorted(values)[max(0, len(values) * share // 100 - 1)]
