"""The lineage of a study, read from the record: proposals, the places of their trials, verdicts. Three queries."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headway.core import Role, TrialState
from headway.store import ProposalRecord, Store, StudyRecord, StudyTrial, VerdictRecord, is_accepted
from headway.studies.lineage.tree import Lineage, Node

__all__ = ["lineage_of"]

_GOING_ON = (TrialState.RUNNING, TrialState.PAUSED, TrialState.QUEUED)


def lineage_of(store: Store, study: StudyRecord) -> Lineage:
    """Return the lineage of a study as it stands.

    A candidate that was proposed twice stands where it was first. Who names no parent, or one that the study does not
    know, or that came later, descends from the baseline.
    """
    ends: dict[int, _Ends] = {}
    for place in store.places.of_study(study.id):
        ends.setdefault(place.number, _Ends()).add(place)
    verdicts = store.studies.verdicts(study.id)
    return Lineage(
        study=study.name,
        metric=study.metric,
        direction=study.direction,
        nodes=_nodes(store.studies.proposals(study.id), ends, {item.candidate: item for item in verdicts}),
        noise_sd=_pooled([item.values for item in ends.values()]),
        foremost=_foremost(store, study, verdicts),
        spent=store.studies.spending(study.id),
    )


@dataclass(slots=True)
class _Ends:
    """Gather what the trials of one candidate came to."""

    values: list[float] = field(default_factory=list[float])
    fresh: list[float] = field(default_factory=list[float])
    first: str = ""
    reason: str = ""
    going_on: str = ""
    trials: int = 0
    seconds: float = 0.0

    def add(self, place: StudyTrial) -> None:
        trial = place.trial
        if not self.first:
            self.first = str(trial.state)
            self.reason = "" if trial.reason is None else f"{trial.reason}: {trial.message}"
        if trial.state in _GOING_ON and not self.going_on:
            self.going_on = str(trial.state)
        if trial.state == TrialState.COMPLETE and trial.value is not None and math.isfinite(trial.value):
            self.values.append(trial.value)
            if place.role == Role.CONFIRM:
                self.fresh.append(trial.value)
        if not place.reused:
            self.trials += 1
            self.seconds += trial.wall_seconds

    @property
    def state(self) -> str:
        """Return the state of a run that goes on, else what came of the first, where any came to an end `complete`."""
        return self.going_on or ("complete" if self.values else self.first) or "queued"


def _nodes(
    proposals: Sequence[ProposalRecord], ends: Mapping[int, _Ends], verdicts: Mapping[str, VerdictRecord]
) -> dict[int, Node]:
    known: dict[str, int] = {}
    kept: list[tuple[ProposalRecord, tuple[int, ...]]] = []
    children: dict[int, list[int]] = {}
    depths: dict[int, int] = {}
    for item in proposals:
        if item.candidate in known:
            continue
        parents = tuple(dict.fromkeys(known[name] for name in item.parents if name in known))
        if not parents and kept:
            parents = (kept[0][0].number,)
        known[item.candidate] = item.number
        kept.append((item, parents))
        depths[item.number] = depths[parents[0]] + 1 if parents else 0
        if parents:
            children.setdefault(parents[0], []).append(item.number)
    return {
        item.number: _node(
            item,
            parents,
            tuple(children.get(item.number, ())),
            depths[item.number],
            ends.get(item.number) or _Ends(),
            verdicts.get(item.candidate),
        )
        for item, parents in kept
    }


def _node(
    item: ProposalRecord,
    parents: tuple[int, ...],
    children: tuple[int, ...],
    depth: int,
    ends: _Ends,
    verdict: VerdictRecord | None,
) -> Node:
    known = ends.fresh or ends.values
    return Node(
        number=item.number,
        candidate=item.candidate,
        proposer=item.proposer,
        parents=parents,
        children=children,
        depth=depth,
        note=item.note,
        config=item.config,
        changes_code=item.changes_code,
        state=ends.state,
        reason=ends.reason if ends.state == "failed" else "",
        decision=None if verdict is None else verdict.decision,
        sentence="" if verdict is None else verdict.sentence,
        mean=_mean(ends.values),
        value=_mean(known),
        runs=len(ends.values),
        fresh=len(ends.fresh),
        trials=ends.trials,
        seconds=ends.seconds,
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the spread within groups, pooled by their degrees of freedom; None where no group has two values."""
    squares, degrees = 0.0, 0
    for values in groups:
        if len(values) > 1:
            middle = math.fsum(values) / len(values)
            squares += math.fsum((value - middle) ** 2 for value in values)
            degrees += len(values) - 1
    return math.sqrt(squares / degrees) if degrees and math.isfinite(squares) else None


def _foremost(store: Store, study: StudyRecord, verdicts: Sequence[VerdictRecord]) -> int | None:
    """Return what counts most of what was accepted: in a stream, where each is against the one before it, the last."""
    accepted = [item for item in verdicts if is_accepted(item.decision)]
    if not accepted:
        return None
    last = study.definition.get("rule") == "stream"
    chosen = accepted[-1] if last else max(accepted, key=lambda item: item.data.get("effect") or 0.0)
    return store.studies.find_number(study.id, chosen.candidate)
