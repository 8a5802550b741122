"""Which ideas are kept, and what that gains: the race beside what research agents do, on ideas with known effects."""

import functools
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks._race_policies import PEERS, Played, Scenario, play_race, read_scenarios
from benchmarks.runner import Context, Result, Row, Sample, Table, Target, at_least, at_most, benchmark

_STUDIES, _PEER_STUDIES, _CHUNK = 500, 3000, 10
_LARGE, _SMALL = 0.85, 1.05  # of greedy's gain, where effects are large, and where they are small
_FALSE_SHARE, _FALSE_KEEPS, _CLAIM = 0.15, 0.5, 0.1
_SCENARIOS = (
    Scenario.of("early", 0.10, 1.5, 0.30, 3.0, _LARGE),
    Scenario.of("late", 0.05, 0.8, 0.30, 2.0, _SMALL),
    Scenario.of("neutral", 0.05, 1.0, 0.60, 1.0, _SMALL),
    Scenario.of("easy", 0.20, 4.0, 0.20, 4.0, _LARGE),
    Scenario(name="gaussian", parts=({"share": 1, "kind": "normal", "mean": -1, "sd": 1},), gain_ratio=_SMALL),
    Scenario.of("rare", 0.01, 1.0, 0.39, 2.0, None),
)
_MODES = {"race": True, "race, noise from A/A": False}


@benchmark("of the ideas that a race keeps at most 15 % do not help; greedy's gain and more; claims that are true")
def run(context: Context) -> Result:
    """Play studies of 300 trials with each policy."""
    scenarios = read_scenarios(context.scenario) if context.scenario else _SCENARIOS
    studies = context.pick(max(_STUDIES, context.repeats), 4)
    tables: list[Table] = []
    figures: dict[str, float | None] = {}
    targets: dict[str, Target] = {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        for scenario in scenarios:
            played = {name: _race(context, pool, scenario, studies, known) for name, known in _MODES.items()}
            peers = {name: play(scenario, context.pick(_PEER_STUDIES, 50)) for name, (play, _) in PEERS.items()}
            tables.append(_table(scenario, played | peers, peers["greedy"]))
            for name in _MODES:
                found, wanted = _held_against(scenario, played[name], peers["greedy"], known=_MODES[name])
                prefix = f"{scenario.name}{'' if _MODES[name] else '_aa'}"
                figures |= {f"{prefix}_{key}": value for key, value in found.items()}
                targets |= {f"{prefix}_{key}": target for key, target in wanted.items()}
    notes = [
        f"± is the Monte Carlo standard error. {studies} studies by the race, {_PEER_STUDIES} by each other policy."
    ]
    return Result(tables=tables, figures=figures, targets=targets, notes=notes)


def _race(context: Context, pool: ProcessPoolExecutor, scenario: Scenario, studies: int, known: bool) -> Played:
    play = functools.partial(play_race, scenario, noise_known=known)
    results: list[tuple[float, float, int, int]] = []
    for result in pool.map(play, range(studies), chunksize=min(_CHUNK, studies)):
        results.append(result)
        if len(results) % 100 == 0:
            context.say(f"{scenario.name}, noise {'given' if known else 'from A/A'}: {len(results)} of {studies}")
    gain, claimed, keeps, false = np.array(results, dtype=float).T
    return Played(gain=gain, claimed=claimed, keeps=keeps, false=false)


def _held_against(
    scenario: Scenario, played: Played, greedy: Played, *, known: bool
) -> tuple[dict[str, float | None], dict[str, Target]]:
    share, each = _ratio(played.false, played.keeps)[0], float(played.false.mean())
    gained, claim = _against(played.gain, greedy.gain)[0], _ratio(played.claimed, played.gain)[0]
    figures: dict[str, float | None] = {
        "false_share_of_keeps": share,
        "false_keeps_a_study": each,
        "keeps_a_study": float(played.keeps.mean()),
        "gain": float(played.gain.mean()),
        "gain_of_greedys": gained,
        "claimed_of_real": claim,
    }
    targets = {"claim_off_by": at_most(abs(claim - 1), _CLAIM)}
    if scenario.good_share() >= 0.045:
        targets["false_share_of_keeps"] = at_most(share, _FALSE_SHARE)
    else:
        targets["false_keeps_a_study"] = at_most(each, _FALSE_KEEPS)
    if scenario.gain_ratio is not None and known:  # as the others know the noise, and pay for no run to learn it
        targets["gain_of_greedys"] = at_least(gained, scenario.gain_ratio)
    return figures, targets


def _table(scenario: Scenario, played: dict[str, Played], greedy: Played) -> Table:
    rows = [
        Row(
            name=name,
            samples=[Sample(float(item.gain.mean()))],
            note="; ".join([*_words(item, greedy), *([PEERS[name][1]] if name in PEERS else [])]),
            ours=name == "race",
        )
        for name, item in played.items()
    ]
    return Table(title=f"{scenario.name}: true gain of a study of {scenario.trials} trials", unit="metric", rows=rows)


def _words(played: Played, greedy: Played) -> Sequence[str]:
    false, false_error = _ratio(played.false, played.keeps)
    ratio, ratio_error = _against(played.gain, greedy.gain)
    claim, claim_error = _ratio(played.claimed, played.gain)
    gain_error = played.gain.std() / len(played.gain) ** 0.5
    return (
        f"false {100 * false:.1f} ± {100 * false_error:.1f} % of {played.keeps.mean():.2f} keeps",
        f"gain ± {gain_error:.2f}",
        f"{ratio:.2f} ± {ratio_error:.2f} of greedy's",
        f"claimed/real {claim:.2f} ± {claim_error:.2f}",
    )


def _ratio(over: np.ndarray, under: np.ndarray) -> tuple[float, float]:
    """Return the ratio of two sums over studies, and its standard error (delta method)."""
    if not under.sum():
        return 0.0, 0.0
    ratio = over.sum() / under.sum()
    return float(ratio), float((over - ratio * under).std() / len(over) ** 0.5 / abs(under.mean()))


def _against(gain: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the ratio of the mean gains of two groups of studies, and its standard error."""
    ratio = gain.mean() / other.mean()
    errors = [group.std() / len(group) ** 0.5 for group in (gain, ratio * other)]
    return float(ratio), float(np.hypot(*errors) / abs(other.mean()))
