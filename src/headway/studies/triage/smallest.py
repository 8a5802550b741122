"""Find the smallest configuration that shows a failure: the one that differs least from the baseline.

Where the study ran neighbours of it that passed, they say which of its differences are needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import Space, SpaceError, canonical_json
from headway.studies.triage.cases import Case
from headway.studies.triage.rules import Rule

__all__ = ["Neighbours", "Smallest", "smallest_of"]

Config = Mapping[str, Any]
_Place = tuple[int, tuple[str, ...], int]
_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Smallest:
    """Hold the failed trial with the fewest differences to its study's baseline.

    `changes` are those (None where it lacks a parameter), `files` the files that it changes. `needed` maps a difference
    to a trial that passed without it, all else equal. `probe` is what to propose to see whether the rule's parameters
    alone do it; None where that was tried, or nothing else differs.
    """

    case: Case
    changes: Mapping[str, Any]
    files: tuple[str, ...]
    needed: Mapping[str, int]
    probe: Mapping[str, Any] | None


class Neighbours:
    """Hold the trials that passed, by study, changed files and number of differences: few of them are looked at."""

    def __init__(self, passed: Sequence[Case]) -> None:
        self._by_size: dict[_Place, list[tuple[Case, Config]]] = {}
        for case in passed:
            changes = changes_of(case)
            self._by_size.setdefault((case.study.id, case.files, len(changes)), []).append((case, changes))
        self._configs = {(case.study.id, canonical_json(dict(case.config))) for case in passed}

    def needed(self, case: Case, changes: Config) -> dict[str, int]:
        """Return which differences a passed trial lacked that had all others, with that trial."""
        found: dict[str, int] = {}
        for item, theirs in self._by_size.get((case.study.id, case.files, len(changes) - 1), ()):
            if all(name in changes and changes[name] == value for name, value in theirs.items()):
                (lacking,) = changes.keys() - theirs.keys()
                found.setdefault(lacking, item.trial.id)
        return found

    def passed(self, study: int, config: Config) -> bool:
        """Tell whether a study ran a configuration, and it passed."""
        return (study, canonical_json(dict(config))) in self._configs


def smallest_of(cases: Sequence[Case], neighbours: Neighbours, rule: Rule | None) -> Smallest:
    """Choose among the failed trials of a cause, and look which of its differences are needed."""
    named = frozenset(() if rule is None else rule.parameters)

    def size(item: tuple[Case, Config]) -> tuple[int, int, int]:
        return len(item[0].files) + len(item[1]), len(item[1].keys() - named), item[0].trial.id

    case, changes = min(((case, changes_of(case)) for case in cases), key=size)
    return Smallest(
        case=case,
        changes=changes,
        files=case.files,
        needed=neighbours.needed(case, changes),
        probe=None if rule is None or case.files else _probe(case, changes, rule, neighbours),
    )


def changes_of(case: Case) -> dict[str, Any]:
    """Return what differs from the study's baseline; None stands for a parameter that is not there."""
    baseline: Config = case.study.definition.get("baseline", {})
    names = sorted({*case.config, *baseline})
    return {
        name: case.config.get(name) for name in names if case.config.get(name, _ABSENT) != baseline.get(name, _ABSENT)
    }


def _probe(case: Case, changes: Config, rule: Rule, neighbours: Neighbours) -> dict[str, Any] | None:
    """Return what of the failing configuration to put into the baseline: the rule's parameters, and what they bring."""
    if "space" not in case.study.definition:
        return None
    space = Space.from_json(case.study.definition["space"])
    wanted = _with_parents(space, frozenset(rule.parameters))
    if not wanted & changes.keys() or wanted >= changes.keys():
        return None
    baseline: Config = case.study.definition["baseline"]
    config = {**baseline, **{name: _shortened(name, case.config[name], rule) for name in wanted if name in case.config}}
    for name, parameter in space:
        there = all(
            config.get(parent, _ABSENT) in (values if isinstance(values, list | tuple) else (values,))
            for parent, values in (parameter.when or {}).items()
        )
        if not there:
            config.pop(name, None)
        elif name not in config:
            config[name] = case.config.get(name, parameter.at(0.5))
    try:
        whole = space.check(config)
    except SpaceError:
        return None
    if neighbours.passed(case.study.id, whole):
        return None
    return {name: value for name, value in whole.items() if baseline.get(name, _ABSENT) != value}


def _shortened(name: str, value: Any, rule: Rule) -> Any:
    """Return a number of few digits for which the rule's tests hold as for the given one."""
    tests = [test for test in rule.tests if test.parameter == name]
    if not isinstance(value, float):
        return value
    shorter = (float(f"{value:.{digits}g}") for digits in range(2, 9))
    return next((item for item in shorter if all(test.holds_for(item) for test in tests)), value)


def _with_parents(space: Space, names: frozenset[str]) -> frozenset[str]:
    """Return the parameters with those on which they depend."""
    found = set(names)
    for name, parameter in reversed(list(space)):  # children stand behind their parents
        if name in found:
            found.update(parameter.when or {})
    return frozenset(found)
