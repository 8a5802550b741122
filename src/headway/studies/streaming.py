"""The plan of a study that judges candidates as they come, and waits for more.

What is accepted is the official version from then on. Changes that began from an older one are moved onto it: many
agents work at once, and none of them should lose an idea because another was sooner.
"""

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headway.core import Role
from headway.engine import Assignment
from headway.experiments.repositories import RepositoryExperiment
from headway.store import Store, StudyRecord, TrialRecord
from headway.studies.declaration import Declaration
from headway.studies.doubts import TrialDoubts
from headway.studies.ledger import Key
from headway.studies.plan import Proposal, StudyPlan
from headway.studies.racing import Racing
from headway.studies.repositories import Rebaser
from headway.studies.stream import Stream

__all__ = ["StreamPlan"]


class StreamPlan(StudyPlan):
    """Hand out runs: first those that a verdict waits for, then what the race wants, then new ideas."""

    def __init__(self, store: Store, record: StudyRecord, study: Declaration) -> None:
        super().__init__(store, record, study)
        self._idle_since: float | None = None  # on the monotonic clock
        assert self._racing is not None
        self._race: Racing = self._racing
        doubts = None if study.trust is None else TrialDoubts(store, record, study.experiment)
        experiment = study.experiment
        self._rebaser: Rebaser | None = None
        guard = experiment.layout.guard if isinstance(experiment, RepositoryExperiment) else None
        self._stream = Stream(store, record, study, self, self._race, trust=study.trust, doubts=doubts, guard=guard)
        if isinstance(experiment, RepositoryExperiment):
            self._rebaser = Rebaser(store, record, experiment)
            self._stream.overtaken = self._rebase_all

    @property
    def stream(self) -> Stream:
        """Return what judges candidates as they come."""
        return self._stream

    def recall(self, stale: Container[int]) -> int:
        """Take in what stands in the record, and write the verdicts that an earlier session could not."""
        recalled = super().recall(stale)
        for number, candidate, _ in self._store.studies.proposed(self._record.id):
            self._stream.enter(candidate)
            if self._stream.decided(candidate):
                self._open.pop(number, None)
        self._settle()
        self._rebase_all()
        return recalled

    def next(self, running: Sequence[Assignment]) -> Assignment | None:
        """Return the next trial, or None when there is nothing to start now."""
        busy = {(item.candidate, item.seed) for item in running}
        found = self._next_confirmed(busy) or self._next_of_race(busy)
        self._idle_since = None if found is not None or busy else self._idle_since
        return found

    def done(self) -> bool:
        """Tell whether the budget is spent, or nothing was left to do for as long as the study waits."""
        if self.next(()) is not None:
            return False
        if self._search_over:
            return True
        now = time.monotonic()
        self._idle_since = now if self._idle_since is None else self._idle_since
        return self._study.close_after is not None and now - self._idle_since >= self._study.close_after

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        """Take in a trial that ended, and write the verdicts that follow."""
        super().ended(assignment, trial, reused=reused)
        self._settle()

    def _settle(self) -> None:
        """Write the verdicts that follow, and take from the race whom they did not bear out."""
        self._stream.settle()
        while (false := next((name for name in self._race.kept if not self._stream.borne_out(name)), None)) is not None:
            self._race.exclude(false)
            self._stream.settle()

    def identical(self, trial: TrialRecord) -> bool:
        """Tell whether a trial came to the same as the baseline or the official version with the same seed.

        One curve has to be the same, not all: a repository prints its times and speeds too.
        """
        starts = (self.trial(side, trial.seed) for side in (self.baseline, self._stream.official))
        return any(start is not None and self._same_course(start, trial) for start in starts)

    # one kind of trial after the other

    def _next_confirmed(self, busy: set[Key]) -> Assignment | None:
        for candidate in self._stream.to_confirm:
            for seed in self.fresh_seeds:
                if self._is_open((candidate, seed), busy):
                    return self._assign_as(candidate, seed, Role.CONFIRM)
        return None

    def _next_of_race(self, busy: set[Key]) -> Assignment | None:
        if self._search_over or not self._baseline_stands() or not self._affordable(busy):
            self._search_over = self._search_over or not busy
            return None
        wanted = self._race.next(busy)
        self._note = self._note or self._race.problem
        if wanted is None:
            return None
        if wanted.kind == "run" and self._stream.borne_out(wanted.candidate):
            return self._assign_known(wanted.candidate, wanted.seed)
        if wanted.kind == "run":  # it has its verdict, and a race that was held again took it up
            self._race.exclude(wanted.candidate)
            return self._next_of_race(busy)
        if wanted.kind == "over":
            self._search_over = not busy
            return None
        return self._next_idea(busy)

    def _reserve(self, busy: set[Key]) -> int:
        """Return how many trials it takes to confirm those that wait for it, and one candidate more."""
        judged = {self._stream.official, *self._stream.to_confirm}
        wanted = sum(self._is_open((name, seed), busy) for name in judged for seed in self.fresh_seeds)
        return wanted + len(self.fresh_seeds)

    def _assign(
        self, candidate: str, config: Mapping[str, Any], seed: int, role: Role, number: int, *, scheduled: bool = False
    ) -> Assignment:
        plain = super()._assign(candidate, config, seed, role, number, scheduled=scheduled)
        proposal = self._store.studies.proposals(self._record.id, [number])[0] if number else None
        return replace(plain, note=proposal.note) if proposal is not None and proposal.changes_code else plain

    def _hopeless(self, trial: TrialRecord) -> bool:
        return self.identical(trial) or self._stream.flagged(trial)

    def _same_course(self, start: TrialRecord, trial: TrialRecord) -> bool:
        if start.candidate == trial.candidate or start.value is None or start.value != trial.value:
            return False
        curves, others = self._store.curves.read(start.id), self._store.curves.read(trial.id)
        told = [name for name, curve in curves.items() if len(set(curve.values)) > 1]
        return not told or any(name in others and curves[name] == others[name] for name in told)

    # where proposals come from

    def _from_queue(self) -> Proposal | None:
        while (proposal := super()._from_queue()) is not None:
            number, candidate, _ = proposal
            self._number = number
            self._stream.enter(candidate)
            if not self._rebase(candidate):
                return proposal
            moved = self._store.studies.proposals(self._record.id, [self._number])[0]
            if self._open.get(moved.number) == moved.candidate and moved.number != number:
                return moved.number, moved.candidate, moved.config
        return None

    def _propose(self, candidate: str, config: Mapping[str, Any]) -> Proposal:
        """Write what the sampler proposes: knobs, turned in the official version."""
        official = self._store.studies.candidate(self._stream.official)
        turned = {name: value for name, value in config.items() if self._study.baseline.get(name) != value}
        whole: dict[str, Any] = {**official.config, **turned}
        other = self._store.studies.add_candidate(self._study.experiment.identity, whole, official.patch)
        self._number += 1
        self._sampled += 1
        self._store.studies.propose(self._record.id, self._number, other, self._study.sampler, (official.id,))
        self._stream.enter(other)
        if self._history is not None:
            self._history.propose(self._number, other, whole)
        return self._number, other, whole

    # moving changes onto what was accepted

    def _rebase_all(self) -> None:
        for candidate in self._stream.undecided:
            self._rebase(candidate)

    def _rebase(self, candidate: str) -> bool:
        """Move a change that began from an older version onto that of now; tell whether it goes on as another one.

        One that the race kept runs on the fresh seeds already, and is judged as it is.
        """
        proposal = self._store.studies.proposal_of(self._record.id, candidate)
        if self._rebaser is None or proposal is None or candidate in self._race.kept:
            return False
        parent = proposal.parents[0] if proposal.parents else self.baseline
        if parent == self._stream.official:
            return False
        moved = self._rebaser.rebased(candidate, parent, self._stream.official)
        if moved is None:
            return False
        with self._store.database.write():
            other = self._store.studies.add_candidate(self._study.experiment.identity, moved.config, moved.patch)
            number = self._store.studies.find_number(self._record.id, other)
            if number is None:
                self._number = number = self._number + 1
                parents = (self._stream.official, candidate)
                self._store.studies.propose(self._record.id, number, other, proposal.proposer, parents, proposal.note)
                self._open[number] = other
                self._stream.enter(other)
            self._stream.replace(candidate, number, other)
        self._open.pop(proposal.number, None)
        self._race.drop(candidate)
        return True
