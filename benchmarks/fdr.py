"""How many accepted ideas are false when a project tests 2,000 of them against one control."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from benchmarks._runs import Floats
from benchmarks.runner import Context, Result, Row, Sample, Table, at_least, at_most, benchmark
from headway.validate.eprocess import EProcess, evidence
from headway.validate.fdr import OnlineFdr
from headway.validate.noise import Noise, difference_noise, learn_noise

_IDEAS, _REAL, _SEEDS, _BASELINES, _PROJECTS, _LEVEL = 2_000, 0.1, 8, 20, 300, 0.1
_FEWEST, _MOST, _ENOUGH = 4, 24, 9.0  # pairs, pairs, log e-value: when to stop
_EFFECTS = (1.0, 5.0)  # sds of one run, uniform
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Project:
    """Hold what one project finds out: an e-value and a p-value for each idea from 8 pairs, and one at its stop."""

    real: Flags
    log_e: Floats
    p: Floats
    stopped_log_e: Floats
    stopped_pairs: Floats


@benchmark("of 2,000 ideas, a tenth real, tested against one control: at most 10 % of the accepted ones are false")
def run(context: Context) -> Result:
    """Measure false discoveries and power of e-LOND beside Bonferroni's and LORD++'s."""
    ideas, projects = context.pick(_IDEAS, 200), context.pick(_PROJECTS, 20)
    share, power, pairs = _measure(context, ideas, projects)
    figures = {
        **{f"false_discovery_rate_{name}": float(found.mean()) for name, found in share.items()},
        **{f"worst_tenth_of_projects_{name}": float(np.quantile(found, 0.9)) for name, found in share.items()},
        **{f"power_{name}": float(found.mean()) for name, found in power.items()},
        "pairs_of_an_idea_stopped": pairs,
    }
    targets = {
        "false_discovery_rate_headway": at_most(float(share["headway"].mean()), _LEVEL),
        "false_discovery_rate_stopped": at_most(float(share["stopped"].mean()), _LEVEL),
        "power_stopped_minus_bonferroni": at_least(float((power["stopped"] - power["bonferroni"]).mean()), 0.0),
        "pairs_of_an_idea_stopped": at_most(pairs, _SEEDS),
    }
    tables = (
        _table(f"False among the accepted, {projects} projects of {ideas:,} ideas, level {_LEVEL}", share),
        _table("Real ideas that were accepted", power),
    )
    return Result(tables=tables, figures=figures, targets=targets)


def _measure(context: Context, ideas: int, projects: int) -> tuple[dict[str, Floats], dict[str, Floats], float]:
    share = {name: np.zeros(projects) for name in _METHODS}
    power = {name: np.zeros(projects) for name in _METHODS}
    pairs = np.zeros(projects)
    for index in range(projects):
        if index % 100 == 0:
            context.say(f"project {index} of {projects}")
        project = _draw(np.random.default_rng([_SEEDS, index]), ideas)
        pairs[index] = project.stopped_pairs.mean()
        for name, (accept, _) in _METHODS.items():
            accepted = accept(project)
            share[name][index] = (accepted & ~project.real).sum() / max(1, accepted.sum())
            power[name][index] = (accepted & project.real).sum() / max(1, project.real.sum())
    return share, power, float(pairs.mean())


def _draw(draw: np.random.Generator, ideas: int) -> _Project:
    """Run the control once on each seed, and each idea on the same seeds; further baseline runs show the noise."""
    real = draw.random(ideas) < _REAL
    effects = np.where(real, draw.uniform(*_EFFECTS, ideas), 0.0)
    control = draw.normal(0, 1, _MOST)
    differences = draw.normal(effects[:, None], 1, (ideas, _MOST)) - control
    noise = difference_noise(learn_noise([draw.normal(0, 1, _BASELINES).tolist()]))
    stops = [_stop(row.tolist(), noise) for row in differences]
    few = differences[:, :_SEEDS]
    return _Project(
        real=real,
        log_e=np.array([evidence(row.tolist(), noise) for row in few]),
        p=_p_values(few, noise),
        stopped_log_e=np.array([process.log_e for process in stops]),
        stopped_pairs=np.array([float(process.count) for process in stops]),
    )


def _stop(differences: Sequence[float], noise: Noise) -> EProcess:
    """Add pairs until there is plenty of evidence, or none after four. The rule looks at nothing but this e-process."""
    process = EProcess.start(noise)
    for difference in differences:
        process = process.after(difference)
        log_e = process.log_e
        if log_e >= _ENOUGH or (process.count >= _FEWEST and log_e < 0):
            break
    return process


def _p_values(differences: Floats, noise: Noise) -> Floats:
    """Return one-sided p-values of t-tests that pool the same squares as the e-values."""
    squares = ((differences - differences.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    degrees = _SEEDS - 1 + noise.degrees
    t = differences.mean(axis=1) / np.sqrt((squares + noise.degrees * noise.sd**2) / degrees / _SEEDS)
    return np.asarray(stdtr(degrees, -t), dtype=np.float64)


def _e_lond(log_es: Floats) -> Flags:
    state, accepted = OnlineFdr(level=_LEVEL), np.zeros(len(log_es), dtype=np.bool_)
    for index, log_e in enumerate(log_es):
        test = state.test(float(log_e))
        state, accepted[index] = state.after(test), test.accepted
    return accepted


def _bonferroni(project: _Project) -> Flags:
    return project.p <= _LEVEL / len(project.p)


def _lord(project: _Project) -> Flags:
    """Accept by LORD++ (Ramdas, Yang, Wainwright and Jordan, NeurIPS 2017), with half of the level as first wealth."""
    ideas = len(project.p)
    turns = np.arange(1, ideas + 1)
    shares = 0.07720838 * np.log(np.maximum(turns, 2)) / (turns * np.exp(np.sqrt(np.log(turns))))
    levels, accepted, first = _LEVEL / 2 * shares, np.zeros(ideas, dtype=np.bool_), True
    for index in range(ideas):
        if project.p[index] <= levels[index]:
            accepted[index] = True
            levels[index + 1 :] += (_LEVEL / 2 if first else _LEVEL) * shares[: ideas - index - 1]
            first = False
    return accepted


def _table(title: str, found: Mapping[str, Floats]) -> Table:
    rows = [
        Row(
            name=name,
            samples=[Sample(float(values.mean()))],
            note=f"± {values.std() / math.sqrt(len(values)):.4f}; {_METHODS[name][1]}",
        )
        for name, values in found.items()
    ]
    return Table(title=title, unit="mean share", rows=rows)


_METHODS: dict[str, tuple[Callable[[_Project], Flags], str]] = {
    "headway": (lambda project: _e_lond(project.log_e), "e-LOND, 8 pairs; any dependence, any number of ideas"),
    "stopped": (lambda project: _e_lond(project.stopped_log_e), "e-LOND, 4 to 24 pairs, as the e-process asks for"),
    "bonferroni": (_bonferroni, "p-values of 8 pairs, and the number of ideas known in advance"),
    "lord": (_lord, "LORD++ on p-values of 8 pairs; promises nothing where they share a control"),
}
