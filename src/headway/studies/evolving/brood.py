"""Ask proposers, several at a time, and hand out what they answer: no trial should wait for a model."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random

from headway.core import HeadwayError, UsageError
from headway.llm import CeilingReached, ModelError
from headway.propose.evolve import Context, Proposed, Proposer
from headway.studies.evolving.keeping import Answer, Keeper

__all__ = ["Brood"]

_MODEL_ERRORS = 5  # in a row, of one proposer: then it is not asked again


@dataclass(frozen=True, slots=True)
class _Asked:
    """Hold a request that is under way."""

    proposer: Proposer
    parent: str
    context: Context
    future: "Future[Proposed]"


class Brood:
    """Hold the proposers of a session. `at_once` requests are under way or wait for a worker, but for instant ones.

    Threads ask, and none is waited for when the session ends. What they bring is kept in a file until it is a program
    in the record, as it may have cost money; then they call `wake`.
    """

    def __init__(self, proposers: Sequence[Proposer], *, at_once: int, keeper: Keeper, random: Random) -> None:
        self._proposers = list(proposers)
        self._random = random
        self._credit: dict[str, list[int]] = {}  # by name: how many of its answers beat the parent, and did not
        self._all = tuple(proposers)
        self._at_once = at_once
        self._keeper = keeper
        self._asked: deque[_Asked] = deque()
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._threads = 0
        self._answers: deque[Answer] = deque(keeper.kept())
        self._errors: dict[str, int] = {}
        self.note: str | None = None  # why the last proposer was given up
        self.wake: Callable[[], None] = _nobody

    @property
    def over(self) -> bool:
        """Tell whether nobody is left to ask."""
        return not self._proposers

    @property
    def instant(self) -> bool:
        """Tell whether all proposers answer at once."""
        return all(item.instant for item in self._proposers)

    @property
    def waiting(self) -> bool:
        """Tell whether an answer is there or will come."""
        return bool(self._asked or self._answers)

    def room(self, ready: int) -> bool:
        """Tell whether one more may be asked now, beside answers that were taken and are `ready` to run."""
        return not self.over and len(self._asked) + len(self._answers) + ready < self._at_once

    def credit(self, proposer: str, *, better: bool) -> None:
        """Take in whether a proposer's answer is a program that is believed to be better than its parent."""
        self._credit.setdefault(proposer, [0, 0])[0 if better else 1] += 1

    def _chosen(self) -> Proposer:
        """Draw whom to ask by how often each one's programs were better (Thompson sampling, from a uniform prior).

        Of two models of which one is weak, that finds a third more in 300 trials than asking them in turns
        (`benchmarks/archive.py`).
        """
        if len(self._proposers) == 1:
            return self._proposers[0]
        counts = ((item, self._credit.get(item.name, (0, 0))) for item in self._proposers)
        drawn = [(self._random.betavariate(1 + won, 1 + lost), item) for item, (won, lost) in counts]
        return max(drawn, key=lambda pair: pair[0])[1]

    def ask(self, parent: str, context: Context) -> None:
        """Ask one proposer for a child of a parent."""
        proposer = self._chosen()
        asked = _Asked(proposer, parent, context, Future())
        if proposer.instant:
            _answer(asked, None)
            self._take_in(asked)
            return
        self._asked.append(asked)
        if self._threads < len(self._asked):
            # The interpreter does not wait for these when it ends, as it would for those of an executor: an answer may
            # take many minutes.
            threading.Thread(target=self._serve, name="headway-proposer", daemon=True).start()
            self._threads += 1
        self._queue.put(asked)

    def take(self) -> Answer | None:
        """Return an answer that has come, the first one first; None where none has."""
        for asked in [item for item in self._asked if item.future.done()]:
            self._asked.remove(asked)
            self._take_in(asked)
        return self._answers.popleft() if self._answers else None

    def close(self) -> None:
        """Wait for nobody, and end what proposers have started."""
        for _ in range(self._threads):
            self._queue.put(None)
        for proposer in self._all:
            proposer.close()

    def _serve(self) -> None:
        """Ask one after the other, in a thread, until the session ends."""
        while (asked := self._queue.get()) is not None:
            _answer(asked, self._keeper)
            self.wake()

    def _take_in(self, asked: _Asked) -> None:
        """Turn what came of a request into an answer. An error that is nobody's answer is raised as it is."""
        proposer = asked.proposer
        try:
            found = asked.future.result()
        except CeilingReached as error:
            self._give_up(proposer, str(error))
        except ModelError as error:
            self._errors[proposer.name] = self._errors.get(proposer.name, 0) + 1
            if self._errors[proposer.name] >= _MODEL_ERRORS:
                self._give_up(proposer, str(error))
            if self.over:
                raise HeadwayError(
                    f"Nobody is left to propose. {error} The study is paused; go on with: headway resume"
                ) from error
        except UsageError as error:
            self._errors.pop(proposer.name, None)  # it answered
            self._answers.append(_answered(asked, None, refused=str(error)))
        else:
            self._errors.pop(proposer.name, None)
            self._answers.append(_answered(asked, found))

    def _give_up(self, proposer: Proposer, why: str) -> None:
        if any(item is proposer for item in self._proposers):
            self._proposers = [item for item in self._proposers if item is not proposer]
            self.note = f"{proposer.name} is not asked any more: {why}"


def _nobody() -> None:
    """Wake nobody: the answer is found when somebody looks."""


def _answer(asked: _Asked, keeper: Keeper | None) -> None:
    """Ask, and keep what comes before anybody knows of it."""
    try:
        found = asked.proposer.propose(asked.context)
        if keeper is not None:
            keeper.keep(_answered(asked, found))
        asked.future.set_result(found)
    except BaseException as error:
        asked.future.set_exception(error)


def _answered(asked: _Asked, proposed: Proposed | None, refused: str = "") -> Answer:
    return Answer(
        proposer=asked.proposer.name, parent=asked.parent, seed=asked.context.seed, proposed=proposed, refused=refused
    )
