"""Headway at rest: what the engine does when a trial ends. The run log becomes columns in the store, and goes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import headway_logger
from headway_records import add_study, begin_trial

from headway.store import Store


class Adapter:
    """Log through `Run.log`, and fold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = headway_logger.Adapter(folder)

    def start(self) -> None:
        with Store.open(self._folder / "store") as store:
            study = add_study(store)
            self._trial, self._attempt = begin_trial(store, study, 0)

    def write(self, values: Iterable[float]) -> None:
        self._log.start()  # only now: its file does not count among what lies there at rest
        self._log.write(values)

    def write_four(self, values: Iterable[float]) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        self._log.finish()
        with Store.open(self._folder / "store") as store:
            store.curves.fold(
                self._trial, self._attempt, headway_logger.points_in(self._folder / headway_logger.RUN_LOG)
            )
        (self._folder / headway_logger.RUN_LOG).unlink()

    def read(self, metric: str) -> Sequence[float]:
        with Store.open(self._folder / "store") as store:
            return store.curves.read(1, metric)[metric].values
