"""Keep what a study of a repository finds where its people look: a branch of what was accepted, refs, results.tsv.

All of it can be written again without harm: a commit is known by what it holds, a row of the ledger by its commit.
"""

from collections.abc import Callable
from typing import Literal

from headway.core import HeadwayError, TrialState
from headway.experiments.layouts import Layout, append_row, format_row
from headway.experiments.repositories import CommitBase, RepositoryExperiment
from headway.sandbox import processes
from headway.store import Store, StudyRecord, TrialRecord, VerdictRecord, is_accepted
from headway.studies.declaration import Declaration
from headway.studies.repositories.ledgers import import_ledger
from headway.studies.stream import Stream

__all__ = ["Keeper", "keep_results"]

_Status = Literal["keep", "discard", "crash"]
_LONGEST_SUBJECT = 200
_EVENT = "kept"
_TRAILER = "Headway-Candidate:"  # ours alone, in a commit's message


class Keeper:
    """Write the branch, the refs and the ledger of one study, verdict by verdict. This one keeps nothing."""

    def catch_up(self) -> None:
        """Write what is missing, and remove what dead trials left."""


def keep_results(store: Store, record: StudyRecord, study: Declaration, stream: Stream | None) -> Keeper:
    """Return what keeps a study's results, and let it hear of its verdicts."""
    experiment = study.experiment
    if stream is None or not isinstance(experiment, RepositoryExperiment):
        return Keeper()
    keeper = _RepositoryKeeper(store, record, experiment)
    stream.hear = keeper.hear
    keeper.begin()
    return keeper


class _RepositoryKeeper(Keeper):
    def __init__(self, store: Store, record: StudyRecord, experiment: RepositoryExperiment) -> None:
        self._store = store
        self._record = record
        self._experiment = experiment
        self._git = experiment.base if isinstance(experiment.base, CommitBase) else None
        self._branch = experiment.named.get("branch", "")
        self._commits: dict[str, str] = {}  # by candidate, of those that have one
        self._note: Callable[[str], None] = lambda text: store.events.add("note", study=record.id, text=text)

    def begin(self) -> None:
        """Make the branch, remove leftovers, and write what an earlier session could not."""
        for event in self._store.events.of_study(self._record.id, kinds=(_EVENT,)):
            self._commits[event.data["candidate"]] = event.data["commit"]
        import_ledger(self._store, self._record, self._experiment.layout)
        if self._git is not None and self._git.git.ref(f"refs/heads/{self._branch}") is None:
            self._git.git.set_ref(f"refs/heads/{self._branch}", self._git.commit, expected="")
        self.catch_up()

    def catch_up(self) -> None:
        """Write the verdicts that are in the record and not yet in git and the ledger; the baseline comes first.

        It is called while no trial of the study runs: trees that are registered then are those of dead ones.
        """
        if self._git is not None and not self._others_run():
            self._git.git.tidy(self._store.folder)
        proposed = self._store.studies.count_proposals(self._record.id)
        if proposed and self._baseline not in self._commits and self._trials(self._baseline):
            self._keep_baseline()
        for verdict in self._store.studies.verdicts(self._record.id):
            if not verdict.data.get("open"):
                self.hear(verdict)

    def hear(self, verdict: VerdictRecord) -> None:
        """Keep a candidate that has its verdict."""
        try:
            if self._baseline not in self._commits:
                self._keep_baseline()
            if verdict.candidate not in self._commits and verdict.decision != "rebased":
                self._keep(verdict)
        except HeadwayError as error:  # a study does not end because somebody moved a branch
            self._note(f"Not kept: {error}")

    def _others_run(self) -> bool:
        """Tell whether an engine runs another study of the store, whose trees lie in the same folder."""
        others = [item for item in self._store.studies.all() if item.id != self._record.id]
        return any(
            item.lease_pid is not None and processes.alive(item.lease_pid, item.lease_started or 0.0) for item in others
        )

    @property
    def _baseline(self) -> str:
        return self._store.studies.proposals(self._record.id, [0])[0].candidate

    def _keep_baseline(self) -> None:
        commit = "" if self._git is None else self._git.commit
        trials = self._trials(self._baseline)
        self._row(commit or self._experiment.base.mark, trials, "keep", "baseline")
        self._remember(self._baseline, commit)

    def _keep(self, verdict: VerdictRecord) -> None:
        proposal = self._proposal(verdict.candidate)
        trials = self._trials(verdict.candidate)
        accepted = is_accepted(verdict.decision)
        message = f"{proposal or 'no description'}"
        commit = self._commit(verdict, trials, message)
        status: _Status = "keep" if accepted else "crash" if verdict.decision == "failed" else "discard"
        self._row(commit or verdict.candidate, trials, status, _subject(message))
        self._remember(verdict.candidate, commit)

    def _commit(self, verdict: VerdictRecord, trials: list[TrialRecord], message: str) -> str:
        """Make the candidate a commit on what it was judged against; move the branch to it where it was accepted."""
        if self._git is None:
            return ""
        candidate = self._store.studies.candidate(verdict.candidate)
        try:
            files = self._experiment.files(candidate.config, candidate.files)
        except HeadwayError:
            files = candidate.files
        parent = self._commits.get(verdict.baseline) or self._git.commit
        undone = {path: text for path, text in self._experiment.sources.items() if path not in files}
        body = f"{_subject(message)}\n\n{verdict.sentence}\n\n{_TRAILER} {verdict.candidate}\n"
        commit = self._git.git.commit(parent, {**undone, **files}, body)
        for trial in trials[:1]:
            self._git.git.set_ref(f"refs/headway/{trial.id}", commit)
        if is_accepted(verdict.decision):
            problem = self._git.git.move_branch(self._branch, commit, expected=parent)
            if problem is not None:
                self._note(problem)
        return commit

    def _row(self, commit: str, trials: list[TrialRecord], status: _Status, words: str) -> None:
        ledger = self._experiment.layout.ledger
        if ledger is None:
            return
        path = self._experiment.layout.root / ledger
        if path.exists() and any(line.startswith(f"{commit[:7]}\t") for line in path.read_text().splitlines()):
            return
        values = [trial.value for trial in trials if trial.value is not None and trial.state == TrialState.COMPLETE]
        value = sum(values) / len(values) if values else None
        memory = _memory(self._experiment.layout, trials)
        shown: _Status = status if value is not None else "crash"
        row = format_row(commit=commit, value=value, memory_mb=memory, status=shown, description=words)
        append_row(path, row, metric=self._experiment.metric)

    def _trials(self, candidate: str) -> list[TrialRecord]:
        places = self._store.places.of_candidate(self._record.id, candidate)
        return [place.trial for place in sorted(places, key=lambda place: place.trial.id) if place.trial.state.ended]

    def _proposal(self, candidate: str) -> str:
        number = self._store.studies.find_number(self._record.id, candidate)
        if number is None:
            return ""
        found = self._store.studies.proposals(self._record.id, [number])[0]
        if found.note:
            return found.note
        baseline = self._record.definition["baseline"]
        turned = [f"{name}={value}" for name, value in found.config.items() if baseline.get(name) != value]
        return ", ".join(turned)

    def _remember(self, candidate: str, commit: str) -> None:
        self._commits[candidate] = commit
        self._store.events.add(_EVENT, study=self._record.id, candidate=candidate, commit=commit)


def _memory(layout: Layout, trials: list[TrialRecord]) -> float | None:
    name = layout.memory_metric
    values = [trial.metrics[name] for trial in trials if name is not None and name in trial.metrics]
    return max(values, default=None)


def _subject(message: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in message).replace(_TRAILER, _TRAILER[:-1])
    return " ".join(printable.split())[:_LONGEST_SUBJECT] or "no description"
