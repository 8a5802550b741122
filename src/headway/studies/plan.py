"""What a study still has to run: the baseline, the search, the confirmation. The engine asks for a trial at a time."""

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from headway.core import Budget, Direction, Role, Spent, TrialState, better
from headway.engine import Assignment
from headway.propose import Observation, Sampler
from headway.store import RankedTrial, Store, StudyRecord, TrialRecord, candidate_id
from headway.studies.declaration import Declaration
from headway.studies.history import History
from headway.studies.ledger import Key, Ledger
from headway.studies.racing import Racing, Wanted
from headway.studies.stream import Stream

__all__ = ["Proposal", "StudyPlan"]

Proposal = tuple[int, str, Mapping[str, Any]]  # number, candidate, configuration

_RANKED_AT_FIRST = 64
_DUPLICATES_IN_A_ROW = 200  # after so many proposals that were made before, the sampler has nothing new


class StudyPlan:
    """Hand out trials in the order baseline, recorded proposals, queue, sampler, confirmation; take in their ends.

    What was proposed in an earlier session and has no trial that still counts is asked for again, before anything new.
    Nothing here grows with the number of trials but a few bytes for each: the record holds the rest.
    """

    def __init__(self, store: Store, record: StudyRecord, study: Declaration) -> None:
        self._store = store
        self._record = record
        self._study = study
        self._direction: Direction = study.experiment.direction
        self._ledger = Ledger()
        self._history: History | None = None
        self._sampler: Sampler | None = None
        self._trials: dict[tuple[str, int], TrialRecord] = {}  # the baseline's and those that confirm
        self._open: dict[int, str] = {}  # proposals without a trial that counts, by number
        self._finalists: list[str] | None = None
        self._unwritten: dict[int, Mapping[str, Any]] = {}  # proposals of this session that have no trial yet
        self._search_over = False
        self._number = self._sampled = 0  # the last proposal, and how many of all the sampler made
        self._note: str | None = None
        self.baseline = self._candidate(study.baseline)
        self.flagged: dict[str, Sequence[str]] = {}  # candidates whose scores are not believed, and why
        self._racing = self._make_race() if study.rule in ("race", "stream") else None

    # the engine's questions

    def recall(self, stale: Container[int]) -> int:
        """Take in what stands in the record, but for `stale` trials; return how many trials that are."""
        if not self._store.studies.count_proposals(self._record.id):
            self._store.studies.propose(self._record.id, 0, self.baseline, "baseline")
        for place in self._store.places.standing(self._record.id):
            stands = TrialState(place.state).ended and place.trial not in stale
            self._ledger.recall((place.candidate, place.seed), place, stands=stands)
            if stands and place.role != Role.SEARCH:
                self._trials[place.candidate, place.seed] = self._store.trials.get(place.trial)
            if stands and self._racing is not None and place.role != Role.CONFIRM:
                self._raced(place.candidate, place.seed, place.value if place.state == TrialState.COMPLETE else None)
        tally = self._store.places.tally(self._record.id)
        self._ledger.charge(tally.ended_seconds, tally.executed_ended)
        seen = {self.baseline}
        for number, candidate, proposer in self._store.studies.proposed(self._record.id):
            self._number = number
            self._sampled += proposer == self._study.sampler
            if candidate not in seen and not self._ledger.done((candidate, self._first_seed(number))):
                self._open[number] = candidate
                seen.add(candidate)
        return self._ledger.recalled

    def next(self, running: Sequence[Assignment]) -> Assignment | None:
        """Return the next trial, or None when there is nothing to start now."""
        busy = {(item.candidate, item.seed) for item in running}
        if self._racing is not None:
            return self._next_raced(self._racing, busy) or self._next_confirmation(busy)
        return self._next_baseline(busy) or self._next_search(busy) or self._next_confirmation(busy)

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Do nothing: what the next trial waits for is here."""

    def prepare(self, running: Sequence[Assignment]) -> None:
        """Do nothing: the next trial is found when a worker is free."""

    def close(self) -> None:
        """Let go of what a session holds."""

    def begins(self, assignment: Assignment) -> None:
        """Write the proposal of which this is the first trial. One that was never begun is proposed again."""
        if assignment.number in self._unwritten:
            self._candidate(assignment.config)
            self._store.studies.propose(
                self._record.id,
                assignment.number,
                assignment.candidate,
                self._study.sampler,
                parents=(self.baseline,),
            )
            del self._unwritten[assignment.number]

    def done(self) -> bool:
        """Tell whether all has ended that will ever be asked for."""
        return self.next(()) is None

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        """Take in a trial that ended."""
        key = (assignment.candidate, assignment.seed)
        self._ledger.end(key, trial.wall_seconds, reused=reused)
        if assignment.role != Role.SEARCH:
            self._trials[key] = trial
        if self._racing is not None and assignment.role != Role.CONFIRM:
            self._raced(*key, trial.value if trial.state == TrialState.COMPLETE else None)
        if assignment.seed == self._first_seed(assignment.number):
            self._open.pop(assignment.number, None)
            self._finalists = None
            if self._history is not None:
                self._history.end(assignment.candidate, trial)

    # what a verdict needs

    @property
    def fresh_seeds(self) -> list[int]:
        """Return the seeds that no candidate was chosen by: none where a seed cannot reach the experiment."""
        if not self._study.experiment.has_seed_channel:
            return []
        seeds, budget = self._study.fresh_seeds, self._study.budget.trials
        if not self._study.experiment.space.parameters and budget is not None:
            return seeds[: budget - 1]  # only the baseline runs, as often as the budget has it
        return seeds

    def trial(self, candidate: str, seed: int) -> TrialRecord | None:
        """Return the trial of a candidate and a seed that ended in this session or stands in the record."""
        if not self._ledger.done((candidate, seed)):
            return None
        if (known := self._trials.get((candidate, seed))) is not None:
            return known
        place = self._store.places.at(self._record.id, candidate, seed)
        return None if place is None else place.trial

    def first_trial(self, candidate: str) -> TrialRecord | None:
        """Return a candidate's first run, if it has ended."""
        found = (self.trial(candidate, seed) for seed in self._first_seeds)
        return next((trial for trial in found if trial is not None), None)

    def values(self, candidate: str) -> dict[int, float]:
        """Return the objective by fresh seed, where it is known."""
        found = {seed: self.trial(candidate, seed) for seed in self.fresh_seeds}
        return {
            seed: trial.value
            for seed, trial in found.items()
            if trial is not None and trial.state == TrialState.COMPLETE and trial.value is not None
        }

    def finalists(self) -> list[str]:
        """Return the candidates to confirm: the best that beat the baseline's run, or else the best one there is."""
        if not self._search_over:
            return []
        if self._finalists is None:
            self._finalists = self._choose()
        return self._finalists

    @property
    def stream(self) -> Stream | None:
        """Return what judges candidates as they come, where the study does."""
        return None

    @property
    def racing(self) -> Racing | None:
        """Return the study's race, where it has one."""
        return self._racing

    def identicals(self) -> list[TrialRecord]:
        """Return the search trials that came to the same as the baseline, bit for bit."""
        starts = [self.trial(self.baseline, seed) for seed in self._first_seeds]
        values = {start.value for start in starts if start is not None and start.value is not None}
        places = [place for value in sorted(values) for place in self._store.places.with_value(self._record.id, value)]
        return [place.trial for place in places if place.role == Role.SEARCH and self.identical(place.trial)]

    def identical(self, trial: TrialRecord) -> bool:
        """Tell whether a trial's objective and all its curves equal the baseline's with the same seed, bit for bit."""
        start = self.trial(self.baseline, trial.seed)
        if start is None or start.value != trial.value:
            return False
        if start.metrics != trial.metrics:
            return False
        return self._store.curves.read(start.id) == self._store.curves.read(trial.id)

    @property
    def note(self) -> str | None:
        """Return why the search ended early, where it did."""
        return self._note

    # one kind of trial after the other

    def _next_baseline(self, busy: set[Key]) -> Assignment | None:
        for seed in self._baseline_seeds:
            if seed != self._study.seed and not self._baseline_stands():
                return None  # what failed once with this code would fail with every seed
            if self._is_open((self.baseline, seed), busy):
                return self._assign(self.baseline, self._study.baseline, seed, Role.BASELINE, 0)
        return None

    def _next_raced(self, racing: Racing, busy: set[Key]) -> Assignment | None:
        """Return what the race wants: a run of a candidate that it has, or a new idea's first one."""
        if self._search_over or not self._baseline_stands():
            self._search_over = True
            return None
        wanted = racing.next(busy) if self._affordable(busy) else Wanted("over")
        self._note = self._note or racing.problem
        if wanted is None:
            return None
        if wanted.kind == "run":
            return self._assign_known(wanted.candidate, wanted.seed)
        if wanted.kind == "idea" and (idea := self._next_idea(busy)) is not None:
            return idea
        self._search_over = not busy  # the results of what runs may want more
        return None

    def _assign_known(self, candidate: str, seed: int) -> Assignment:
        return self._assign_as(candidate, seed, Role.BASELINE if candidate == self.baseline else Role.SEARCH)

    def _assign_as(self, candidate: str, seed: int, role: Role) -> Assignment:
        number = self._store.studies.number_of(self._record.id, candidate)
        config = self._store.studies.candidate(candidate).config
        return self._assign(candidate, config, seed, role, number)

    def _next_search(self, busy: set[Key]) -> Assignment | None:
        if (recorded := self._next_open(busy)) is not None:
            return recorded
        if self._search_over and not self._store.studies.waiting(self._record.id):
            return None
        if self._affordable(busy) and self._baseline_stands() and (idea := self._next_idea(busy)) is not None:
            return idea
        baseline_running = (self.baseline, self._study.seed) in busy
        self._search_over = not self._open and not baseline_running
        return None

    def _next_open(self, busy: set[Key]) -> Assignment | None:
        """Return the first run of a candidate that was proposed and has none that counts."""
        for number, candidate in self._open.items():
            if self._is_open((candidate, self._first_seed(number)), busy):
                config = self._unwritten.get(number)
                return self._search(number, candidate, config or self._store.studies.candidate(candidate).config)
        return None

    def _next_idea(self, busy: set[Key]) -> Assignment | None:
        """Return the first run of the next candidate that has none: a recorded one, a queued one, the sampler's."""
        if (recorded := self._next_open(busy)) is not None:
            return recorded
        while (proposal := self._from_queue() or self._from_sampler()) is not None:
            number, candidate, config = proposal
            self._number = number
            if self._is_open((candidate, self._first_seed(number)), busy):
                self._open[number] = candidate
                return self._search(number, candidate, config)
        return None

    def _next_confirmation(self, busy: set[Key]) -> Assignment | None:
        finalists = self.finalists()
        for candidate in finalists if self._racing is None or not finalists else (self.baseline, *finalists):
            for seed in self.fresh_seeds:
                if self._is_open((candidate, seed), busy):
                    return self._assign_as(candidate, seed, Role.CONFIRM)
        return None

    def _is_open(self, key: Key, busy: set[Key]) -> bool:
        return key not in busy and not self._ledger.done(key)

    @property
    def _baseline_seeds(self) -> list[int]:
        return [self._study.seed, *(seed for seed in self.fresh_seeds if seed != self._study.seed)]

    def _search(self, number: int, candidate: str, config: Mapping[str, Any]) -> Assignment:
        return self._assign(candidate, config, self._first_seed(number), Role.SEARCH, number, scheduled=True)

    def _first_seed(self, number: int) -> int:
        """Return the seed of a proposal's first run: one for all, but in a race, where the baseline's take turns."""
        return self._study.seed if self._racing is None else self._racing.first_seed(number)

    @property
    def _first_seeds(self) -> list[int]:
        return [self._study.seed] if self._racing is None else self._racing.first_seeds

    def _assign(
        self, candidate: str, config: Mapping[str, Any], seed: int, role: Role, number: int, *, scheduled: bool = False
    ) -> Assignment:
        return Assignment(candidate=candidate, config=config, seed=seed, role=role, number=number, scheduled=scheduled)

    def _choose(self) -> list[str]:
        if self._study.rule == "every":
            return self._all_that_differ()
        if self._racing is not None and self._racing.kept:
            return self._racing.kept[-self._study.finalists :][::-1]  # the last one kept beat all before it
        start = self.trial(self.baseline, self._study.seed)
        found: list[str] = []
        best: str | None = None  # should none beat the baseline
        for trial in self._ranked():
            beats = start is not None and start.value is not None and better(trial.value, start.value, self._direction)
            if (best is not None and not beats) or len(found) == self._study.finalists:
                break
            record = self.trial(trial.candidate, trial.seed)
            if record is not None and not self.identical(record):
                best = best or trial.candidate
                found += [trial.candidate] if beats else []
        return found or ([] if best is None else [best])

    def _make_race(self) -> Racing:
        return Racing(self._store, self._record, self._study, self.baseline, self._ledger.done)

    def _raced(self, candidate: str, seed: int, value: float | None) -> None:
        """Hand a result to the race; a candidate that gave the baseline's curves needs no further seed."""
        if self._racing is not None:
            first = candidate != self.baseline and seed in self._first_seeds
            trial = self.trial(candidate, seed) if first else None
            self._racing.ended(candidate, seed, value, identical=trial is not None and self._hopeless(trial))

    def _hopeless(self, trial: TrialRecord) -> bool:
        """Tell whether no further run of a candidate could make it accepted, whatever its value."""
        return self.identical(trial)

    def _all_that_differ(self) -> list[str]:
        found = {item.candidate: self.trial(item.candidate, item.seed) for item in self._ranked()}
        return [candidate for candidate, trial in found.items() if trial is not None and not self.identical(trial)]

    def _ranked(self) -> Iterator[RankedTrial]:
        """Give the complete search trials, the best first and equals by their candidate, as far as somebody asks."""
        given, limit = 0, _RANKED_AT_FIRST
        while True:
            ranked = self._store.places.best(self._record.id, self._direction, limit, Role.SEARCH)
            yield from ranked[given:]
            if len(ranked) < limit:
                return
            given, limit = limit, 8 * limit

    # where proposals come from

    def _candidate(self, config: Mapping[str, Any]) -> str:
        return self._store.studies.add_candidate(self._study.experiment.identity, config)

    def _from_queue(self) -> Proposal | None:
        if not self._store.studies.waiting(self._record.id):
            return None
        number = self._number + 1
        taken = self._store.studies.dequeue(self._record.id, number, self._study.experiment.identity)
        if taken is None:
            return None
        if self._history is not None:
            self._history.propose(number, taken[1], taken[0].config)
        return number, taken[1], taken[0].config

    def _from_sampler(self) -> Proposal | None:
        if not self._study.experiment.space.parameters:
            return None
        sampler = self._make_sampler()
        history = self._seen_by(sampler)
        for index in range(self._sampled, self._sampled + _DUPLICATES_IN_A_ROW):
            config = sampler.propose(index, history)
            if config is None:
                return None
            candidate = candidate_id(self._study.experiment.identity, config)
            if not self._known(candidate):
                return self._propose(candidate, config)
        return None

    def _propose(self, candidate: str, config: Mapping[str, Any]) -> Proposal:
        number = self._number + 1
        self._unwritten[number] = config
        self._sampled += 1
        if self._history is not None:
            self._history.propose(number, candidate, config)
        return number, candidate, config

    def _known(self, candidate: str) -> bool:
        """Tell whether a candidate is the baseline or was proposed before: then it has ended, or is open."""
        done = any(self._ledger.done((candidate, seed)) for seed in self._first_seeds)
        return done or candidate == self.baseline or candidate in self._open.values()

    def _make_sampler(self) -> Sampler:
        if self._sampler is None:
            self._sampler = self._study.make_sampler()
        return self._sampler

    def _seen_by(self, sampler: Sampler) -> Sequence[Observation]:
        """Return the history for a sampler that looks at it: it is kept for these alone."""
        if sampler.order_free:
            return ()
        if self._history is None:
            recorded = self._store.studies.proposals(self._record.id)
            proposals = ((item.number, item.candidate, item.config) for item in recorded)
            self._history = History(proposals, self.first_trial)
        return self._history.observations

    # what may still be spent

    def _affordable(self, busy: set[Key]) -> bool:
        """Tell whether a further search trial leaves enough for the baseline and the confirmation."""
        budget = self._study.budget
        if budget.trials is None and budget.seconds is None:
            return True
        reserve = self._reserve(busy)
        if budget.seconds is not None:
            turns = math.ceil(reserve / (self._study.workers or 1))
            spent = self._store.studies.spent(self._record.id).seconds + turns * self._ledger.mean_seconds
            if Budget(seconds=budget.seconds).exhausted(Spent(seconds=spent)):
                return False
        return budget.trials is None or self._ledger.paid_with(busy) + reserve < budget.trials

    def _reserve(self, busy: set[Key]) -> int:
        """Return how many trials the baseline and the confirmation still take."""
        reserve = sum(self._is_open((self.baseline, seed), busy) for seed in self._baseline_seeds)
        judged = self._number + 1 if self._study.rule == "every" else self._study.finalists
        return reserve + judged * sum(seed != self._study.seed for seed in self.fresh_seeds)

    def _baseline_stands(self) -> bool:
        start = self.trial(self.baseline, self._study.seed)
        if start is None or start.state == TrialState.COMPLETE:
            return True
        self._note = f"The baseline failed, so nothing can be compared with it. {start.reason}: {start.message}"
        return False
