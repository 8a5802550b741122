"""What a process has worked out of candidates: they never change, and twenty agents ask for the same board."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from headway.store import Store, StudyRecord

__all__ = ["Remembered"]

_Found = TypeVar("_Found")


class Remembered(Generic[_Found]):
    """Hold the last `most` things that were worked out of candidates. Threads may ask at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.RLock()
        self._found: OrderedDict[tuple[str | None, ...], _Found] = OrderedDict()

    def get(
        self, store: Store, study: StudyRecord, names: tuple[str | None, ...], find: Callable[[], _Found]
    ) -> _Found:
        """Return what is known of the candidates `names`, or find it."""
        key = (str(store.folder), study.name, str(study.created), *names)
        found = self._found.get(key)
        if found is not None:
            return found
        with self._lock:  # of twenty who ask for the first time at once, one works it out
            found = self._found.get(key)
            if found is None:
                found = self._found[key] = find()
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
            return found
