"""What speaks against a candidate's score: what was seen in its code and of its process, and how it compares."""

from collections.abc import Iterable, Sequence

from headway.core import Role, TrialState
from headway.experiments import Experiment
from headway.experiments.repositories import RepositoryExperiment
from headway.experiments.repositories.plausibility import Facts, implausible
from headway.store import Store, StudyRecord, TrialRecord

__all__ = ["TrialDoubts"]

_HISTORY = 200  # trials that a score is held against, the best ones


class TrialDoubts:
    """Read the doubts about trials of a study from the record."""

    def __init__(self, store: Store, record: StudyRecord, experiment: Experiment) -> None:
        self._store = store
        self._record = record
        # Where trials are quick, their code is looked at for those alone that somebody asks about: it takes longer.
        self._repository = experiment if isinstance(experiment, RepositoryExperiment) and experiment.standing else None
        self._known: dict[int, tuple[str, ...]] = {}

    def of_trial(self, trial: TrialRecord) -> Sequence[str]:
        """Return what was seen in the code of a trial's candidate and in what its process did."""
        if trial.id not in self._known:
            events = self._store.events.of_trial(trial.id)
            texts = [str(event.data["text"]) for event in events if event.kind == "flag"]
            if self._repository is not None:
                candidate = self._store.studies.candidate(trial.candidate)
                texts += [seen.text for seen in self._repository.doubts(candidate.config, candidate.files)]
            self._known[trial.id] = tuple(dict.fromkeys(texts))
        return self._known[trial.id]

    def of_score(self, candidate: Iterable[TrialRecord], baseline: Iterable[TrialRecord]) -> Sequence[str]:
        """Return why a candidate's scores are not plausible beside its curves, the baseline's and the history."""
        ours = list(candidate)
        own = {trial.candidate for trial in ours}
        ranked = self._store.places.best(self._record.id, self._record.direction, _HISTORY, Role.SEARCH)
        trials = (self._store.trials.get(item.trial, record=False) for item in ranked)
        others = [trial for trial in trials if trial.candidate not in own and not self.of_trial(trial)]
        history = [self._facts(trial) for trial in others if trial.state == TrialState.COMPLETE]
        start = [self._facts(trial) for trial in baseline]
        found: dict[str, None] = {}
        for trial in ours:
            for text in implausible(
                self._facts(trial), start, history, metric=self._record.metric, direction=self._record.direction
            ):
                found.setdefault(text)
        return list(found)

    def _facts(self, trial: TrialRecord) -> Facts:
        curves = self._store.curves.read(trial.id)
        return Facts(
            value=trial.value,
            metrics=dict(trial.metrics),
            curve={name: list(zip(curve.steps, curve.values, strict=True)) for name, curve in curves.items()},
            seconds=trial.wall_seconds,
        )
