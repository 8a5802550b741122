"""What a sampler that learns sees of a study: an observation for each proposal, kept up to date as trials end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headway.core import TrialState
from headway.propose import Observation
from headway.store import TrialRecord

__all__ = ["History"]


class History:
    """Keep the observations of a study in the order of its proposals; what is pending ends in place."""

    def __init__(
        self, proposals: Iterable[tuple[int, str, Mapping[str, Any]]], find: Callable[[str], TrialRecord | None]
    ) -> None:
        self._observations: list[Observation] = []
        self._places: dict[str, list[int]] = {}
        self._find = find
        for number, candidate, config in proposals:
            self.propose(number, candidate, config)

    @property
    def observations(self) -> Sequence[Observation]:
        """Return what is known of each proposal."""
        return self._observations

    def propose(self, number: int, candidate: str, config: Mapping[str, Any]) -> None:
        """Add a proposal, with the result of its candidate where there is one already."""
        self._places.setdefault(candidate, []).append(len(self._observations))
        self._observations.append(_observation(number, config, self._find(candidate)))

    def end(self, candidate: str, trial: TrialRecord) -> None:
        """Take in what became of a candidate."""
        for place in self._places.get(candidate, ()):
            before = self._observations[place]
            self._observations[place] = _observation(before.number, before.config, trial)


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
