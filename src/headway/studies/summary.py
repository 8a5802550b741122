"""A study as people look at it: its trials, its best, its verdict and its key figures, read from the record alone."""

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headway.core import Budget, Direction, Role, Spent, TrialState, better
from headway.store import ProposalRecord, Store, StudyRecord, StudyTrial, Tally, VerdictRecord, is_accepted

__all__ = ["CandidateRow", "KeyFigures", "StudySummary", "summarize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    """Hold what a team can watch. Shares are of the slot seconds that the study had; times are in seconds.

    `saved_seconds` is what reused trials had cost and what trials that were stopped early would still have cost.
    """

    trials_per_hour: float | None
    idea_to_verdict_seconds: float | None
    idle_share: float | None
    wasted_share: float | None
    saved_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """Hold one candidate of a study: who proposed it, what its search run gave, what was decided."""

    number: int
    candidate: str
    config: Mapping[str, Any]
    proposer: str
    parents: tuple[str, ...]
    trials: tuple[StudyTrial, ...]
    state: str
    value: float | None
    reason: str
    decision: str | None
    note: str = ""
    changes_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StudySummary:
    """Hold what there is to say of a study. `candidates` are those of interest where there are many; `proposed` counts
    them all, as `tally` does their trials."""

    study: StudyRecord
    metric: str
    direction: Direction
    baseline: Mapping[str, Any]
    candidates: tuple[CandidateRow, ...]
    proposed: int
    tally: Tally
    verdicts: tuple[VerdictRecord, ...]
    budget: Budget
    spent: Spent
    figures: KeyFigures
    sentence: str
    report: str | None

    def __repr__(self) -> str:
        return f"<study {self.study.name!r}, {self.study.state}: {self.sentence}>"

    @property
    def trials(self) -> list[StudyTrial]:
        """Return the trials of the `candidates`, in their order."""
        return [place for row in self.candidates for place in row.trials]

    @property
    def best(self) -> CandidateRow | None:
        """Return the candidate that was accepted with the largest effect, or None."""
        accepted = [item for item in self.verdicts if is_accepted(item.decision)]
        if not accepted:
            return None
        first = _foremost(self.study, accepted)
        return next((row for row in self.candidates if row.candidate == first.candidate), None)

    def count(self, state: TrialState) -> int:
        """Count the trials in a state."""
        return self.tally.by_state.get(state, 0)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        return {
            "study": self.study.name,
            "state": self.study.state,
            "metric": self.metric,
            "direction": self.direction,
            "baseline": dict(self.baseline),
            "sentence": self.sentence,
            "verdicts": [
                {"candidate": item.candidate, "decision": item.decision, "sentence": item.sentence, **item.data}
                for item in self.verdicts
            ],
            "best": None if self.best is None else {"candidate": self.best.candidate, "config": dict(self.best.config)},
            "trials": {str(state): self.count(state) for state in TrialState if self.count(state)},
            "budget": self.budget.to_json(),
            "spent": asdict(self.spent),
            "figures": asdict(self.figures),
            "report": self.report,
        }


def summarize(store: Store, study: StudyRecord, *, rows: int | None = None) -> StudySummary:
    """Read a study's summary from the record: all candidates, or about so many `rows` of those of interest.

    Of interest are the baseline, what was decided, what runs or waits, the best, and the newest; a study of 100,000
    trials is then summarised as fast as one of a hundred.
    """
    verdicts = store.studies.verdicts(study.id)
    proposed = store.studies.count_proposals(study.id)
    numbers = None if rows is None or proposed <= rows else _of_interest(store, study, verdicts, rows)
    proposals = store.studies.proposals(study.id, numbers)
    places = store.places.of_study(study.id) if numbers is None else store.places.of_numbers(study.id, numbers)
    tally, spending = store.places.tally(study.id), store.studies.spending(study.id)
    budget = study.settings.get("budget", {})
    report = store.report_path(study.name)
    return StudySummary(
        study=study,
        metric=study.metric,
        direction=study.direction,
        baseline=study.definition["baseline"],
        candidates=_rows(proposals, places, verdicts),
        proposed=proposed,
        tally=tally,
        verdicts=tuple(verdicts),
        budget=Budget(trials=budget.get("trials"), seconds=budget.get("seconds")),
        spent=Spent(trials=tally.executed, seconds=spending.get("seconds", 0.0)),
        figures=_figures(tally, verdicts, spending, {item.candidate: item.created for item in proposals}),
        sentence=_sentence(study, verdicts, store),
        report=str(report) if report.exists() else None,
    )


def _of_interest(store: Store, study: StudyRecord, verdicts: Sequence[VerdictRecord], rows: int) -> list[int]:
    """Return the numbers of about so many candidates."""
    numbers = {0, *(store.studies.number_of(study.id, item.candidate) for item in verdicts[:rows])}
    for state in (TrialState.RUNNING, TrialState.PAUSED, TrialState.QUEUED):
        numbers |= {place.number for place in store.places.of_study(study.id, state=state, limit=rows)}
    numbers |= {item.number for item in store.places.best(study.id, study.direction, rows)}
    missing = rows - len(numbers)
    return sorted(numbers | set(store.studies.newest_numbers(study.id, missing) if missing > 0 else ()))


def _rows(
    proposals: Sequence[ProposalRecord], places: Sequence[StudyTrial], verdicts: Sequence[VerdictRecord]
) -> tuple[CandidateRow, ...]:
    decided = {item.candidate: item.decision for item in verdicts}
    by_number: dict[int, list[StudyTrial]] = {}
    for place in places:
        by_number.setdefault(place.number, []).append(place)
    rows: list[CandidateRow] = []
    for item in proposals:
        own = tuple(sorted(by_number.get(item.number, ()), key=lambda place: place.trial.seed))
        state, value, reason = _standing(own)
        rows.append(
            CandidateRow(
                number=item.number,
                candidate=item.candidate,
                config=item.config,
                proposer=item.proposer,
                parents=item.parents,
                trials=own,
                state=state,
                value=value,
                reason=reason,
                decision=decided.get(item.candidate),
                note=item.note,
                changes_code=item.changes_code,
            )
        )
    return tuple(rows)


def _foremost(study: StudyRecord, accepted: Sequence[VerdictRecord]) -> VerdictRecord:
    """Return the verdict that counts most: in a stream, where each is against the one before it, the last."""
    if study.definition.get("rule") == "stream":
        return accepted[-1]
    return max(accepted, key=lambda item: item.data.get("effect") or 0.0)


def _standing(places: Sequence[StudyTrial]) -> tuple[str, float | None, str]:
    """Return state, value and reason of a candidate's first run: its search trial, or the baseline's."""
    first = next((place.trial for place in places if place.role != Role.CONFIRM), None)
    if first is None:
        return "queued", None, ""
    return str(first.state), first.value, "" if first.reason is None else f"{first.reason}: {first.message}"


def _sentence(study: StudyRecord, verdicts: Sequence[VerdictRecord], store: Store) -> str:
    accepted = [item for item in verdicts if is_accepted(item.decision)]
    if accepted:
        return _foremost(study, accepted).sentence
    if study.definition.get("rule") == "stream" and verdicts:
        counts = Counter(item.decision.partition(" ")[0] for item in verdicts)
        return f"Nothing accepted yet: {', '.join(f'{count} {word}' for word, count in counts.most_common())}."
    confirmed = [item for item in verdicts if item.decision != "identical"] or verdicts
    if confirmed:
        return confirmed[0].sentence
    notes = store.events.of_study(study.id, kinds=("conclusion",))
    if notes:
        return str(notes[-1].data["text"])
    if study.definition.get("rule") == "stream":
        return "No verdict yet: no change has been judged."
    return "No verdict yet." if study.state != "finished" else "The study ended without a verdict."


def _figures(
    tally: Tally, verdicts: Sequence[VerdictRecord], spending: Mapping[str, float], proposed: Mapping[str, float]
) -> KeyFigures:
    seconds, slots, busy = (spending.get(kind, 0.0) for kind in ("seconds", "slot seconds", "busy slot seconds"))
    waits = [item.created - proposed[item.candidate] for item in verdicts if item.candidate in proposed]
    return KeyFigures(
        trials_per_hour=3600 * tally.executed_ended / seconds if seconds else None,
        idea_to_verdict_seconds=statistics.median(waits) if waits else None,
        idle_share=max(0.0, 1 - busy / slots) if slots else None,
        wasted_share=tally.wasted_seconds / slots if slots else None,
        saved_seconds=tally.saved_seconds,
    )


def best_so_far(summary: StudySummary) -> CandidateRow | None:
    """Return the candidate with the best value of a complete search run; noise included, so it is no verdict."""
    best: CandidateRow | None = None
    for row in summary.candidates:
        if row.state != TrialState.COMPLETE or row.value is None:
            continue
        if best is None or best.value is None or better(row.value, best.value, summary.direction):
            best = row
    return best


def age_text(seconds: float) -> str:
    """Say how long ago a time (seconds since 1970) was."""
    passed = max(0.0, time.time() - seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed / size:.0f} {unit} ago"
    return f"{passed:.0f} s ago"
