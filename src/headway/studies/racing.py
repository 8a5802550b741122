"""A study's race: `validate`'s rule for the next run, told in the study's words of candidates and seeds."""

import math
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headway.store import Store, StudyRecord
from headway.studies.declaration import Declaration
from headway.studies.ledger import Key
from headway.validate import Drift, Noise, Prior, Race, Standing, drift, learn_noise, learn_paired_noise, prior_noise

__all__ = ["Racing", "Wanted"]

_AA = 3  # runs of the baseline before the first idea: without a measure of noise nothing can be told apart
_FIRST_SEED = 1000
_UNLIMITED = 1_000_000
_DRIFT_ERROR = 0.01
_NO_NOISE = 1e-9
_MOST_SHARED = 0.95
_FAR, _FAR_SDS = 20.0, 1e4  # sizes of the baseline's value, sds of a run: what lies further out counts as that far
_DROPPED = -1  # no seed: what was not run


@dataclass(frozen=True, slots=True)
class Wanted:
    """Say what the race wants next: a new idea, a run of this candidate with that seed, or no more."""

    kind: Literal["idea", "run", "over"]
    candidate: str = ""
    seed: int = 0


class Racing:
    """Choose, by the results so far, which candidate gets the next seed, and which candidates are kept.

    It runs on seeds of its own, so that those of the confirmation stay fresh. Given the same results in the same order
    it chooses the same, and so it is rebuilt from the record.
    """

    def __init__(
        self,
        store: Store,
        record: StudyRecord,
        study: Declaration,
        baseline: str,
        ended: Callable[[Key], bool],
    ) -> None:
        self._store = store
        self._record = record
        self._study = study
        self._baseline = baseline
        self._ended = ended
        self._race: Race | None = None
        self._in_race = {baseline: None}  # in the order in which they came
        self._results: list[tuple[str, int, float | None]] = []
        self._excluded: set[str] = set()
        self._range: tuple[float, float] = (-math.inf, math.inf)
        self.kept: list[str] = []  # in the order in which they became the one to beat

    @property
    def first_seeds(self) -> list[int]:
        """Return the seeds of the baseline's first runs, which measure the noise."""
        return [self._seed(index) for index in range(_AA)]

    def first_seed(self, number: int) -> int:
        """Return the seed of a proposal's first run: the baseline's in turns, so that no seed's luck decides."""
        return self._seed(number % _AA)

    def next(self, busy: Collection[Key]) -> Wanted | None:
        """Return what to run next; None to wait for what runs."""
        waiting = False
        for index, seed in enumerate(self.first_seeds):
            if not self._ended(key := (self._baseline, seed)):
                if key not in busy:
                    return Wanted("run", *key)
                if index == 0:
                    return None  # what fails once with this code would fail with every seed
                waiting = True
        if waiting:
            return None
        if len(self._first_values()) < 2:
            return Wanted("over")  # `problem` says why
        race = self._begun()
        running = [(candidate, self._index(seed)) for candidate, seed in busy if candidate in self._in_race]
        action = race.next(running)
        if action.kind == "stop":
            return Wanted("over")
        if action.candidate is None or action.seed is None:
            return Wanted("idea")
        key = (action.candidate, self._seed(action.seed))
        return None if key in busy else Wanted("run", *key)

    def ended(self, candidate: str, seed: int, value: float | None, *, identical: bool = False) -> None:
        """Take in a run that ended; without a `value` it failed. One that is `identical` to the baseline is no idea."""
        self._results.append((candidate, seed, None if identical else value))
        if self._race is not None:
            self._observe(*self._results[-1])

    def exclude(self, candidate: str) -> None:
        """Hold the race again without a candidate that it kept, and that fresh seeds did not bear out.

        Else it would stand before all others for what it only seemed to be: a candidate can know its seed.
        """
        self._excluded.add(candidate)
        self._race = None
        self._in_race = {self._baseline: None}
        self.kept.clear()
        if len(self._first_values()) >= 2:
            self._begun()

    def drop(self, candidate: str) -> None:
        """Give up a candidate that goes on as another one."""
        if self._race is not None and candidate in self._in_race and self._race.standing(candidate).state == "open":
            self._results.append((candidate, _DROPPED, None))
            self._race.observe(candidate, _DROPPED, None)

    @property
    def problem(self) -> str | None:
        """Return why there is no race: the noise cannot be measured where the baseline fails with most seeds."""
        if len(self._first_values()) >= 2 or not all(self._ended((self._baseline, seed)) for seed in self.first_seeds):
            return None
        return (
            f"The baseline reached a value with fewer than two of {_AA} seeds, so its noise is unknown and nothing can "
            "be compared with it. See why it failed: headway trials; then run the study again with --retry-failed."
        )

    def learned(self) -> dict[str, Any] | None:
        """Return what later studies of the experiment may begin with, as JSON."""
        if self._race is None:
            return None
        noise = self._race.noise
        degrees = noise.degrees if math.isfinite(noise.degrees) else None  # None: known
        return {"prior": self._race.prior.to_json(), "noise_sd": noise.sd, "noise_degrees": degrees}

    def drift(self) -> Drift | None:
        """Return whether the baseline, in the order of its runs, has moved; None where it has not."""
        values = [value for candidate, _, value in self._results if candidate == self._baseline and value is not None]
        found = drift(values)
        return found if found.found(_DRIFT_ERROR) else None

    def standing(self, candidate: str) -> Standing | None:
        """Return what the race holds of a candidate; None where it has no result of it yet."""
        if self._race is None or candidate not in self._in_race:
            return None
        return self._race.standing(candidate)

    def dropped(self) -> dict[str, Standing]:
        """Return what the race holds of the candidates that it gave up, in the order in which they came."""
        if self._race is None:
            return {}
        standings = {
            candidate: self._race.standing(candidate) for candidate in self._in_race if candidate != self._baseline
        }
        return {name: item for name, item in standings.items() if item.state in ("rejected", "superseded")}

    def _begun(self) -> Race:
        """Return the race; begin it when the first runs of the baseline have told the noise."""
        if self._race is None:
            noise, shared = self._noise(self._first_values())
            self._race = Race(
                self._record.direction,
                noise,
                self._prior(),
                baseline=self._baseline,
                budget=self._budget(),
                max_seeds=self._study.most_seeds,
                shared=shared,
            )
            self._range = _believed(self._first_values(), noise.sd)
            for result in self._results:
                self._observe(*result)
        return self._race

    def _first_values(self) -> list[float]:
        return [
            value
            for candidate, seed, value in self._results
            if candidate == self._baseline and seed in self.first_seeds and value is not None
        ]

    def _observe(self, candidate: str, seed: int, value: float | None) -> None:
        race = self._begun()
        if candidate in self._excluded:
            return
        if candidate not in self._in_race:
            self._in_race[candidate] = None
            race.add(candidate)
        low, high = self._range
        race.observe(candidate, self._index(seed), None if value is None else min(max(value, low), high))
        if race.incumbent != ([self._baseline, *self.kept])[-1]:
            self.kept.append(race.incumbent)

    def _noise(self, first: Sequence[float]) -> tuple[Noise, float]:
        """Return the noise of a run, and which share of its variance a seed brings to all candidates alike.

        It is learned from the baseline's first runs, and from the repeated ones of earlier studies of the experiment,
        without which nothing is known of the share.
        """
        earlier = self._store.places.repeated(self._record.experiment, self._record.metric, self._record.id)
        known = [learn_noise([list(values.values()) for values in study]) for study in earlier]
        known = [noise for noise in known if noise.sd > 0]
        noise = learn_noise([first], prior_noise(known) if len(known) > 1 else None)
        if noise.sd == 0:  # the seeds do nothing: any difference is one
            return Noise(max(abs(first[0]), 1.0) * _NO_NOISE, noise.degrees), 0.0
        shares = [learn_paired_noise(study).correlation for study in earlier if len(study) > 1]
        return noise, min(max(statistics.median(shares), 0.0), _MOST_SHARED) if shares else 0.0

    def _prior(self) -> Prior | None:
        """Return what the last study of this experiment learned about its ideas."""
        for study in self._store.studies.all():
            if study.id != self._record.id and study.experiment == self._record.experiment:
                for event in reversed(self._store.events.of_study(study.id, kinds=("race",))):
                    return Prior.from_json(event.data["prior"])
        return None

    def _budget(self) -> int:
        """Return how many trials the race may spend: the study's, without those that confirm."""
        if self._study.rule == "stream":
            return _UNLIMITED  # the plan counts: how many are confirmed is not known before
        confirm = (1 + self._study.finalists) * len(self._study.fresh_seeds)
        if self._study.budget.trials is not None:
            return self._study.budget.trials - confirm
        if self._study.candidates:
            return _AA + self._study.most_seeds * (1 + len(self._study.candidates))
        return _UNLIMITED

    def _seed(self, index: int) -> int:
        """Return the study's seed for the race's `index`-th, far from the fresh ones, so that these may become more."""
        return self._study.seed + (index and _FIRST_SEED + index)

    def _index(self, seed: int) -> int:
        return 0 if seed == self._study.seed else seed - self._study.seed - _FIRST_SEED


def _believed(first: Sequence[float], sd: float) -> tuple[float, float]:
    """Return between which values results are told apart: an absurd one must not drown what is learned of others."""
    centre = statistics.fmean(first)
    reach = max(_FAR * abs(centre), _FAR_SDS * sd)
    return centre - reach, centre + reach
