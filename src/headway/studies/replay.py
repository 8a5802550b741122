"""Which kept steps of an autoresearch ledger are more than noise, and what it would take to know. Runs nothing.

Such a run keeps a change when one result is better than the best so far. What the noise is, the ledger itself tells
where it holds null experiments: runs whose change should not matter, as another seed. `headway replay` shows it.
"""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headway.core import Direction, UsageError
from headway.studies.results_tsv import LedgerRow, ResultsLedger
from headway.validate import Attempt, Noise, ShrunkGain, format_estimate, pairs_needed, shrink_gain

__all__ = ["NullExperiment", "Replay", "ReplayStep", "judge_ledger"]

_NULL = re.compile(
    r"\bseeds?\b.{0,20}?\d+\s*(?:->|→|=>|to)\s*\d+|\b(?:random|different|another|new|other) seed\b|\bno-?op\b|"
    r"\bno functional change\b|\brefactor|\bsame as\b|\bre-?run\b|\breplicat|\breproduc|\bidentical (?:to|code)\b",
    re.IGNORECASE,
)
_PERHAPS_NULL = re.compile(
    r"\bprecompute|\bseed\b|\bcleanup\b|\bclean up\b|\brenam|\bcomment|\blogg|\brepeat|\bcache|\bsimplif|\bunused\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NullExperiment:
    """Hold a run whose change should not matter, and the run it equals. `difference` is positive where better."""

    commit: str
    description: str
    equals: str
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayStep:
    """Hold one kept change against the version kept before it.

    `gain` is positive where better. `p_value` is two-sided, of this step alone. `inside_noise` says that two runs of
    one version would lie as far apart too often. `chance_better` is the probability that the change helps, given the
    whole ledger and the model of `shrink_gain`. `pairs` are the fresh pairs of runs that find a gain of this size with
    a chance of 80 %; None where more than 100,000, or no gain.
    """

    commit: str
    description: str
    value: float
    gain: float
    p_value: float
    inside_noise: bool
    chance_better: float
    pairs: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Hold what a ledger proves. `threshold` is the difference of two single runs that noise seldom makes.

    `trials_to_know` counts the runs that settle all steps inside the noise: each version as often as the more demanding
    of its two comparisons needs; None where one needs more than 100,000 pairs. `perhaps_null` are commits whose
    description could be that of a null experiment; they do not count unless they are named.
    """

    metric: str
    direction: Direction
    level: float
    trials: int
    crashes: int
    kept: int
    noise: Noise
    noise_source: str
    nulls: tuple[NullExperiment, ...]
    perhaps_null: tuple[str, ...]
    threshold: float
    steps: tuple[ReplayStep, ...]
    gain: ShrunkGain
    trials_to_know: int | None
    notes: tuple[str, ...]
    sentence: str

    @property
    def inside(self) -> list[ReplayStep]:
        """Return the improving steps that cannot be told from noise."""
        return [step for step in self.steps if step.gain > 0 and step.inside_noise]

    @property
    def improving(self) -> list[ReplayStep]:
        """Return the kept steps whose result was better than the one before."""
        return [step for step in self.steps if step.gain > 0]

    def to_json(self) -> dict[str, Any]:
        """Return the replay as JSON; infinite degrees (a noise that was given) become null."""
        data = asdict(self)
        data["gain"].pop("chances")
        data["improving"], data["inside_noise"] = len(self.improving), len(self.inside)
        return data


def judge_ledger(
    ledger: ResultsLedger,
    *,
    direction: Direction = "minimize",
    noise: float | None = None,
    nulls: Sequence[str] = (),
    not_nulls: Sequence[str] = (),
    level: float = 0.95,
) -> Replay:
    """Judge each kept step of a ledger against the noise of a single run.

    `noise` is the standard deviation of one run in the metric's units, where it is known. Else null experiments tell
    it: those whose description says so, and those named in `nulls` by commit, less those in `not_nulls`. A step is
    compared with Student's t at the degrees that the null experiments leave, so two of them exclude little. Their
    reference was kept for a good result, so its luck enters and the noise is rather over- than underestimated.

    Raises `UsageError` where fewer than two runs were kept, and where nothing tells the noise.
    """
    sign = 1.0 if direction == "maximize" else -1.0
    ended = [row for row in ledger.rows if row.value is not None]
    kept = [index for index, row in enumerate(ended) if row.status == "keep"]
    if len(kept) < 2 or kept[0] != 0:
        first = "begins with no kept run (the baseline)" if kept and kept[0] else f"has {len(kept)} kept runs"
        raise UsageError(f"The ledger {first}, so there is no step to judge. Expected a baseline and kept changes.")
    marked = _marked(ledger, ended, nulls, not_nulls)
    parents = _parents(ended, marked)
    known = _given(noise) if noise is not None else _revealed(ended, parents, marked)
    attempts = [
        Attempt(value=sign * _result(row), parent=parent, null=index in marked)
        for index, (row, parent) in enumerate(zip(ended, parents, strict=True))
    ]
    gain = shrink_gain(attempts, kept[-1], known if noise is not None else None, level=level)
    threshold = _threshold(known, level)
    steps = tuple(_step(ended, attempts, index, known, threshold, gain) for index in kept[1:])
    found = tuple(_null(ended, attempts, index) for index in sorted(marked))
    source = "given" if noise is not None else f"{len(found)} null experiment{'' if len(found) == 1 else 's'}"
    perhaps = tuple(
        row.commit for index, row in enumerate(ended[1:], 1)
        if index not in marked and row.status != "keep" and row.commit not in not_nulls
        and _PERHAPS_NULL.search(row.description)
    )  # fmt: skip
    return Replay(
        metric=ledger.metric,
        direction=direction,
        level=level,
        trials=len(ledger.rows),
        crashes=len(ledger.rows) - len(ended),
        kept=len(kept),
        noise=known,
        noise_source=source,
        nulls=found,
        perhaps_null=perhaps,
        threshold=threshold,
        steps=steps,
        gain=gain,
        trials_to_know=_trials_to_know(steps),
        notes=_notes(steps, known, len(ended) - 1, level, direction),
        sentence=_sentence(ledger.metric, steps, known, gain, threshold, level),
    )


def _marked(
    ledger: ResultsLedger, ended: Sequence[LedgerRow], nulls: Sequence[str], not_nulls: Sequence[str]
) -> set[int]:
    """Return the places of null experiments among the runs that ended."""
    places = {row.line: index for index, row in enumerate(ended)}
    named: list[set[int]] = []
    for commits in (nulls, not_nulls):
        rows = [ledger.rows[ledger.find(commit)] for commit in commits]
        for row in rows:
            if row.line not in places or places[row.line] == 0:
                what = "is the first run" if row.line in places else "crashed"
                raise UsageError(
                    f"{row.commit} {what}, so it repeats nothing. Name a run that ended after the baseline."
                )
        named.append({places[row.line] for row in rows})
    told = {index for index, row in enumerate(ended[1:], 1) if _NULL.search(row.description)}
    return (told | named[0]) - named[1]


def _parents(ended: Sequence[LedgerRow], marked: set[int]) -> list[int | None]:
    """Return which run each one changed: the last kept; for a null, an earlier run that its description names."""
    parents: list[int | None] = [None]
    last = 0
    for index, row in enumerate(ended[1:], 1):
        parents.append(last if index not in marked else _named_run(ended, index, last))
        if row.status == "keep":
            last = index
    return parents


def _named_run(ended: Sequence[LedgerRow], index: int, last: int) -> int:
    words = set(re.findall(r"\w+", ended[index].description.lower()))
    for earlier in range(index - 1, -1, -1):
        if len(ended[earlier].commit) >= 6 and ended[earlier].commit.lower() in words:
            return earlier
    return 0 if "baseline" in words else last


def _given(sd: float) -> Noise:
    if not sd > 0:
        raise UsageError(f"--noise {sd} leaves no noise. Give the standard deviation of one run, above 0.")
    return Noise(sd)


def _revealed(ended: Sequence[LedgerRow], parents: Sequence[int | None], marked: set[int]) -> Noise:
    """Return the pooled spread of runs that should be equal, with a degree for each beyond the first of a group."""
    groups = defaultdict[int, list[float]](list)
    root = list(range(len(ended)))
    for index in sorted(marked):
        parent = parents[index]
        assert parent is not None  # the first run is never marked
        root[index] = root[parent]
        groups[root[index]].append(_result(ended[index]))
    squares, degrees = 0.0, 0
    for first, values in groups.items():
        values.append(_result(ended[first]))
        mean = math.fsum(values) / len(values)
        squares += math.fsum((value - mean) ** 2 for value in values)
        degrees += len(values) - 1
    if squares == 0:
        what = (
            "Its null experiments are equal to the last digit"
            if degrees
            else "No description tells of a null experiment"
        )
        raise UsageError(
            f"The ledger does not tell its noise. {what}. Give the standard deviation of one run with --noise SD, or "
            "name runs that changed nothing but the seed with --null COMMIT."
        )
    return Noise(math.sqrt(squares / degrees), degrees)


def _threshold(noise: Noise, level: float) -> float:
    from scipy.special import ndtri, stdtrit

    upper = (1 + level) / 2
    quantile = float(ndtri(upper) if math.isinf(noise.degrees) else stdtrit(noise.degrees, upper))
    return quantile * noise.sd * math.sqrt(2)


def _step(
    ended: Sequence[LedgerRow],
    attempts: Sequence[Attempt],
    index: int,
    noise: Noise,
    threshold: float,
    shrunk: ShrunkGain,
) -> ReplayStep:
    from scipy.special import ndtr, stdtr

    parent = attempts[index].parent
    assert parent is not None  # only the first has none
    gain = attempts[index].value - attempts[parent].value
    ratio = -abs(gain) / (noise.sd * math.sqrt(2))
    tail = float(ndtr(ratio) if math.isinf(noise.degrees) else stdtr(noise.degrees, ratio))
    row = ended[index]
    return ReplayStep(
        commit=row.commit,
        description=row.description,
        value=_result(row),
        gain=gain,
        p_value=min(1.0, 2 * tail),
        inside_noise=abs(gain) <= threshold,
        chance_better=shrunk.chances[index],
        pairs=pairs_needed(gain, noise) if gain > 0 else None,
    )


def _null(ended: Sequence[LedgerRow], attempts: Sequence[Attempt], index: int) -> NullExperiment:
    parent = attempts[index].parent
    assert parent is not None  # the first run is never marked
    return NullExperiment(
        commit=ended[index].commit,
        description=ended[index].description,
        equals=ended[parent].commit,
        difference=attempts[index].value - attempts[parent].value,
    )


def _trials_to_know(steps: Sequence[ReplayStep]) -> int | None:
    """Return the runs that settle the steps inside the noise; one version serves the steps before and after it."""
    runs = [0] * (len(steps) + 1)
    for index, step in enumerate(steps):
        if step.gain > 0 and step.inside_noise:
            if step.pairs is None:
                return None
            runs[index], runs[index + 1] = max(runs[index], step.pairs), max(runs[index + 1], step.pairs)
    return sum(runs)


def _notes(
    steps: Sequence[ReplayStep], noise: Noise, tries: int, level: float, direction: Direction
) -> tuple[str, ...]:
    notes: list[str] = []
    if noise.degrees <= 5:
        from scipy.special import chdtri

        tails = ((1 - level) / 2, (1 + level) / 2)
        low, high = (noise.sd * math.sqrt(noise.degrees / float(chdtri(noise.degrees, tail))) for tail in tails)
        notes.append(
            f"The noise is known badly, with {noise.degrees:g} degree{'' if noise.degrees == 1 else 's'} of freedom: "
            f"its {level * 100:g} % interval is {low:.2g} to {high:.2g}. A few runs of one version with other seeds "
            "would help most."
        )
    notes.append(
        f"Each step is judged alone. Of {tries} tries without any effect, about {tries * (1 - level) / 2:.1f} would "
        "look better than noise allows."
    )
    worse = sum(step.gain < 0 for step in steps)
    if worse > len(steps) / 2:
        other = "a lower" if direction == "maximize" else "a higher"
        flag = "leave out --maximize" if direction == "maximize" else "pass --maximize"
        notes.append(
            f"{worse} of {len(steps)} kept results are worse than the one before. If {other} value is better, {flag}."
        )
    return tuple(notes)


def _sentence(
    metric: str, steps: Sequence[ReplayStep], noise: Noise, gain: ShrunkGain, threshold: float, level: float
) -> str:
    improving = [step for step in steps if step.gain > 0]
    inside = sum(step.inside_noise for step in improving)
    half = (gain.high - gain.low) / 2
    return (
        f"{inside} of {len(improving)} improving steps cannot be told from noise: two runs of one version differ by up "
        f"to {threshold:.2g} in {level * 100:g} % of cases (a run's sd is {noise.sd:.2g}); the claimed total gain of "
        f"{gain.claimed:.4g} in {metric} shrinks to {format_estimate(gain.expected, half)}."
    )


def _result(row: LedgerRow) -> float:
    assert row.value is not None  # only runs that ended are passed
    return row.value
