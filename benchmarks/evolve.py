"""Evolution beside OpenEvolve and ShinkaEvolve: trials a second, trouble, and what the best program is worth."""

import json
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._evolve_trouble import Trouble, troubles
from benchmarks.runner import (
    Context,
    Peer,
    PeerFailed,
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

_OPENEVOLVE = Peer(name="openevolve", package="openevolve", group="openevolve")
_SHINKA = Peer(name="shinka", package="shinka-evolve", group="shinka")
_EXAMPLES = Path(__file__).parents[1] / "examples" / "evolve"
_WORKERS = (1, 2)
# A program of the size of a published example, and the log as it ships: see docs/benchmarks.md for the kindest setting.
_SHIPPED = ("--program-bytes", 3000)
_TIMES_AT_200, _TIMES_AT_1000, _FLAT = 2.0, 15.0, 1.2
_BETTER, _REPEATS_300, _REPEATS_60 = 0.0, 20, 20

Outcome = Mapping[str, Any]
Found = Sequence[Outcome] | PeerFailed


@benchmark(
    "evolution: twice OpenEvolve's trials a second at 200, 15 times at 1,000; the best is really better under noise"
)
def run(context: Context) -> Result:
    """Measure speed with a model that answers at once, trouble, and the truth of the best under noise."""
    speed, speed_targets, figures = _speed(context)
    trouble = troubles(context)
    noisy, noisy_targets = _noisy(context)
    published, published_targets = _published(context)
    return Result(
        tables=(*speed, *noisy, published),
        figures={**figures, **trouble.figures},
        targets={**speed_targets, **_trouble_targets(trouble), **noisy_targets, **published_targets},
    )


def _speed(context: Context) -> tuple[list[Table], dict[str, Target], dict[str, float | None]]:
    few, many, most = context.pick((200, 1000, 2000), (120, 200, 300))
    contestants: dict[str, Callable[[], Outcome]] = {}
    for workers in _WORKERS:
        for name, peer, words in (
            ("headway", None, _SHIPPED),
            ("openevolve as it ships", _OPENEVOLVE, (*_SHIPPED, "--log-level", "INFO")),
            ("openevolve, short program, quiet", _OPENEVOLVE, ()),
        ):
            contestants[f"{name}, {workers}"] = partial(_evolved, context, peer, "trivial", many, workers, *words)
        for name, peer, words in (
            ("headway, asked over HTTP", None, _SHIPPED),
            ("openevolve, asked over HTTP", _OPENEVOLVE, (*_SHIPPED, "--log-level", "INFO")),
        ):
            asked = (*words, "--served")
            contestants[f"{name}, {workers}"] = partial(_evolved, context, peer, "trivial", few, workers, *asked)
    contestants["shinka, 2"] = partial(_evolved, context, _SHINKA, "trivial", context.pick(60, 10), 2, *_SHIPPED)
    contestants["headway to the end, 1"] = partial(_evolved, context, None, "trivial", most, 1, *_SHIPPED)
    found = context.in_turns(contestants, max(1, context.repeats - 2))
    first = Table(
        title=f"Trials a second, the first {few} (name, workers)",
        unit="1/s",
        rows=[_row(context, name, found[name], partial(_rate, first=1, last=few)) for name in contestants],
    )
    last = Table(
        title=f"Trials a second, the last hundred of {many}",
        unit="1/s",
        rows=[
            _row(context, name, found[name], partial(_rate, first=many - 99, last=many))
            for name in contestants
            if not any(word in name for word in ("shinka", "end", "HTTP"))
        ],
    )
    cpu = Table(
        title=f"CPU of a trial, every process, start and end with it ({many} trials; over HTTP {few}, shinka fewer)",
        unit="ms",
        rows=[_row(context, name, found[name], _cpu) for name in contestants if "end" not in name],
    )
    whole = found["headway to the end, 1"]
    growth = (
        None
        if isinstance(whole, PeerFailed)
        else statistics.median(_rate(item, 101, 200) / _rate(item, most - 99, most) for item in whole)
    )
    http, shipped = ("headway, asked over HTTP", "openevolve, asked over HTTP"), ("headway", "openevolve as it ships")
    targets: dict[str, Target] = {}
    for n in _WORKERS:
        for name, table, pair, least in (
            (f"times_openevolve_at_{few}_with_{n}", first, shipped, _TIMES_AT_200),
            (f"times_openevolve_asked_over_http_at_{few}_with_{n}", first, http, _TIMES_AT_200),
            (f"times_openevolve_at_{many}_with_{n}", last, shipped, _TIMES_AT_1000),
        ):
            targets[name] = at_least(ratio(*(table.row(f"{one}, {n}").figure for one in pair)), least)
    targets[f"rate_of_the_second_hundred_by_that_of_the_last_of_{most}"] = at_most(growth, _FLAT)
    return [first, last, cpu], targets, {"headway_growth": growth}


def _noisy(context: Context) -> tuple[list[Table], dict[str, Target]]:
    """Compare the true values of the best programs: what each tool itself calls its best."""
    tables: list[Table] = []
    targets: dict[str, Target] = {}
    for peer, trials, repeats in ((_OPENEVOLVE, 300, _REPEATS_300), (_SHINKA, 60, _REPEATS_60)):
        seeds = range(context.pick(repeats, 2))
        trials = context.pick(trials, 40)
        truth: dict[str, list[float]] = {}
        rows: list[Row] = []
        for name, one in (("headway", None), (peer.name, peer)):
            found = _repeated(context, one, trials, seeds)
            if not isinstance(found, PeerFailed):
                truth[name] = [item["best"]["true_value"] for item in found]
            rows.append(_row(context, name, found, lambda item: item["best"]["true_value"], ours=one is None))
            rows.append(_row(context, f"{name}, claimed", found, lambda item: item["best"]["claimed"]))
        title = f"True value of the best of {trials} trials, {len(seeds)} tasks; the first program is worth 0"
        tables.append(Table(title=title, unit="sds of noise", rows=rows))
        both = len(truth) == 2
        gain = statistics.fmean(truth["headway"]) - statistics.fmean(truth[peer.name]) if both else None
        targets[f"gain_over_{peer.name}_of_{trials}"] = at_least(gain, _BETTER)
    return tables, targets


def _published(context: Context) -> tuple[Table, dict[str, Target]]:
    """Run the two tasks that OpenEvolve publishes, written anew, and say how far their verdicts bear them out."""
    trials = context.pick(100, 30)
    rows: list[Row] = []
    targets: dict[str, Target] = {}
    for name in ("function_minimization", "circle_packing"):
        context.say(f"{name}: {trials} trials")
        with context.folder() as folder:
            shutil.copytree(_EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            words = ["evolve", name, "--function", "model.py:complete", "--budget", f"{trials} trials", "--json"]
            command = [context.python(None), "-m", "headway", *words, "--workers", "2", "--store", "store"]
            ended = run_process(command, folder=folder, seconds=900)
        if ended.code != 0:
            rows.append(Row(name=name, failure=f"ended with code {ended.code}"))
            targets[f"{name}_low_end_of_the_gain"] = at_least(None, 0.0)
            continue
        (study,) = json.loads(ended.stdout)["studies"]
        (verdict,) = [item for item in study["verdicts"] if "effect" in item][:1]
        rows.append(Row.of(name, [Sample(verdict["effect"])], note=verdict["sentence"]))
        targets[f"{name}_low_end_of_the_gain"] = at_least(verdict["low"], 0.0)
    title = f"Gain of the best of {trials} trials over the published task's first program, on fresh seeds"
    return Table(title=title, unit="combined_score", rows=rows), targets


def _repeated(context: Context, peer: Peer | None, trials: int, seeds: Sequence[int]) -> Found:
    found: list[Outcome] = []
    for seed in seeds:
        context.say(
            f"{'headway' if peer is None else peer.name}: noisy task {seed + 1} of {len(seeds)}, {trials} trials"
        )
        words = ("--model", "known_effects", "--seed", seed, "--task-seed", seed)
        try:
            found.append(_evolved(context, peer, "noisy", trials, 2, *words))
        except PeerFailed as error:
            return error
    return found


def _evolved(context: Context, peer: Peer | None, task: str, trials: int, workers: int, *words: object) -> Outcome:
    script = f"{_name(peer)}_evolve"
    with context.folder() as folder:
        return context.drive(
            script, task, folder / "run", trials, workers, *words, folder=folder, peer=peer, seconds=1800
        ).data


def _name(peer: Peer | None) -> str:
    return "headway" if peer is None else peer.name


def _row(context: Context, name: str, found: Found, value: Callable[[Outcome], float], *, ours: bool = False) -> Row:
    peer = _OPENEVOLVE if "openevolve" in name else _SHINKA if "shinka" in name else None
    if isinstance(found, PeerFailed):
        return Row.of(name, found)
    samples = [Sample(value(item), item["cpu_seconds"], item["wall_seconds"]) for item in found]
    return Row.of(name, samples, version=context.version(peer), ours=ours or name == "headway, 1")


def _rate(outcome: Outcome, first: int, last: int) -> float:
    """Return the trials a second between the end of one trial and that of another, counted from 1."""
    ended = [seconds for seconds, _ in outcome["scores"]]
    last = min(last, len(ended))
    return (last - first) / (ended[last - 1] - ended[first - 1])


def _cpu(outcome: Outcome) -> float:
    return 1000 * outcome["cpu_seconds"] / outcome["trials"]


def _trouble_targets(trouble: Trouble) -> dict[str, Target]:
    return {
        "ran_of_the_five_after_a_hang": at_least(trouble.after_a_hang, 5),
        "evaluations_of_a_crash": at_most(trouble.evaluations_of_a_crash, 1),
        "trials_lost_by_a_kill": at_most(trouble.lost_by_a_kill, 1),
        "bytes_sent_late_by_early": at_most(trouble.growth_of_bytes, 1.05),
    }
