"""The plan of an evolution: proposers change programs, beliefs say whose children and whose scores are worth a run.

The search is greedy for evidence and not for scores: the next run is what would add most to the program that is
believed best after it (`propose.evolve`), a child or one more score. What it ends with is judged as everywhere else, on
fresh seeds.
"""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from headway.core import Role, TrialState, UsageError
from headway.engine import Assignment
from headway.experiments.layouts.patches import Patch, WholeFiles, parse_patch
from headway.experiments.repositories import RepositoryExperiment
from headway.propose.evolve import Choice, Proposed, normal_form
from headway.store import Store, StudyRecord, TrialRecord, candidate_id
from headway.studies.declaration import Declaration
from headway.studies.doubts import TrialDoubts
from headway.studies.evolving.archive import Archive
from headway.studies.evolving.brood import Brood
from headway.studies.evolving.keeping import Answer, Keeper
from headway.studies.evolving.programs import NewProgram, files_of_change, refuse_broken, why_of
from headway.studies.evolving.proposers import proposers_of
from headway.studies.ledger import Key
from headway.studies.plan import Proposal, StudyPlan
from headway.studies.repositories import changed_from

__all__ = ["EvolvePlan"]

_USELESS_IN_A_ROW = 100  # answers without a new program, after which there is nothing new to expect
_USELESS_BESIDE = 20  # while trials run: then what they come to is waited for, and changes who is asked about what
# Programs, before which nobody who answers at once is asked ahead: simulated, it would cost 4 % of what 60 trials find.
_EARLY = 16
_AHEAD = 2  # answers that wait for a worker, beside one for each
_REQUESTS_AT_ONCE = 16  # written to the record together: they only keep seeds from coming twice


class EvolvePlan(StudyPlan):
    """Hand out runs: the baseline's, then children of promising programs and further scores, then the confirmation."""

    def __init__(self, store: Store, record: StudyRecord, study: Declaration) -> None:
        super().__init__(store, record, study)
        experiment = study.experiment
        assert isinstance(experiment, RepositoryExperiment)
        self._repository = experiment
        turns = any(text.startswith("tune:") for text in study.proposers)
        self._archive = Archive(store, experiment, experiment.layout.task, turns=turns)
        self._archive.enter(self.baseline, 0, None, "the program as it was", form=normal_form(experiment.sources))
        models = store.folder / "models"
        self._keeper = Keeper(models / "waiting" / str(record.id))
        self._brood = Brood(
            proposers_of(study.proposers, experiment, models, study.ceiling),
            at_once=_AHEAD + (study.workers or 2),
            keeper=self._keeper,
            random=Random(f"whom to ask {study.seed}"),
        )
        self._random = Random(f"evolve {study.seed}")
        self._doubts = None if study.trust is None else TrialDoubts(store, record, experiment)
        self._new: dict[int, NewProgram] = {}
        self._ready: list[Proposal] = []
        # Requests of all sessions, from which comes the seed of the next; and how many of them are in the record.
        self._asked = self._written = 0
        self._useless = 0
        self._refusal = ""  # the last one
        self._begun: list[int] = []  # seeds of answers that are written with the transaction that is under way
        self._cleared: set[str] = set()  # whose code was looked at, and nothing seen

    # the engine's questions

    def recall(self, stale: Container[int]) -> int:
        """Take in what stands in the record, and grow the tree again from it."""
        recalled = super().recall(stale)
        for proposal in self._store.studies.proposals(self._record.id):
            parent = proposal.parents[0] if proposal.parents else None
            if proposal.number:
                self._archive.enter(
                    proposal.candidate, proposal.number, parent, proposal.note, proposer=proposal.proposer
                )
        for place in self._store.places.standing(self._record.id):
            if TrialState(place.state).ended and place.trial not in stale and place.role != Role.CONFIRM:
                value = place.value if place.state == TrialState.COMPLETE else None
                self._take_in(place.candidate, value, lambda trial=place.trial: why_of(self._store.trials.get(trial)))
        self._written = int(self._store.studies.spending(self._record.id).get("requests", 0))
        self._asked = max(self._written, self._number)
        self._random = Random(f"evolve {self._study.seed} {self._asked}")
        return recalled

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Take what ends the engine's rest: the brood calls it when an answer has come."""
        self._brood.wake = wake

    def next(self, running: Sequence[Assignment]) -> Assignment | None:
        """Return the next trial, or None when there is nothing to start now."""
        busy = {(item.candidate, item.seed) for item in running}
        found = self._next_baseline(busy) or self._next_search(busy)
        return found or self._next_confirmation(busy)

    def prepare(self, running: Sequence[Assignment]) -> None:
        """Ask for the next program while trials run, so that none waits for it."""
        busy = {(item.candidate, item.seed) for item in running}
        if len(self._archive) < _EARLY and self._brood.instant:
            return  # the first programs decide most, and are chosen with all that is known
        if running and self._searching(busy):
            self._hear()
            if self._measured:
                self._ask(busy, again=False)

    def begins(self, assignment: Assignment) -> None:
        """Write the program of which this is the first trial, who proposed it, and what the proposal cost."""
        new = self._new.pop(assignment.number, None)
        if new is None:
            return
        studies, study = self._store.studies, self._record.id
        studies.add_candidate(self._study.experiment.identity, new.config, new.patch)
        studies.propose(study, assignment.number, new.candidate, new.proposer, new.parents, new.note)
        if new.tokens:
            studies.charge(study, "tokens", new.tokens)
        if new.dollars:
            studies.charge(study, "dollars", new.dollars)
        if self._asked - self._written >= _REQUESTS_AT_ONCE:
            self._write_requests()
        self._begun.append(new.seed)

    def done(self) -> bool:
        """Tell whether all has ended that will ever be asked for; answers are waited for as long as they can be run."""
        return self.next(()) is None and (self._search_over or not self._brood.waiting)

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        """Take in a trial that ended."""
        super().ended(assignment, trial, reused=reused)
        self._forget_begun()
        self._useless = 0
        if assignment.role != Role.CONFIRM:
            value = trial.value if trial.state == TrialState.COMPLETE else None
            self._take_in(trial.candidate, value, lambda: why_of(trial))

    def close(self) -> None:
        """Ask nobody any more."""
        self._brood.close()
        self._forget_begun()
        if self._asked > self._written:
            self._write_requests()

    # what a verdict needs

    @property
    def fresh_seeds(self) -> list[int]:
        """Return the seeds that no candidate was chosen by: none where a seed cannot reach the program."""
        return self._study.fresh_seeds if self._study.experiment.has_seed_channel else []

    @property
    def note(self) -> str | None:
        """Return why the search ended early, where it did."""
        return self._note or self._brood.note

    def _choose(self) -> list[str]:
        """Return who is believed to be the best, and is another program than the first; doubtful ones are none."""
        found: list[str] = []
        for candidate in self._archive.best(16 * self._study.finalists):
            if candidate == self.baseline or len(found) == self._study.finalists:
                break  # who is believed to be worse than the first program is not confirmed, unless nobody is better
            if self._believed(candidate):
                found.append(candidate)
        if found:
            return found
        others = [item for item in self._archive.best(16) if item != self.baseline and self._believed(item)]
        return others[:1]

    # one kind of trial after the other

    def _next_search(self, busy: set[Key]) -> Assignment | None:
        if (recorded := self._next_open(busy)) is not None:
            return recorded
        if not self._searching(busy):
            return None
        if (queued := self._from_queue()) is not None:
            return self._first_run(queued)
        self._hear()
        if not self._ready and self._measured and (again := self._ask(busy)) is not None:
            return again
        return self._first_run(self._ready.pop(0)) if self._ready else None

    def _searching(self, busy: set[Key]) -> bool:
        """Tell whether there is money, a baseline that stands, and somebody to ask."""
        if self._search_over:
            return False
        if not self._affordable(busy) or not self._baseline_stands():
            self._search_over = not busy
            return False
        asked_all = self._brood.over and not self._brood.waiting and not self._ready
        if asked_all or self._useless_for_long(busy):
            self._search_over = not busy and not self._store.studies.waiting(self._record.id)
            if self._search_over and not asked_all:
                self._note = (
                    f"The last {self._useless} answers brought no new program, so the search ended. The last one: "
                    f"{self._refusal}"
                )
            return not self._search_over
        return True

    @property
    def _measured(self) -> bool:
        return self._archive.runs(self.baseline) > 0

    def _ask(self, busy: set[Key], *, again: bool = True) -> Assignment | None:
        """Ask for children until no more are wanted or nobody more can be asked; or return who is worth a score."""
        while self._wanting and self._brood.room(len(self._ready)) and not self._useless_for_long(busy):
            choice = self._chosen()
            candidate = self._archive.candidate(choice.node)
            if choice.kind == "again":
                return self._assign_again(candidate, busy) if again else None
            self._asked += 1
            seed = self._study.seed * 1_000_003 + self._asked
            self._brood.ask(candidate, self._archive.context(choice.node, seed, self._random))
            self._hear()
        return None

    @property
    def _wanting(self) -> bool:
        """Tell whether one more program is wanted: where none is ready, and ahead of time where answers take theirs.

        After an answer of no use nobody is asked ahead: what the trials come to changes who is asked about what.
        """
        return not self._ready or not (self._brood.instant or self._useless)

    def _chosen(self) -> Choice:
        """Return what is worth a run; whose score is not believed is nobody's parent."""
        while True:
            choice = self._archive.choose(self._random)
            if choice.kind == "again" and not self._study.experiment.has_seed_channel:
                choice = Choice("child", choice.node)
            if self._believed(self._archive.candidate(choice.node)):
                return choice

    def _assign(
        self, candidate: str, config: Mapping[str, Any], seed: int, role: Role, number: int, *, scheduled: bool = False
    ) -> Assignment:
        plain = super()._assign(candidate, config, seed, role, number, scheduled=scheduled)
        if not number:
            return plain
        new = self._new.get(number)
        patch = self._archive.record(candidate).patch if new is None else new.patch
        return plain if patch is None else replace(plain, note=self._archive.note(candidate))

    def _assign_again(self, candidate: str, busy: set[Key]) -> Assignment:
        """Return a run of a candidate with a seed that is new to it, and none of those that verdicts are read from."""
        seed = self._study.fresh_seeds[-1] + 1
        while not self._is_open((candidate, seed), busy):
            seed += 1
        return self._assign_as(candidate, seed, Role.SEARCH)

    def _first_run(self, proposal: Proposal) -> Assignment:
        number, candidate, config = proposal
        self._open[number] = candidate
        return self._assign(candidate, config, self._study.seed, Role.SEARCH, number)

    def _from_queue(self) -> Proposal | None:
        """Return what a person or an agent proposed and was not there before; it takes its place in the tree."""
        while (proposal := super()._from_queue()) is not None:
            number, candidate, _ = proposal
            self._number = number
            if not self._archive.has(candidate):
                record = self._store.studies.proposals(self._record.id, [number])[0]
                self._archive.enter(candidate, number, record.parents[0] if record.parents else None, record.note)
                return proposal
        return None

    def _next_open(self, busy: set[Key]) -> Assignment | None:
        for number, candidate in self._open.items():
            if self._is_open((candidate, self._study.seed), busy):
                known = self._new.get(number)
                config = self._store.studies.candidate(candidate).config if known is None else known.config
                return self._assign(candidate, config, self._study.seed, Role.SEARCH, number)
        return None

    # answers

    def _hear(self) -> None:
        """Take in the answers that have come: each is a new program, or of no use."""
        while (answer := self._brood.take()) is not None:
            refused = answer.refused
            if answer.proposed is not None:
                try:
                    self._ready.append(self._admitted(answer, answer.proposed))
                    self._useless = 0
                    continue
                except UsageError as error:
                    refused = str(error)
            self._useless += 1
            self._refusal = refused
            self._keeper.forget(answer.seed)
            self._brood.credit(answer.proposer, better=False)  # it was asked, and perhaps paid, for nothing
            self._archive.refused(answer.parent, refused, "" if answer.proposed is None else answer.proposed.note)
            self._pay(answer.proposed)

    def _admitted(self, answer: Answer, proposed: Proposed) -> Proposal:
        """Give a new program its number. Raises `UsageError` for one that does not fit, or was there before."""
        above = self._archive.record(answer.parent)
        patches: list[Patch] = [WholeFiles(dict(proposed.files))] if proposed.files else []
        patches += [parse_patch(text, file) for text, file in proposed.patches]
        change = changed_from(
            self._repository,
            self._study.baseline,
            above,
            patches=patches,
            config=proposed.config,
            files=self._archive.files(answer.parent),
        )
        files = files_of_change(self._repository, change)
        refuse_broken(files, change.paths)
        form = normal_form(files)
        if (before := self._archive.known(form)) is not None:
            number = self._store.studies.find_number(self._record.id, before) or 0
            raise UsageError(f"It is the same program as #{number}, in other words.")
        candidate = candidate_id(self._study.experiment.identity, change.config, change.patch)
        self._number += 1
        self._new[self._number] = NewProgram(
            candidate=candidate,
            config=change.config,
            patch=change.patch,
            proposer=answer.proposer,
            parents=(answer.parent,),
            note=proposed.note,
            tokens=proposed.tokens,
            dollars=proposed.dollars,
            seed=answer.seed,
        )
        self._archive.enter(candidate, self._number, answer.parent, proposed.note, proposer=answer.proposer, form=form)
        return self._number, candidate, change.config

    def _pay(self, proposed: Proposed | None) -> None:
        if proposed is not None and proposed.tokens:
            self._store.studies.charge(self._record.id, "tokens", proposed.tokens)
        if proposed is not None and proposed.dollars:
            self._store.studies.charge(self._record.id, "dollars", proposed.dollars)

    def _write_requests(self) -> None:
        self._store.studies.charge(self._record.id, "requests", self._asked - self._written)
        self._written = self._asked

    def _forget_begun(self) -> None:
        """Let go of answers whose programs are in the record by now."""
        for seed in self._begun:
            self._keeper.forget(seed)
        self._begun.clear()

    def _useless_for_long(self, busy: set[Key]) -> bool:
        return self._useless >= (_USELESS_BESIDE if busy else _USELESS_IN_A_ROW)

    # what was seen

    def _take_in(self, candidate: str, value: float | None, why: Callable[[], str]) -> None:
        if not self._archive.has(candidate) or (value is None and candidate == self.baseline):
            return  # where the first program fails with one seed, its others still say what it is worth
        first = not self._archive.runs(candidate)
        failed = value is None or not math.isfinite(value)
        if value is None or failed:
            self._archive.failed(candidate, why())
        else:
            self._archive.scored(candidate, value)
        if first and candidate != self.baseline:
            self._brood.credit(self._archive.proposer(candidate), better=not failed and self._archive.better(candidate))

    def _believed(self, candidate: str) -> bool:
        """Tell whether nothing speaks against a candidate's score; looked at only for those who matter."""
        if self._doubts is None or candidate == self.baseline or self._study.trust != "as printed":
            return True
        if candidate in self._cleared:
            return True
        first = self.trial(candidate, self._study.seed)
        doubts = () if first is None else self._doubts.of_trial(first)
        if first is not None and not doubts:
            self._cleared.add(candidate)
        if doubts:
            self.flagged[candidate] = doubts
            self._archive.drop(candidate)
        return not doubts
