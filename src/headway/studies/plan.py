"""What a study still has to run: the baseline, the search, the confirmation. The engine asks for a trial at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from headway.core import Budget, Direction, Role, Spent, TrialState, better
from headway.engine import Assignment
from headway.propose import Observation, Sampler, make_sampler
from headway.store import Store, StudyRecord, TrialRecord
from headway.studies.declaration import Declaration

__all__ = ["StudyPlan"]

_DUPLICATES_IN_A_ROW = 200  # after so many proposals that were made before, the sampler has nothing new


class StudyPlan:
    """Hand out trials in the order baseline, recorded proposals, queue, sampler, confirmation; take in their ends.

    What was proposed in an earlier session is replayed first: each proposal is asked for again, and the engine answers
    from the record where it can.
    """

    def __init__(self, store: Store, record: StudyRecord, study: Declaration) -> None:
        self._store = store
        self._record = record
        self._study = study
        self._direction: Direction = study.experiment.direction
        self._sampler: Sampler | None = None
        self._ended: dict[tuple[str, int], TrialRecord] = {}
        places = store.trials.of_study(record.id)
        self._paid = {(place.trial.candidate, place.trial.seed) for place in places if not place.reused}
        self._search_over = False
        self._note: str | None = None
        self.baseline = self._candidate(study.baseline)
        self._proposals = self._recall()

    # the engine's questions

    def next(self, running: Sequence[Assignment]) -> Assignment | None:
        """Return the next trial, or None when there is nothing to start now."""
        busy = {(item.candidate, item.seed) for item in running}
        return self._next_baseline(busy) or self._next_search(busy) or self._next_confirmation(busy)

    def done(self) -> bool:
        """Tell whether all has ended that will ever be asked for."""
        return self.next(()) is None

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        """Take in a trial that ended."""
        if not reused:
            self._paid.add((assignment.candidate, assignment.seed))
        self._ended[assignment.candidate, assignment.seed] = trial

    # what a verdict needs

    @property
    def confirmation_seeds(self) -> list[int]:
        """Return the seeds that no candidate was chosen by: none where a seed cannot reach the experiment."""
        if not self._study.experiment.has_seed_channel:
            return []
        count, budget = self._study.seeds, self._study.budget.trials
        if not self._study.experiment.space.parameters and budget is not None:
            count = min(count, budget - 1)  # only the baseline runs, as often as the budget has it
        return [self._study.seed + offset for offset in range(1, count + 1)]

    def trial(self, candidate: str, seed: int) -> TrialRecord | None:
        """Return the trial of a candidate and a seed that ended in this session or was answered from the record."""
        return self._ended.get((candidate, seed))

    def values(self, candidate: str) -> dict[int, float]:
        """Return the objective by confirmation seed, where it is known."""
        found = {seed: self.trial(candidate, seed) for seed in self.confirmation_seeds}
        return {
            seed: trial.value
            for seed, trial in found.items()
            if trial is not None and trial.state == TrialState.COMPLETE and trial.value is not None
        }

    def searched(self) -> list[TrialRecord]:
        """Return the search trials that ran to their end, the best first."""
        trials = [self.trial(candidate, self._study.seed) for _, candidate, _ in self._proposals]
        complete = [item for item in trials if item is not None and item.state == TrialState.COMPLETE]
        sign = 1.0 if self._direction == "minimize" else -1.0
        return sorted(complete, key=lambda item: (sign * (item.value or 0.0), item.candidate))

    def finalists(self) -> list[str]:
        """Return the candidates to confirm: the best that beat the baseline's run, or else the best one there is."""
        if not self._search_over:
            return []
        start = self.trial(self.baseline, self._study.seed)
        different = [trial for trial in self.searched() if not self.identical(trial)]
        good = [
            trial
            for trial in different
            if start is not None
            and start.value is not None
            and trial.value is not None
            and better(trial.value, start.value, self._direction)
        ]
        chosen = good[: self._study.finalists] or different[:1]
        return [trial.candidate for trial in chosen]

    def identical(self, trial: TrialRecord) -> bool:
        """Tell whether a trial's objective and all its curves equal the baseline's with the same seed, bit for bit."""
        start = self.trial(self.baseline, trial.seed)
        if start is None or start.value != trial.value or start.metrics != trial.metrics:
            return False
        return self._store.curves.read(start.id) == self._store.curves.read(trial.id)

    @property
    def note(self) -> str | None:
        """Return why the search ended early, where it did."""
        return self._note

    # one kind of trial after the other

    def _next_baseline(self, busy: set[tuple[str, int]]) -> Assignment | None:
        for seed in (self._study.seed, *self.confirmation_seeds):
            if seed != self._study.seed and not self._baseline_stands():
                return None  # what failed once with this code would fail with every seed
            if self._open(self.baseline, seed, busy):
                return self._assign(self.baseline, self._study.baseline, seed, Role.BASELINE, 0)
        return None

    def _next_search(self, busy: set[tuple[str, int]]) -> Assignment | None:
        for number, candidate, config in self._proposals:
            if self._open(candidate, self._study.seed, busy):
                return self._assign(candidate, config, self._study.seed, Role.SEARCH, number, scheduled=True)
        if self._search_over and not self._store.studies.waiting(self._record.id):
            return None
        if self._affordable(busy) and self._baseline_stands():
            proposal = self._from_queue() or self._from_sampler()
            if proposal is not None:
                self._proposals.append(proposal)
                number, candidate, config = proposal
                if self._open(candidate, self._study.seed, busy):
                    return self._assign(candidate, config, self._study.seed, Role.SEARCH, number, scheduled=True)
                return self._next_search(busy)
        searching = any((candidate, self._study.seed) in busy for _, candidate, _ in self._proposals)
        baseline_running = (self.baseline, self._study.seed) in busy
        self._search_over = not searching and not baseline_running
        return None

    def _next_confirmation(self, busy: set[tuple[str, int]]) -> Assignment | None:
        numbers = {candidate: number for number, candidate, _ in self._proposals}
        configs = {candidate: config for _, candidate, config in self._proposals}
        for candidate in self.finalists():
            for seed in self.confirmation_seeds:
                if self._open(candidate, seed, busy):
                    return self._assign(candidate, configs[candidate], seed, Role.CONFIRM, numbers[candidate])
        return None

    def _open(self, candidate: str, seed: int, busy: set[tuple[str, int]]) -> bool:
        return (candidate, seed) not in self._ended and (candidate, seed) not in busy

    def _assign(
        self, candidate: str, config: Mapping[str, Any], seed: int, role: Role, number: int, *, scheduled: bool = False
    ) -> Assignment:
        return Assignment(candidate=candidate, config=config, seed=seed, role=role, number=number, scheduled=scheduled)

    # where proposals come from

    def _recall(self) -> list[tuple[int, str, Mapping[str, Any]]]:
        recorded = self._store.studies.proposals(self._record.id)
        if not recorded:
            self._store.studies.propose(self._record.id, 0, self.baseline, "baseline")
        self._sampled = sum(item.proposer == self._study.sampler for item in recorded)
        return [(item.number, item.candidate, item.config) for item in recorded if item.number > 0]

    def _candidate(self, config: Mapping[str, Any]) -> str:
        return self._store.studies.add_candidate(self._study.experiment.identity, config)

    def _number(self) -> int:
        return max((number for number, _, _ in self._proposals), default=0) + 1

    def _from_queue(self) -> tuple[int, str, Mapping[str, Any]] | None:
        number = self._number()
        taken = self._store.studies.dequeue(self._record.id, number, self._study.experiment.identity)
        return None if taken is None else (number, taken[1], taken[0].config)

    def _from_sampler(self) -> tuple[int, str, Mapping[str, Any]] | None:
        if not self._study.experiment.space.parameters:
            return None
        known = {self.baseline, *(candidate for _, candidate, _ in self._proposals)}
        sampler, history = self._make_sampler(), self._history()
        for index in range(self._sampled, self._sampled + _DUPLICATES_IN_A_ROW):
            config = sampler.propose(index, history)
            if config is None:
                return None
            candidate = self._candidate(config)
            if candidate not in known:
                number = self._number()
                self._sampled += 1
                self._store.studies.propose(
                    self._record.id, number, candidate, self._study.sampler, parents=(self.baseline,)
                )
                return number, candidate, config
        return None

    def _make_sampler(self) -> Sampler:
        if self._sampler is None:
            self._sampler = make_sampler(
                self._study.sampler, self._study.experiment.space, seed=self._study.seed, direction=self._direction
            )
        return self._sampler

    def _history(self) -> list[Observation]:
        start: list[tuple[int, str, Mapping[str, Any]]] = [(0, self.baseline, self._study.baseline)]
        return [
            _observation(number, config, self.trial(candidate, self._study.seed))
            for number, candidate, config in start + self._proposals
        ]

    # what may still be spent

    def _affordable(self, busy: set[tuple[str, int]]) -> bool:
        """Tell whether a further search trial leaves enough for the baseline and the confirmation."""
        budget = self._study.budget
        paid = self._paid | busy
        seeds = (self._study.seed, *self.confirmation_seeds)
        known = paid | self._ended.keys()
        reserve = sum((self.baseline, seed) not in known for seed in seeds)
        reserve += self._study.finalists * len(self.confirmation_seeds)
        if budget.seconds is not None:
            spent = self._store.studies.spent(self._record.id).seconds + reserve * self._mean_seconds()
            if Budget(seconds=budget.seconds).exhausted(Spent(seconds=spent)):
                return False
        return budget.trials is None or len(paid) + reserve < budget.trials

    def _mean_seconds(self) -> float:
        costs = [trial.wall_seconds for trial in self._ended.values()]
        return sum(costs) / len(costs) if costs else 0.0

    def _baseline_stands(self) -> bool:
        start = self.trial(self.baseline, self._study.seed)
        if start is None or start.state == TrialState.COMPLETE:
            return True
        self._note = f"The baseline failed, so nothing can be compared with it. {start.reason}: {start.message}"
        return False


def _observation(number: int, config: Mapping[str, Any], trial: TrialRecord | None) -> Observation:
    if trial is None:
        return Observation(number=number, config=config, value=None, state="pending")
    match trial.state:
        case TrialState.COMPLETE:
            return Observation(number=number, config=config, value=trial.value, state="complete")
        case TrialState.STOPPED if trial.value is not None:
            return Observation(number=number, config=config, value=trial.value, state="stopped")
        case _:
            return Observation(number=number, config=config, value=None, state="failed")
