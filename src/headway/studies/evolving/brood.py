"""Ask proposers, several at a time, and hand out what they answer: no trial should wait for a model."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from headway.core import HeadwayError, UsageError
from headway.llm import CeilingReached, ModelError
from headway.propose.evolve import Context, Proposed, Proposer

__all__ = ["Answer", "Brood"]

_MODEL_ERRORS = 5  # in a row, of one proposer: then it is not asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold what a proposer answered about a parent: a proposal, or in words why there is none."""

    proposer: str
    parent: str
    proposed: Proposed | None
    refused: str = ""


class Brood:
    """Hold the proposers of a session. `at_once` requests are under way at most, but for instant proposers."""

    def __init__(self, proposers: Sequence[Proposer], *, at_once: int) -> None:
        self._proposers = list(proposers)
        self._at_once = at_once
        self._pool: ThreadPoolExecutor | None = None
        self._asked: deque[tuple[Proposer, str, Future[Proposed]]] = deque()
        self._answers: deque[Answer] = deque()
        self._errors: dict[str, int] = {}
        self._turn = 0
        self.note: str | None = None  # why the last proposer was given up

    @property
    def over(self) -> bool:
        """Tell whether nobody is left to ask."""
        return not self._proposers

    @property
    def waiting(self) -> bool:
        """Tell whether an answer is there or will come."""
        return bool(self._asked or self._answers)

    @property
    def room(self) -> bool:
        """Tell whether one more may be asked now."""
        return not self.over and len(self._asked) + len(self._answers) < self._at_once

    def ask(self, parent: str, context: Context) -> None:
        """Ask the next proposer in turn."""
        proposer = self._proposers[self._turn % len(self._proposers)]
        self._turn += 1
        if proposer.instant:
            future: Future[Proposed] = Future()
            try:
                future.set_result(proposer.propose(context))
            except Exception as error:
                future.set_exception(error)
            self._take_in(proposer, parent, future)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="headway-proposer")
        self._asked.append((proposer, parent, self._pool.submit(proposer.propose, context)))

    def take(self) -> Answer | None:
        """Return an answer that has come, the first one first; None where none has."""
        for item in list(self._asked):
            if item[2].done():
                self._asked.remove(item)
                self._take_in(*item)
        return self._answers.popleft() if self._answers else None

    def close(self) -> None:
        """Wait for nobody: what is still under way answers nothing any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _take_in(self, proposer: Proposer, parent: str, future: "Future[Proposed]") -> None:
        """Turn what came of a request into an answer. An error that is nobody's answer is raised as it is."""
        try:
            found = future.result()
        except CeilingReached as error:
            self._give_up(proposer, str(error))
            return
        except ModelError as error:
            self._errors[proposer.name] = self._errors.get(proposer.name, 0) + 1
            if self._errors[proposer.name] >= _MODEL_ERRORS:
                self._give_up(proposer, str(error))
            if self.over:
                raise HeadwayError(
                    f"Nobody is left to propose. {error} The study is paused; go on with: headway resume"
                ) from error
            return
        except UsageError as error:
            self._answers.append(Answer(proposer=proposer.name, parent=parent, proposed=None, refused=str(error)))
            return
        self._errors.pop(proposer.name, None)
        self._answers.append(Answer(proposer=proposer.name, parent=parent, proposed=found))

    def _give_up(self, proposer: Proposer, why: str) -> None:
        self._proposers = [item for item in self._proposers if item is not proposer]
        self.note = f"{proposer.name} is not asked any more: {why}"
