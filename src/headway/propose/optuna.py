"""Optuna's TPE behind our contract: what a study should use that can afford a few dozen trials."""

import itertools
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, ClassVar, final

from headway.core import Direction, MissingExtra, Space
from headway.propose._distinct import completed, fresh, random_config, seed_for
from headway.propose._encode import Encoding
from headway.propose._enumerate import Enumeration, canonical_space
from headway.propose._optuna_study import OptunaStudy
from headway.propose.sampler import Observation, Sampler

__all__ = ["OptunaSampler"]

_ATTEMPTS = 8  # at a configuration that the history does not hold yet
_SEED_LIMIT = 2**32  # of numpy's RandomState, which Optuna seeds


@final
class OptunaSampler(Sampler):
    """Propose what the tree-structured Parzen estimator makes of the history (Watanabe, arXiv:2304.11127).

    It is random until ten trials have ended. Pending trials count as bad ones (constant liar), so that proposals
    made in parallel keep apart; stopped ones rank behind all complete ones; failed ones rank last. A proposal takes
    some milliseconds, which grow with the history: 20 ms at 500 trials of six parameters here.
    """

    order_free: ClassVar[bool] = False

    def __init__(self, space: Space, *, seed: int, direction: Direction) -> None:
        if find_spec("optuna") is None:
            raise MissingExtra("optuna", "optuna", "The sampler 'tpe'")
        self._space = canonical_space(space)
        self._seed = seed
        self._enumeration = Enumeration.of_all(self._space)
        with _quiet():
            self._study = OptunaStudy(Encoding.of(self._space), direction)

    def propose(self, number: int, history: Sequence[Observation]) -> dict[str, Any] | None:
        """Return a configuration that is not in the history, or None when a finite space is exhausted."""
        with _quiet():
            self._study.feed(history)
            known = set(self._study.known)
            asked = fresh(self._ask(number), known)
            drawn = completed(self._draw(number), self._enumeration, known, self._seed)
            return next(itertools.chain(asked, drawn), None)

    def _ask(self, number: int) -> Iterator[dict[str, Any]]:
        from optuna.samplers import TPESampler

        for attempt in range(_ATTEMPTS):
            # A new one for each attempt: it holds nothing but its random state.
            seed = seed_for(self._seed, "tpe", number, attempt) % _SEED_LIMIT
            yield self._study.ask(TPESampler(seed=seed, multivariate=True, constant_liar=True))

    def _draw(self, number: int) -> Iterator[dict[str, Any]]:
        for attempt in itertools.count():
            yield random_config(self._space, seed_for(self._seed, "tpe random", number, attempt))


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep Optuna from logging, and Optuna 4 from warning that the features we chose on evidence are experimental."""
    from optuna import logging
    from optuna.exceptions import ExperimentalWarning

    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(before)
