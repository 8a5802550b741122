"""What a study has done and paid for, in a few bytes a trial: which keys have ended, and which of them cost a trial."""

from collections.abc import Iterable

from headway.store import Standing

__all__ = ["Key", "Ledger"]

Key = tuple[str, int]  # candidate and seed


class Ledger:
    """Know which candidates and seeds have ended, and count those that count against the budget.

    A trial is paid for once, however often it is begun: by the study that ran it. An answer from the record is free,
    unless the study had paid for that trial before. Keys are kept as hashes of 61 bits: for a million trials the
    probability that any two meet is below one in a million.
    """

    def __init__(self) -> None:
        self._done: set[int] = set()
        self._free: set[int] = set()  # of those done, the ones that cost nothing
        self._owed: set[int] = set()  # paid for and not done: unfinished, or of another version
        self._paid = 0
        self._seconds = 0.0
        self._timed = 0
        self.recalled = 0

    def recall(self, key: Key, place: Standing, *, stands: bool) -> None:
        """Take in a trial of an earlier session; `stands` tells whether its result counts today."""
        number = hash(key)
        if stands:
            self.recalled += 1
            self._done.add(number)
            if place.reused:
                self._free.add(number)
        elif not place.reused:
            self._owed.add(number)
        self._paid += not place.reused

    def end(self, key: Key, wall_seconds: float, *, reused: bool) -> None:
        """Take in a trial that ended now."""
        number = hash(key)
        self.charge(wall_seconds, 1)
        if number not in self._owed:
            if reused:
                self._free.add(number)
            else:
                self._paid += 1
        self._owed.discard(number)
        self._done.add(number)

    def charge(self, seconds: float, trials: int) -> None:
        """Take in what trials cost that ended."""
        self._seconds += seconds
        self._timed += trials

    def done(self, key: Key) -> bool:
        """Tell whether a trial has ended whose result counts."""
        return hash(key) in self._done

    def paid_with(self, busy: Iterable[Key]) -> int:
        """Count the trials that the study has paid for, and will have once the `busy` ones have ended."""
        return self._paid + sum(not self._is_paid(hash(key)) for key in busy)

    @property
    def mean_seconds(self) -> float:
        """Return the mean wall time of the trials that ended."""
        return self._seconds / self._timed if self._timed else 0.0

    def _is_paid(self, number: int) -> bool:
        return number in self._owed or (number in self._done and number not in self._free)
