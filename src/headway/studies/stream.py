"""Judge candidates as they come: a study that stays open, whose baseline moves on with what is accepted.

A race on seeds of its own decides who is worth more runs. Whoever it keeps runs at once on the fresh seeds, against the
baseline of that moment, and the gate decides. Everybody else gets a verdict too, with the reason in words: who proposes
wants to know. What was accepted is the baseline from then on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from headway.core import TrialState
from headway.experiments.layouts import Guard
from headway.store import Store, StudyRecord, TrialRecord, VerdictRecord, is_accepted
from headway.studies.declaration import Declaration
from headway.studies.gate import Gate
from headway.studies.judging import Judgement, compared, first_change, flagged, identical, of_two_versions, race_data
from headway.studies.racing import Racing
from headway.validate import Decision

__all__ = ["Doubts", "Results", "Stream"]

_ENDED_BEFORE = "Undecided: the study ended before it was judged."


class Results(Protocol):
    """Give the results that stand: the plan does."""

    baseline: str

    @property
    def fresh_seeds(self) -> list[int]:
        """Return the seeds that verdicts are read from."""
        ...

    def trial(self, candidate: str, seed: int) -> TrialRecord | None:
        """Return the trial of a candidate and a seed that ended."""
        ...

    def first_trial(self, candidate: str) -> TrialRecord | None:
        """Return a candidate's first run, if it has ended."""
        ...

    def values(self, candidate: str) -> dict[int, float]:
        """Return the objective by fresh seed."""
        ...

    def identical(self, trial: TrialRecord) -> bool:
        """Tell whether a trial equals the baseline's bit for bit."""
        ...


class Doubts(Protocol):
    """Say what speaks against believing a candidate's score."""

    def of_trial(self, trial: TrialRecord) -> Sequence[str]:
        """Return what was seen in its code and in what it did."""
        ...

    def of_score(self, candidate: Iterable[TrialRecord], baseline: Iterable[TrialRecord]) -> Sequence[str]:
        """Return why its scores are not plausible beside the others'."""
        ...


class Stream:
    """Know which candidates wait for a verdict, and write verdicts as soon as they can be written."""

    def __init__(
        self,
        store: Store,
        record: StudyRecord,
        study: Declaration,
        results: Results,
        racing: Racing,
        *,
        trust: str | None = None,
        doubts: Doubts | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._store = store
        self._record = record
        self._study = study
        self._results = results
        self._racing = racing
        self._trust = trust
        self._doubts = doubts
        self._guard = guard
        self._open: dict[str, None] = {}
        self.overtaken: Callable[[], None] = _nothing  # called when another candidate has become the official one
        self._decided: set[str] = set()
        self._accepted: set[str] = set()
        self.hear: Callable[[VerdictRecord], None] = _nobody  # told of each verdict when it is in the record
        self.changed: Callable[[TrialRecord], str | None] = _unchanged  # which file a trial used has changed since
        self.official = results.baseline  # what candidates are judged against
        for item in store.studies.verdicts(record.id):
            if not item.data.get("open"):
                self._decided.add(item.candidate)
                self._accepted |= {item.candidate} if is_accepted(item.decision) else set()
                self.official = item.candidate if is_accepted(item.decision) else self.official

    def enter(self, candidate: str) -> None:
        """Take in a candidate that was proposed; one that has its verdict needs no other."""
        if candidate not in self._decided and candidate != self._results.baseline:
            self._open.setdefault(candidate)

    def decided(self, candidate: str) -> bool:
        """Tell whether a candidate has its verdict."""
        return candidate in self._decided

    def borne_out(self, candidate: str) -> bool:
        """Tell whether nothing speaks against a candidate: it has no verdict yet, or was accepted."""
        return candidate not in self._decided or candidate in self._accepted

    @property
    def to_confirm(self) -> list[str]:
        """Return whose fresh seeds are wanted now: the baseline's, and the candidates' that the race kept."""
        kept = [candidate for candidate in self._racing.kept if candidate in self._open]
        return [self.official, *kept] if kept else []

    @property
    def waiting(self) -> int:
        """Return how many candidates have no verdict yet."""
        return len(self._open)

    def flagged(self, trial: TrialRecord) -> bool:
        """Tell whether a trial's score is not to be believed as it is, so that no further run is worth its cost."""
        return self._trust == "as printed" and bool(self._doubts and self._doubts.of_trial(trial))

    @property
    def undecided(self) -> list[str]:
        """Return the candidates without a verdict, in the order in which they came."""
        return list(self._open)

    def replace(self, candidate: str, number: int, other: str) -> None:
        """Write that a candidate goes on as another one, its change made anew on what was accepted meanwhile."""
        self._open.setdefault(candidate)
        sentence = f"Rebased: another change was accepted meanwhile, so it is judged on top of that, as #{number}."
        self._write(
            candidate, Judgement(decision="rebased", sentence=sentence, data={"as": other, "as_number": number})
        )

    def settle(self) -> None:
        """Write the verdicts that can be written now."""
        for candidate in list(self._open):
            verdict = self._judged(candidate) if candidate in self._open else None  # another verdict may have moved it
            if verdict is not None:
                self._write(candidate, verdict)

    def close(self) -> None:
        """Write that the others are undecided: the study has ended. If it goes on, they are judged after all."""
        for candidate in list(self._open):
            if self._results.first_trial(candidate) is not None:
                data = {"open": True}
                self._write(candidate, Judgement(decision="undecided", sentence=_ENDED_BEFORE, data=data), last=True)

    def _write(self, candidate: str, verdict: Judgement, *, last: bool = False) -> None:
        data = verdict.data if self._trust is None else {**verdict.data, "trust": self._trust}
        told = self._trust is None or f"({self._trust})" in verdict.sentence
        sentence = verdict.sentence if told else f"{verdict.sentence} Trust: {self._trust}."
        decision = verdict.decision
        if is_accepted(decision) and self._trust is not None:
            decision = f"{decision} ({self._trust})"
        known = self._store.studies.verdict(self._record.id, candidate)
        if known is None or (known.decision, known.sentence) != (decision, sentence):
            self._store.studies.decide(self._record.id, candidate, self.official, decision, sentence, data)
        if last:
            return
        del self._open[candidate]
        self._decided.add(candidate)
        if is_accepted(decision):
            self.official = candidate
            self._accepted.add(candidate)
            self.overtaken()
        written = self._store.studies.verdict(self._record.id, candidate)
        if written is not None:
            self.hear(written)

    def _judged(self, candidate: str) -> Judgement | None:
        first = self._results.first_trial(candidate)
        if first is None:
            return None
        if first.state != TrialState.COMPLETE:
            why = f"{first.reason}: {first.message}" if first.reason else str(first.state)
            return Judgement(
                decision="failed", sentence=f"Failed: {why.rstrip('.')}.", data={"reason": str(first.reason)}
            )
        if self.flagged(first) and self._doubts is not None:
            return flagged(self._doubts.of_trial(first))
        if self._results.identical(first):
            return identical(first)
        standing = self._racing.standing(candidate)
        if standing is None or standing.state == "open":
            return None
        if standing.state == "failed":
            sentence = "Failed: it ran with one seed, and failed with another."
            return Judgement(decision="failed", sentence=sentence, data={"runs": standing.runs})
        if standing.state == "rejected":
            if self._racing.kept and self._racing.kept[-1] not in self._accepted:
                return None  # held against one that is not accepted, or not yet
            runs, chance, data = race_data(standing)
            sentence = f"Rejected: after {runs}, its chance to beat what the study has is {chance}."
            return Judgement(decision="rejected", sentence=sentence, data=data)
        return self._confirmed(candidate)

    def _confirmed(self, candidate: str) -> Judgement | None:
        """Compare a candidate that the race kept with the baseline of now, once all fresh seeds have ended."""
        seeds = self._results.fresh_seeds
        if not seeds:
            return self._without_noise(candidate)
        if not all(self._results.trial(side, seed) for side in (candidate, self.official) for seed in seeds):
            return None
        sides = [self._results.trial(side, seed) for side in (candidate, self.official) for seed in seeds]
        if (change := first_change(sides, self.changed)) is not None:
            return of_two_versions(change)
        ours, theirs = self._results.values(candidate), self._results.values(self.official)
        shared = sorted(ours.keys() & theirs.keys())
        if len(shared) < 2:
            sentence = "Undecided: fewer than two pairs of fresh seeds ran to their end."
            return Judgement(decision="undecided", sentence=sentence, data={"pairs": len(shared)})
        doubts = self._score_doubts(candidate, seeds)
        if doubts:
            return flagged(doubts)
        return self._compared(candidate, ours, theirs, shared)

    def _without_noise(self, candidate: str) -> Judgement:
        """Say what one run gave, where no seed reaches the code: that may be chance, and nobody can tell."""
        first, start = self._results.first_trial(candidate), self._results.first_trial(self.official)
        seen = ""
        if first is not None and start is not None and first.value is not None and start.value is not None:
            seen = f" One run each gave {first.value:.6g} against {start.value:.6g}."
        sentence = f"Undecided: no seed reaches the code, so its noise is unknown.{seen}"
        return Judgement(decision="undecided", sentence=sentence, data={"pairs": 0})

    def _compared(
        self, candidate: str, ours: Mapping[int, float], theirs: Mapping[int, float], seeds: Sequence[int]
    ) -> Judgement:
        gate = Gate(self._store, self._record, self._study, self.official)
        trials = [self._results.trial(candidate, seed) for seed in seeds]
        with self._store.database.write():
            comparison, data = compared(self._study, gate, candidate, ours, theirs, trials)
        words = comparison.sentence
        if comparison.decision == Decision.ACCEPTED and (worse := self._worse(candidate, seeds)):
            told = comparison.sentence.removesuffix(": accepted.")
            return Judgement(decision="rejected", sentence=f"Rejected: {worse} {told}.", data=data)
        if comparison.decision == Decision.ACCEPTED and self._trust is not None:
            words = f"{words.removesuffix('.')} ({self._trust})."
        return Judgement(decision=str(comparison.decision), sentence=words, data=data)

    def _worse(self, candidate: str, seeds: Sequence[int]) -> str:
        """Say how far the metric that guards the other one has fallen since the baseline; nothing where it holds."""
        if self._guard is None:
            return ""
        name = self._guard.metric
        sides = [[self._results.trial(side, seed) for seed in seeds] for side in (candidate, self._results.baseline)]
        ours, theirs = ([trial.metrics.get(name) for trial in side if trial is not None] for side in sides)
        mine, known = ([value for value in values if value is not None] for values in (ours, theirs))
        if len(mine) < len(seeds) or not known:
            return f"its runs did not tell {name}, which may not get worse."
        before, now = sum(known) / len(known), sum(mine) / len(mine)
        if self._guard.holds(before, now):
            return ""
        return f"{name} may not get worse, and went from {before:.6g} to {now:.6g}."

    def _score_doubts(self, candidate: str, seeds: Sequence[int]) -> Sequence[str]:
        if self._doubts is None or self._trust != "as printed":
            return ()
        sides = [[self._results.trial(side, seed) for seed in seeds] for side in (candidate, self.official)]
        ours, theirs = ([trial for trial in side if trial is not None] for side in sides)
        seen = [text for trial in ours for text in self._doubts.of_trial(trial)]
        return list(dict.fromkeys([*seen, *self._doubts.of_score(ours, theirs)]))


def _nothing() -> None:
    """Do nothing."""


def _nobody(verdict: VerdictRecord) -> None:
    """Hear a verdict where nobody wants to."""


def _unchanged(trial: TrialRecord) -> str | None:
    """Know of no change, where nobody looks at files."""
