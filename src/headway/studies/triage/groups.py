"""What triage came to, as values: the groups, what is said of each, and the whole as JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.studies.triage.causes import Cause
from headway.studies.triage.figures import Figures
from headway.studies.triage.rules import Rule, Search
from headway.studies.triage.smallest import Smallest

__all__ = ["Advice", "Group", "Triage"]

_MOST_CANDIDATES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Hold a next step: what to do, and the command for it where there is one."""

    text: str
    command: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"text": self.text, "command": ["headway", *self.command] if self.command else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Hold one cause of failures and what there is to say of it.

    `seconds` is the wall time that its trials cost, reused ones excluded; `first_seen` and `last_seen` are seconds
    since 1970. `also_passed` counts its configurations that passed with another seed. `summary` is a model's, where one
    was asked; `summary_problem` why it wrote none.
    """

    cause: Cause
    seconds: float
    first_seen: float
    last_seen: float
    search: Search
    also_passed: int
    smallest: Smallest
    figures: Figures
    sentences: Mapping[str, str]
    advice: tuple[Advice, ...]
    summary: str = ""
    summary_problem: str = ""

    @property
    def id(self) -> str:
        """Return the cause's id: `headway triage --group ID`."""
        return self.cause.id

    @property
    def rule(self) -> Rule | None:
        """Return the rule that tells its trials from those that passed, or None."""
        return self.search.rule

    @property
    def studies(self) -> tuple[str, ...]:
        """Return the names of the studies in which it was met."""
        return tuple(dict.fromkeys(case.study.name for case in self.cause.cases))

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """Return the candidates that failed by it, each once: number, proposer, files and note."""
        found = {(case.study.name, case.number, case.trial.candidate): case for case in reversed(self.cause.cases)}
        return [
            {
                "study": case.study.name,
                "number": case.number,
                "candidate": case.trial.candidate,
                "proposer": case.proposer,
                "changes": list(case.files),
                "note": case.note,
            }
            for case in reversed(found.values())
        ]

    @property
    def proposers(self) -> dict[str, int]:
        """Count its candidates by who proposed them, the most frequent first."""
        return dict(Counter(item["proposer"] for item in self.candidates).most_common())

    @property
    def traceback(self) -> str:
        """Return the text that its first trial left: a traceback, or the last lines of a command."""
        return self.cause.cases[0].text

    def to_json(self, *, whole: bool = False) -> dict[str, Any]:
        """Return the group as JSON; `whole` with its traceback and all its candidates."""
        frame, candidates = self.cause.frame, self.candidates
        shown = candidates if whole else candidates[:_MOST_CANDIDATES]
        return {
            "id": self.id,
            "reason": self.cause.reason,
            "error": self.cause.error,
            "chain": [] if self.cause.crash is None else [link.exception for link in self.cause.crash.links],
            "where": None
            if frame is None
            else {"file": frame.file, "line": frame.line, "function": frame.function, "source": frame.source},
            "trials": [case.trial.id for case in self.cause.cases],
            "count": len(self.cause.cases),
            "seconds": self.seconds,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            "studies": list(self.studies),
            "fingerprints": sorted({case.trial.fingerprint for case in self.cause.cases if case.trial.fingerprint}),
            "rule": _rule_json(self.rule),
            "search": {
                "rules_tried": self.search.tests,
                "p": self.search.p,
                "failed": self.search.failed,
                "passed": self.search.passed,
                "also_passed": self.also_passed,
            },
            "smallest": {
                "trial": self.smallest.case.trial.id,
                "study": self.smallest.case.study.name,
                "changes": dict(self.smallest.changes),
                "files": list(self.smallest.files),
                "needed": dict(self.smallest.needed),
                "probe": None if self.smallest.probe is None else dict(self.smallest.probe),
            },
            "figures": self.figures.to_json(),
            "proposers": self.proposers,
            "candidates": shown,
            "more_candidates": len(candidates) - len(shown),
            "said": dict(self.sentences),
            "next": [item.to_json() for item in self.advice],
            "summary": self.summary or None,
            "summary_problem": self.summary_problem or None,
            **({"traceback": self.traceback or None} if whole else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """Hold the groups, the costliest first; `failed` of `trials` ended trials, and their wall time in seconds.

    `ids` are those of all causes, in the same order, also of those that were not asked for.
    """

    studies: tuple[str, ...]
    trials: int
    failed: int
    seconds: float
    failed_seconds: float
    ids: tuple[str, ...]
    groups: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "studies": list(self.studies),
            "trials": self.trials,
            "failed": self.failed,
            "seconds": self.seconds,
            "failed_seconds": self.failed_seconds,
            "causes": len(self.ids),
            "groups": [group.to_json() for group in self.groups],
            "more_groups": len(self.ids) - len(self.groups),
        }


def _rule_json(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {
        "text": rule.text,
        "tests": [{"parameter": t.parameter, "relation": t.relation, "value": t.value} for t in rule.tests],
        "failed_inside": rule.hits,
        "inside": rule.inside,
        "failed_outside": rule.missed,
        "outside": rule.outside,
        "p": rule.p,
        "alternatives": [_rule_json(item) for item in rule.alternatives],
    }
