"""How often looking after every pair finds what is not there, and how soon it finds what is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from scipy.special import stdtr

from benchmarks._runs import Floats, Group, real_groups
from benchmarks.runner import Context, Result, Row, Sample, Table, at_least, at_most, benchmark
from headway.validate.eprocess import EProcess
from headway.validate.noise import Noise, difference_noise, learn_noise, prior_noise

_LOOKS, _ALPHA, _EFFECT, _STUDIES, _BASELINES = 20, 0.05, 1.5, 10_000, 5
_Source = Literal["real", "normal"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Study:
    """Hold one study: its pairs' differences, other runs of its baseline, and where both were drawn."""

    differences: Floats
    baselines: Floats
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Hold what the studies of one kind ended with."""

    decided: float
    mean_pairs: float  # a study that never decides counts with all its pairs
    studies: int

    @property
    def error(self) -> float:
        """Return the Monte Carlo standard error of `decided`."""
        return math.sqrt(max(self.decided * (1 - self.decided), 1 / self.studies) / self.studies)


_METHODS: dict[str, tuple[Callable[[_Study], Noise | None], str]] = {
    "known": (lambda study: Noise(real_groups()[study.group].sd), "the true sd of a run is given"),
    "from pairs": (lambda _: None, "nothing is known; the same pairs show the noise"),
    "a/a": (lambda study: learn_noise([list(study.baselines)]), f"{_BASELINES} other runs of the baseline, as data"),
    "shrunken": (
        lambda study: learn_noise([list(study.baselines)], _history(study.group)),
        f"the same, and the {len(real_groups()) - 1} other groups as a prior",
    ),
    "borrowed": (
        lambda study: Noise(_history(study.group).sd),
        "wrong use: another group's typical sd taken for known",
    ),
}


@benchmark("looking after each of 20 pairs is wrong at most 5 % of the time, on real runs; 1.5 sds are found within 8")
def run(context: Context) -> Result:
    """Measure false positives and power, on residuals of real runs and on normal ones."""
    studies = context.pick(_STUDIES, _STUDIES // 50)
    null, effect = (_measure(context, "real", size, studies) for size in (0.0, _EFFECT))
    normal_null, normal = (_measure(context, "normal", size, studies) for size in (0.0, _EFFECT))
    figures = {
        **{f"false_positive_percent_{_slug(name)}": 100 * found.decided for name, found in null.items()},
        **{f"false_positive_percent_normal_{_slug(name)}": 100 * found.decided for name, found in normal_null.items()},
        **{f"power_percent_{_slug(name)}": 100 * found.decided for name, found in normal.items()},
        **{f"mean_pairs_{_slug(name)}": found.mean_pairs for name, found in normal.items()},
        **{f"power_percent_real_{_slug(name)}": 100 * found.decided for name, found in effect.items()},
        **{f"mean_pairs_real_{_slug(name)}": found.mean_pairs for name, found in effect.items()},
    }
    ours = ("known", "from pairs", "a/a", "shrunken")
    targets = {
        **{f"false_positive_percent_{_slug(name)}": at_most(100 * null[name].decided, 100 * _ALPHA) for name in ours},
        **{f"power_percent_{_slug(name)}": at_least(100 * normal[name].decided, 95) for name in ours},
        "mean_pairs_known": at_most(normal["known"].mean_pairs, 8),
        "mean_pairs_from_pairs": at_most(normal["from pairs"].mean_pairs, 11),
    }
    tables = (
        _table(f"A/A, {_LOOKS} looks at 5 %, residuals of real runs: false positives", null),
        _table(f"A/A, {_LOOKS} looks at 5 %, normal residuals: false positives", normal_null),
        _table(f"An effect of {_EFFECT} sds of one run within {_LOOKS} pairs, real residuals: found", effect),
        _table(f"An effect of {_EFFECT} sds of one run within {_LOOKS} pairs, normal residuals: found", normal),
    )
    return Result(tables=tables, figures=figures, targets=targets)


def _measure(context: Context, source: _Source, effect: float, studies: int) -> dict[str, _Found]:
    context.say(f"{studies:,} studies of {source} residuals, effect {effect:g}")
    draw = np.random.default_rng([len(source), round(10 * effect)])
    drawn = [_draw(draw, source, effect) for _ in range(studies)]
    found = {
        name: _found([_stop(study, noise_of(study)) for study in drawn]) for name, (noise_of, _) in _METHODS.items()
    }
    return found | {"t-test": _found(_stops_of_t_tests(np.stack([study.differences for study in drawn])))}


def _draw(draw: np.random.Generator, source: _Source, effect: float) -> _Study:
    """Draw runs of one group, with replacement; the candidates are better by the effect in its sds."""
    index = int(draw.integers(len(real_groups())))
    group = real_groups()[index]
    runs = _residuals(draw, source, group, 2 * _LOOKS + _BASELINES)
    differences = runs[:_LOOKS] - runs[_LOOKS : 2 * _LOOKS] + effect * group.sd
    return _Study(differences=differences, baselines=runs[2 * _LOOKS :], group=index)


def _residuals(draw: np.random.Generator, source: _Source, group: Group, count: int) -> Floats:
    return draw.choice(group.residuals, count) if source == "real" else draw.normal(0, group.sd, count)


@cache
def _history(left_out: int) -> Noise:
    """Return the prior from all groups but the one that the study is drawn from."""
    others = [group for index, group in enumerate(real_groups()) if index != left_out]
    return prior_noise([Noise(group.sd, group.runs - 1) for group in others])


def _stop(study: _Study, noise: Noise | None) -> int | None:
    process = EProcess.start(None if noise is None else difference_noise(noise))
    for pairs, difference in enumerate(study.differences, 1):
        process = process.after(float(difference))
        if process.decided(_ALPHA):
            return pairs
    return None


def _stops_of_t_tests(differences: Floats) -> list[int | None]:
    """Return when a two-sided t-test at each look from the second pair on would first say that there is an effect."""
    count = np.arange(1, _LOOKS + 1)
    mean = differences.cumsum(axis=1) / count
    variance = np.maximum((differences**2).cumsum(axis=1) / count - mean**2, 0) * count / np.maximum(count - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(mean) / np.sqrt(variance / count)
    wrong = (2 * stdtr(np.maximum(count - 1, 1), -t) < _ALPHA) & (count > 1)
    return [int(row.argmax()) + 1 if row.any() else None for row in wrong]


def _found(stops: Sequence[int | None]) -> _Found:
    decided = [stop for stop in stops if stop is not None]
    total = sum(decided) + _LOOKS * (len(stops) - len(decided))
    return _Found(decided=len(decided) / len(stops), mean_pairs=total / len(stops), studies=len(stops))


def _table(title: str, found: dict[str, _Found]) -> Table:
    notes = {name: note for name, (_, note) in _METHODS.items()} | {"t-test": "a two-sided t-test at each look"}
    rows = [
        Row(
            name=name,
            samples=[Sample(100 * item.decided)],
            note=f"± {100 * item.error:.2f}; {item.mean_pairs:.2f} pairs on average; {notes[name]}",
        )
        for name, item in found.items()
    ]
    return Table(title=title, unit="% of studies", rows=rows)


def _slug(name: str) -> str:
    return name.replace(" ", "_").replace("/", "").replace("-", "_")
