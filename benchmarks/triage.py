"""Whether triage finds planted causes: 1,000 recorded trials, 20 causes, each group and each rule held against them."""

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.runner import (
    SCRIPTS,
    Context,
    PeerFailed,
    Result,
    Row,
    Sample,
    Table,
    at_least,
    at_most,
    benchmark,
    run_process,
)
from headway.store import Store
from headway.studies.triage import Group, triage
from headway.studies.triage.cases import Case, read_cases

_TRIALS, _QUICK_TRIALS = 1000, 250
_WORKERS = 2
_FEWEST = 3  # trials: a cause that strikes fewer is not told apart here
_SHARE, _QUICK_SHARE = 10 / 12, 0.5  # of the rules that have to name the right parameters: few trials tell less
_SECONDS = 1.0
_FILES = ("triage_causes", "triage_data", "triage_model")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scores:
    """Count what a grouping did with the planted causes."""

    groups: int
    found: int  # causes that are one group, and the only ones in it
    merged: int  # groups that hold several causes
    split: int  # causes that lie in several groups


@benchmark(
    "1,000 recorded trials, 20 planted causes: each found as one group, none merged; 10 of 12 rules name the culprit"
)
def run(context: Context) -> Result:
    """Record the study as people do, triage it, and compare with what was planted."""
    trials = context.pick(_TRIALS, _QUICK_TRIALS)
    with context.folder() as folder:
        truth = _record(context, folder, trials)
        with Store.open(folder / ".headway", create=False) as store:
            times = [_timed(lambda: triage(store)) for _ in range(max(2, context.repeats))]
            found = triage(store)
            failed = [case for case in read_cases(store, store.studies.all()) if case.failed]
        planted = Counter(truth.cause_of(case.config) for case in failed)
        told = {name for name, count in planted.items() if count >= _FEWEST}
        ours = _scores([[truth.cause_of(case.config) for case in group.cause.cases] for group in found.groups], told)
        stored = _scores(_by_fingerprint(failed, truth.cause_of), told)
        judged = [_judged(group, truth) for group in found.groups if _cause(group, truth) in told]
    return _result(
        ours,
        stored,
        told,
        planted,
        judged,
        [Sample(seconds) for seconds in times],
        len(failed),
        context.pick(_SHARE, _QUICK_SHARE),
    )


def _result(
    ours: _Scores,
    stored: _Scores,
    told: set[str],
    planted: Mapping[str, int],
    judged: "Sequence[_Judged]",
    times: Sequence[Sample],
    failed: int,
    share: float,
) -> Result:
    decided = [item for item in judged if item.culprits]
    right = sum(item.right for item in decided)
    named = sum(item.named for item in decided)
    silent = sum(not item.rule for item in judged if not item.culprits)
    figures = {
        "failed_trials": float(failed),
        "planted_causes": float(len(told)),
        "found_as_one_group": float(ours.found),
        "merged_groups": float(ours.merged),
        "split_causes": float(ours.split),
        "found_by_stored_fingerprint": float(stored.found),
        "rules_that_name_only_culprits": float(named),
        "rules_that_name_exactly_the_culprits": float(right),
        "config_dependent_causes": float(len(decided)),
        "causes_without_a_culprit_and_without_a_rule": float(silent),
        "triage_cpu_seconds": min(sample.value for sample in times),
    }
    rows = [
        Row(name=name, samples=[Sample(float(scores.found))], ours=name == "headway triage",
            note=f"{scores.groups} groups, {scores.merged} hold several causes, {scores.split} causes lie in several")
        for name, scores in (("headway triage", ours), ("stored fingerprint", stored))
    ]  # fmt: skip
    rules = [
        Row(name=item.cause, samples=[Sample(float(planted[item.cause]))], note=item.note, ours=item.named)
        for item in judged
    ]
    return Result(
        tables=(
            Table(
                title=f"Causes found as one group, of {len(told)}, in {failed} failed trials", unit="causes", rows=rows
            ),
            Table(title="The rule of each cause", unit="trials", rows=rules),
            Table(
                title="CPU of one triage", unit="s", rows=[Row(name="headway triage", samples=list(times), ours=True)]
            ),
        ),
        figures=figures,
        targets={
            "found_as_one_group": at_least(ours.found, len(told)),
            "merged_groups": at_most(ours.merged, 0),
            "rules_that_name_only_culprits": at_least(named, share * len(decided)),
            "triage_cpu_seconds": at_most(figures["triage_cpu_seconds"], _SECONDS),
        },
    )


def _record(context: Context, folder: Path, trials: int) -> Any:
    """Run the study in `folder`, on processes of its own, and return the module that knows what is planted."""
    for name in _FILES:
        shutil.copy(SCRIPTS / f"{name}.py", folder)
    shutil.copy(SCRIPTS / "triage_study.py", folder / "study.py")
    context.say(f"recording {trials} trials")
    command = [context.python(None), "-m", "headway", "run", "study.py", "--workers", str(_WORKERS), "--json"]
    ended = run_process(command, folder=folder, variables={"TRIAGE_TRIALS": str(trials)}).checked()
    (study,) = json.loads(ended.stdout)["studies"]
    recorded = sum(study["trials"].values())
    if recorded < trials:
        raise PeerFailed(f"the study recorded {recorded} trials of {trials}")
    sys.path.insert(0, str(SCRIPTS))
    try:
        return import_module("triage_causes")
    finally:
        sys.path.remove(str(SCRIPTS))


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _by_fingerprint(failed: Sequence[Case], cause_of: Callable[[Any], str]) -> list[list[str]]:
    """Group as the report does: by the fingerprint that was stored when the trial ended."""
    groups: dict[str | None, list[str]] = {}
    for case in failed:
        groups.setdefault(case.trial.fingerprint, []).append(cause_of(case.config))
    return list(groups.values())


def _scores(groups: Sequence[Sequence[str]], told: set[str]) -> _Scores:
    places = Counter(name for group in groups for name in set(group))
    return _Scores(
        groups=len(groups),
        found=sum(len(set(group)) == 1 and group[0] in told and places[group[0]] == 1 for group in groups),
        merged=sum(len(set(group)) > 1 for group in groups),
        split=sum(count > 1 for count in places.values()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """Hold one cause's rule beside its culprits. `named`: the rule names culprits and nobody else."""

    cause: str
    culprits: frozenset[str]
    rule: frozenset[str]
    note: str

    @property
    def named(self) -> bool:
        return self.rule <= self.culprits and bool(self.rule) == bool(self.culprits)

    @property
    def right(self) -> bool:
        return self.rule == self.culprits


def _cause(group: Group, truth: Any) -> str:
    return Counter(truth.cause_of(case.config) for case in group.cause.cases).most_common(1)[0][0]


def _judged(group: Group, truth: Any) -> _Judged:
    cause = _cause(group, truth)
    culprits: frozenset[str] = truth.CAUSES[cause].parameters
    rule = frozenset(() if group.rule is None else group.rule.parameters)
    said = group.sentences["when"].split("; p ")[0]
    wanted = " and ".join(sorted(culprits)) or "nothing"
    return _Judged(cause=cause, culprits=culprits, rule=rule, note=f"{said}; planted: {wanted}")
