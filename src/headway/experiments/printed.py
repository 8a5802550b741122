"""From the lines that a command prints to its curves, for the worker that launched it.

A script may print a metric and log it too. What it logs with `headway.log` counts then, and what it prints of that
metric is only text: one curve, with the script's own steps. So that not even the first value stands there twice, a
printed one waits until the metric is printed again, or for a second: by then the script has logged its own. Where it
begins to log later than that, the curve begins with what was printed and goes on with what is logged.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from headway.core import StoreError
from headway.experiments.metrics import OutputParser
from headway.experiments.run import BadMetric, Run
from headway.store import Point, RunLogReader

__all__ = ["PrintedMetrics"]

_PATIENCE_SECONDS = 1.0


class PrintedMetrics:
    """Log what the lines of a command's output say, but for what its script logs itself."""

    def __init__(self, run: Run, metric: str, patterns: Mapping[str, str]) -> None:
        self._run = run
        self._metric = metric
        self._parser = OutputParser(patterns)
        self._script = _ScriptLogs(run.folder)
        self._count = 0
        self._waiting: dict[str, tuple[int, float, float]] = {}  # step, value, when it may go
        self._text: str | None = None

    def take(self, line: str) -> None:
        """Take in one line."""
        self._text = self._parser.text_of(self._metric, line) or self._text
        found = self._parser.line(line)
        if found is None:
            return
        self._count = found.step if found.step is not None else self._count
        for name, value in found.values.items():
            self._release(name)
            self._waiting[name] = (self._count, value, time.monotonic() + _PATIENCE_SECONDS)
        self._count += found.step is None

    def settle(self, *, all_of_them: bool = False) -> None:
        """Log the values that have waited long enough; at the end, all."""
        now = time.monotonic()
        for name in [name for name, (_, _, due) in self._waiting.items() if all_of_them or due <= now]:
            self._release(name)

    def check(self) -> None:
        """Raise `BadMetric` where the metric was printed, but never as a number, and not logged either."""
        if self._text is not None and not self._run.told(self._metric) and not self._script.told(self._metric):
            raise BadMetric(
                f"The command printed {self._text!r} as its {self._metric!r}. Expected a number, as in "
                f"'{self._metric}: 0.5', or headway.log({self._metric}=0.5) in the script."
            )

    def close(self) -> None:
        """Close the files that were looked into."""
        self._script.close()

    def _release(self, name: str) -> None:
        if (waiting := self._waiting.pop(name, None)) is not None and not self._script.logs(name):
            step, value, _ = waiting
            self._run.log(step, **{name: value})


class _ScriptLogs:
    """Know which metrics the processes of a command log and report themselves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readers: dict[str, RunLogReader] = {}
        self._logged: set[str] = set()
        self._reported: set[str] = set()

    def logs(self, metric: str) -> bool:
        """Tell whether a process of the command logged the metric so far."""
        if metric not in self._logged:
            self._read()
        return metric in self._logged

    def told(self, metric: str) -> bool:
        """Tell whether it logged the metric, or reported it or the one unnamed value."""
        return self.logs(metric) or bool(self._reported & {metric, ""})

    def close(self) -> None:
        """Close the logs."""
        for reader in self._readers.values():
            reader.close()

    def _read(self) -> None:
        for path in self._folder.glob("script*.runlog"):
            if path.name not in self._readers:
                self._readers[path.name] = RunLogReader(path)
            reader = self._readers[path.name]
            try:
                items = reader.read()
            except StoreError:  # the engine reads it too, and says so
                continue
            for item in items:
                if isinstance(item, Point):
                    self._logged.add(item.metric)
                elif item.kind == "report":
                    self._reported.update(item.data["values"])
