"""What a study came to, without what differs from run to run: to hold a tormented study against an undisturbed one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from headway.core import HeadwayError
from headway.testing.chaos.project import Project

__all__ = ["Answer", "StudyFacts", "answer_of", "differences", "facts_of"]

_ORDER_FREE = ("grid", "random", "sobol")
_Point = tuple[str, int, float]
_TIMES = ("cost_seconds",)  # of a verdict
_RESULTS = ("state", "value", "metrics", "step", "horizon")  # of a trial
_FACTS = (*_RESULTS, "role", "number", "reason", "config")
_MOST = 5
_NOTHING = 7  # the exit code where no trial logged a point


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """Name a study. `order_free`: what it asks for does not depend on the order in which its trials end."""

    name: str
    order_free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold a study's verdicts, its trials by candidate and seed, and their curves."""

    sentence: str
    verdicts: tuple[Mapping[str, Any], ...]
    trials: Mapping[str, Mapping[str, Any]]
    curves: Mapping[str, tuple[_Point, ...]]


def facts_of(project: Project) -> StudyFacts:
    """Ask the command line which study a project's file declares first."""
    first = _ask(project, "run", str(project.file), "--dry-run")["studies"][0]
    return StudyFacts(name=first["study"], order_free=first["sampler"] in _ORDER_FREE and first["scheduler"] == "full")


def answer_of(project: Project, study: str) -> Answer:
    """Ask the command line what a study came to."""
    summary = _ask(project, "status", study)
    trials: list[dict[str, Any]] = _ask(project, "trials", study, "--limit", "0")["trials"]
    keys = {trial["trial"]: f"{trial['candidate']}/{trial['seed']}" for trial in trials}
    points: dict[str, list[_Point]] = {key: [] for key in keys.values()}
    for point in _points(project, study):
        points[keys[point["trial"]]].append((point["metric"], point["step"], point["value"]))
    return Answer(
        sentence=summary["sentence"],
        verdicts=tuple({name: item[name] for name in item if name not in _TIMES} for item in summary["verdicts"]),
        trials={keys[trial["trial"]]: {name: trial[name] for name in _FACTS} for trial in trials},
        curves={key: tuple(found) for key, found in points.items()},
    )


def differences(answer: Answer, reference: Answer, *, verdict: bool) -> list[str]:
    """Say where an answer differs from the undisturbed one.

    Without `verdict`, trials may have failed, or were chosen by the order in which others ended: only the results of
    those that are complete in both are compared.
    """
    found: list[str] = []
    facts = _FACTS if verdict else _RESULTS
    for key in sorted(answer.trials.keys() & reference.trials.keys()):
        ours, theirs = answer.trials[key], reference.trials[key]
        if not verdict and {ours["state"], theirs["state"]} != {"complete"}:
            continue
        found += [
            f"{key}: {name} is {ours[name]} and not {theirs[name]}" for name in facts if ours[name] != theirs[name]
        ]
        found += [f"{key}: {text}" for text in _curve_differences(answer.curves[key], reference.curves[key])]
    if verdict:
        missing = sorted(reference.trials.keys() ^ answer.trials.keys())
        found += [f"{key} ran in one of the two studies only" for key in missing]
        if answer.verdicts != reference.verdicts:
            found.append(f"the verdicts are {answer.verdicts} and not {reference.verdicts}")
        if answer.sentence != reference.sentence:
            found.append(f"the study says {answer.sentence!r} and not {reference.sentence!r}")
    return found if len(found) <= _MOST else [*found[:_MOST], f"and {len(found) - _MOST} more differences"]


def _curve_differences(ours: Sequence[_Point], theirs: Sequence[_Point]) -> list[str]:
    pairs = zip_longest(ours, theirs)
    first = next(((index, pair) for index, pair in enumerate(pairs) if pair[0] != pair[1]), None)
    if first is None:
        return []
    index, (our, their) = first
    return [f"of {len(ours)} logged points (not {len(theirs)}), number {index} is {our} and not {their}"]


def _points(project: Project, study: str) -> list[dict[str, Any]]:
    target = project.scratch / "curves.json"
    answer = project.type("export", study, "--curves", "--to", str(target))
    if answer.code == _NOTHING:
        return []
    if answer.code:
        raise HeadwayError(f"headway export {study} --curves ended with code {answer.code}: {answer.last_words}")
    return json.loads(target.read_text())


def _ask(project: Project, *words: str) -> Any:
    answer = project.type(*words, "--json")
    if answer.code:
        raise HeadwayError(f"headway {' '.join(words)} ended with code {answer.code}: {answer.last_words}")
    return json.loads(answer.output)
