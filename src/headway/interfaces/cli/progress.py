"""Progress of a running study: a live display on a terminal, plain lines elsewhere. Both go to standard error."""

import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from headway.engine import Assignment, Observer
from headway.interfaces.cli.curves import sparkline
from headway.interfaces.cli.tally import Before, Curve, Tally, change_of, role_text
from headway.interfaces.cli.words import number_text, seconds_text
from headway.store import Point, TrialRecord
from headway.studies import Declaration

__all__ = ["observing"]

_DRAW_EVERY_SECONDS = 0.25
_SUMMARY_EVERY_SECONDS = 30.0
_MOST_ROWS = 12
_WIDE = 110  # columns from which there is room for longer curves
_NARROW = 80  # columns below which there is no bar, and a trial's last line wraps, rather than lose its end
_GAP = 2
_KEPT = (
    0,
    3,
    4,
    1,
    2,
    5,
)  # cells of a running trial, the most important first: number, metric, step, role, curve, time


def observing(study: Declaration, before: Before, *, live: bool) -> AbstractContextManager[Observer]:
    """Return the observer for one session of a study, to be used in a `with` block."""
    tally = Tally(study, before)
    return LiveProgress(tally, Console(stderr=True)) if live else _plain(tally)


@contextmanager
def _plain(tally: Tally) -> Generator[Observer]:
    yield PlainProgress(tally)


class PlainProgress:
    """Write a line for each trial that ends, and now and then one on the whole study."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._due = time.monotonic() + _SUMMARY_EVERY_SECONDS

    def note(self, text: str) -> None:
        """Write the note."""
        click.echo(text, err=True)

    def recalled(self, trials: int) -> None:
        """Write how many trials need not run again."""
        self.note(self._tally.recalled(trials))

    def preparing(self, text: str) -> None:
        """Write what is waited for."""
        if text:
            self.note(f"{text} ...")

    def started(self, trial: int, assignment: Assignment) -> None:
        """Count along."""
        self._tally.started(trial, assignment)

    def progressed(self, trial: int, points: Sequence[Point]) -> None:
        """Count along."""
        self._tally.progressed(trial, points)

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Write how the trial ended."""
        self.note(self._tally.ended(trial, assignment, reused=reused))

    def tick(self, *, busy: int, workers: int, idle_share: float) -> None:
        """Write a line on the whole study, when it is time."""
        self._tally.tick(workers, idle_share)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _SUMMARY_EVERY_SECONDS
            self.note(" · ".join([*self._tally.facts(), *map(_running_text, self._tally.running.items())]))


class LiveProgress:
    """Draw a line a running trial and a bar for the study; what ended scrolls by above."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally = tally
        # Drawn by hand, without rich's thread: the display moves when the engine says so.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._due = 0.0
        self._preparing = ""

    def __enter__(self) -> "LiveProgress":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(Text(), refresh=True)
        self._live.stop()

    def note(self, text: str) -> None:
        """Write the note above the display."""
        self._live.console.print(Text.from_ansi(text), soft_wrap=True)

    def recalled(self, trials: int) -> None:
        """Write how many trials need not run again."""
        self.note(self._tally.recalled(trials))

    def preparing(self, text: str) -> None:
        """Show what is waited for; an empty text ends it."""
        self._preparing = text
        self._draw()

    def started(self, trial: int, assignment: Assignment) -> None:
        """Give the trial a line."""
        self._tally.started(trial, assignment)

    def progressed(self, trial: int, points: Sequence[Point]) -> None:
        """Let its curve grow."""
        self._tally.progressed(trial, points)

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Move the trial above the display."""
        line = Text.from_ansi(self._tally.ended(trial, assignment, reused=reused))
        if self._live.console.width < _NARROW:
            self._live.console.print(line, soft_wrap=True)
        else:
            self._live.console.print(line, no_wrap=True, overflow="ellipsis")
        if not reused:  # answers from the record come in hundreds; the next tick draws for all of them
            self._draw()

    def tick(self, *, busy: int, workers: int, idle_share: float) -> None:
        """Draw again, when it is time."""
        self._tally.tick(workers, idle_share)
        if time.monotonic() >= self._due:
            self._draw()

    def _draw(self) -> None:
        self._due = time.monotonic() + _DRAW_EVERY_SECONDS
        # The empty last line is where a terminal echoes ^C; behind a full line it would wrap and break the display.
        self._live.update(Group(self._trials(), *self._more(), self._bar(), Text()), refresh=True)

    def _trials(self) -> Table:
        width = self._live.console.width
        running = list(self._tally.running.items())[:_MOST_ROWS]
        rows = [self._cells(trial, curve, bars=20 if width >= _WIDE else 8) for trial, curve in running]
        kept = _fitting([max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)], width)
        table = Table.grid(padding=(0, _GAP), expand=True)
        for index in kept:
            table.add_column(no_wrap=True, justify="right" if index in (3, 4, 5) else "left")
        table.add_column(no_wrap=True, overflow="ellipsis", style="bright_black", ratio=1)
        for row in rows:
            table.add_row(*(row[index] for index in kept), row[-1])
        return table

    def _more(self) -> list[Text]:
        more = len(self._tally.running) - _MOST_ROWS
        return [Text(f"and {more} more", style="bright_black")] if more > 0 else []

    def _cells(self, trial: int, curve: Curve, bars: int) -> list[Text]:
        horizon = f"/{self._tally.horizon}" if self._tally.horizon else ""
        return [
            Text(f"▶ trial {trial}", style="blue"),
            Text(f"{role_text(curve.assignment)} seed {curve.assignment.seed}"),
            Text(sparkline(curve.values, bars).ljust(bars)),
            Text(f"{curve.metric} {number_text(curve.values[-1], 4)}" if curve.values else ""),
            Text("" if curve.step is None else f"step {curve.step}{horizon}"),
            Text(seconds_text(time.monotonic() - curve.began)),
            Text(change_of(curve.assignment, self._tally.study)),
        ]

    def _bar(self) -> Table:
        width = self._live.console.width
        size = 24 if width >= _WIDE else 8
        room = width if width < _NARROW else width - size - 2 * _GAP
        text = Text(f"{self._preparing} …" if self._preparing else _joined(self._tally.facts(), room))
        table = Table.grid(padding=(0, _GAP))
        bar = ProgressBar(total=1.0, completed=self._tally.share, width=size, complete_style="blue")
        if width >= _NARROW:
            table.add_column(no_wrap=True, width=size)
        table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_row(*([bar, text] if width >= _NARROW else [text]))
        return table


def _fitting(sizes: Sequence[int], width: int) -> list[int]:
    """Return the cells that have room side by side, in their order: whole ones, as half of one says nothing."""
    kept: list[int] = []
    left = width
    for index in _KEPT:
        if sizes and sizes[index] + _GAP <= left:
            kept.append(index)
            left -= sizes[index] + _GAP
    return sorted(kept)


def _joined(facts: Sequence[str], width: int) -> str:
    """Return the facts that have room in one line; the first one in any case."""
    text = facts[0]
    for fact in facts[1:]:
        text += f" · {fact}" if len(text) + len(fact) + 3 <= width else ""
    return text


def _running_text(item: tuple[int, Curve]) -> str:
    trial, curve = item
    return f"trial {trial} {sparkline(curve.values, 10)}" + ("" if curve.step is None else f" step {curve.step}")
