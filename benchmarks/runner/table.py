"""Results in the terminal: a table for each thing measured, then the targets."""

import itertools

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from benchmarks.runner.results import Result, Row, Table, Target, median, ratio

__all__ = ["number", "show"]

_NONE = "–"
_HEADINGS = ("", "median", "min – max", "repeats", "CPU s", "wall s", "÷ Headway", "version", "notes")
_WORDS = ("", "version", "notes")


def show(console: Console, name: str, claim: str, result: Result, *, quick: bool) -> None:
    """Print a result."""
    size = "  [quick: smaller sizes than the claim's]" if quick else ""
    console.print(Text(f"\n{name}: {claim}{size}", style="bold"))
    for table in result.tables:
        console.print(_grid(table))
    if result.targets:
        console.print(_targets(result))
    for note in result.notes:
        console.print(Text(note, style="dim"))


def number(value: float | None) -> str:
    """Write a number with three significant digits."""
    if value is None:
        return _NONE
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _grid(table: Table) -> RenderableType:
    grid = Grid(title=Text(f"{table.title} [{table.unit}]"), title_justify="left", box=box.SIMPLE_HEAD)
    ours = next((row.figure for row in table.rows if row.ours), None)
    cells = [_cells(row, ours) for row in table.rows]
    used = [any(row[index] not in ("", _NONE) for row in cells) for index in range(len(_HEADINGS))]
    for heading in itertools.compress(_HEADINGS, used):
        numeric = heading not in _WORDS
        grid.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric)
    for row, shown in zip(table.rows, cells, strict=True):
        grid.add_row(*(Text(cell) for cell in itertools.compress(shown, used)), style=_style(row))
    return grid


def _style(row: Row) -> str:
    return "red" if row.failure else "bold" if row.ours else ""


def _cells(row: Row, ours: float | None) -> list[str]:
    values = [sample.value for sample in row.samples]
    cpu = [sample.cpu_seconds for sample in row.samples if sample.cpu_seconds is not None]
    wall = [sample.wall_seconds for sample in row.samples if sample.wall_seconds is not None]
    spread = f"{number(min(values))} – {number(max(values))}" if values else _NONE
    against = ratio(row.figure, ours)
    note = f"not measured: {row.failure}" if row.failure else row.note
    figures = [number(row.figure), spread, str(len(values)), number(median(cpu)), number(median(wall)), number(against)]
    return [row.name, *figures, row.version, note]


def _targets(result: Result) -> RenderableType:
    grid = Grid(title=Text("targets"), title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("", "figure", "", "limit", ""):
        grid.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, target in result.targets.items():
        grid.add_row(name, number(target.figure), target.relation, number(target.limit), _verdict(target))
    return grid


def _verdict(target: Target) -> Text:
    if target.figure is None:
        return Text("✕ not measured", style="red")
    return Text("● holds", style="green") if target.holds else Text("✕ missed", style="red")
