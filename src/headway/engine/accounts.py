"""What a session costs: wall time, slots that were there, slots that were busy."""

from headway.store import Store, StudyRecord

__all__ = ["Accounts"]


class Accounts:
    """Add up time and charge it to the study. Slot seconds are seconds times workers."""

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self._store = store
        self._study = study
        self._seconds = self._slots = self._busy = 0.0  # not charged yet
        self._all_slots = self._all_busy = 0.0

    def add(self, seconds: float, *, workers: int, busy: int) -> None:
        """Count a stretch of time."""
        self._seconds += seconds
        self._slots += seconds * workers
        self._busy += seconds * busy
        self._all_slots += seconds * workers
        self._all_busy += seconds * busy

    @property
    def idle_share(self) -> float:
        """Return the share of this session's slot seconds in which nothing ran."""
        return 1 - self._all_busy / self._all_slots if self._all_slots else 0.0

    def charge(self) -> None:
        """Write what was counted since the last time."""
        with self._store.database.write():
            self._store.studies.charge(self._study.id, "seconds", self._seconds)
            self._store.studies.charge(self._study.id, "slot seconds", self._slots)
            self._store.studies.charge(self._study.id, "busy slot seconds", self._busy)
        self._seconds = self._slots = self._busy = 0.0
