"""How values are shown: states as word, shape and colour; numbers, times and sizes; aligned tables; JSON."""

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

import click

__all__ = [
    "SHAPES",
    "Column",
    "bytes_text",
    "change_text",
    "config_text",
    "cut",
    "echo",
    "echo_json",
    "fact_lines",
    "jsonable",
    "number_label",
    "number_text",
    "seconds_text",
    "share_text",
    "state_text",
    "styled",
    "table_lines",
    "width",
    "wrapped",
]

SHAPES = {
    "accepted": ("●", "green"),
    "rejected": ("✕", "red"),
    "undecided": ("◐", "yellow"),
    "identical": ("=", "bright_black"),
    "flagged": ("⚑", "magenta"),
    "rebased": ("↥", "bright_black"),
    "complete": ("✓", "green"),
    "finished": ("✓", "green"),
    "running": ("▶", "blue"),
    "stopped": ("▽", "bright_black"),
    "failed": ("!", "red"),
    "interrupted": ("!", "yellow"),
    "queued": ("○", "bright_black"),
    "new": ("○", "bright_black"),
    "paused": ("‖", "yellow"),
}
_WIDEST = 200


def styled(text: str, **style: Any) -> str:
    """Style a text for a terminal; `NO_COLOR` turns it off, and so does a pipe (click strips it)."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def echo(lines: Sequence[str] | str = "") -> None:
    """Write lines to standard output."""
    click.echo(lines if isinstance(lines, str) else "\n".join(lines))


def echo_json(data: Any) -> None:
    """Write one JSON document to standard output."""
    click.echo(json.dumps(jsonable(data), indent=2, ensure_ascii=False, allow_nan=False, default=str))


def jsonable(value: Any) -> Any:
    """Return a value that JSON can hold: what is not finite becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    return [jsonable(item) for item in value] if _is_list(value) else value


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def width() -> int:
    """Return how many columns a line may have. Where nobody looks (a pipe), nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDEST


def wrapped(text: str) -> str:
    """Return a sentence in lines that fit the terminal, broken between words."""
    return textwrap.fill(text, width()) if sys.stdout.isatty() else text


def cut(text: str, size: int) -> str:
    """Return the text in at most `size` columns and one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= size else flat[: max(size - 1, 0)] + "…"


def state_text(state: str) -> str:
    """Return a state as shape, word and colour."""
    shape, colour = SHAPES.get(state.partition(" ")[0], ("·", "bright_black"))
    return styled(f"{shape} {state}", fg=colour)


def number_text(value: float | None, digits: int = 5) -> str:
    """Return a number with `digits` significant digits; a dash for none.

    >>> number_text(3.1134567), number_text(1234567.0), number_text(0.00001234), number_text(None)
    ('3.1135', '1.2346e+06', '1.234e-05', '–')
    """
    return "–" if value is None else f"{value:.{digits}g}"


def seconds_text(seconds: float | None) -> str:
    """Return a duration in at most two units.

    >>> seconds_text(0.034), seconds_text(12.34), seconds_text(200), seconds_text(7500)
    ('34 ms', '12.3 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def bytes_text(size: float) -> str:
    """Return a size.

    >>> bytes_text(512), bytes_text(1536), bytes_text(5 * 1024**3)
    ('512 B', '1.5 KiB', '5.0 GiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def share_text(share: float | None) -> str:
    """Return a share in percent."""
    return "–" if share is None else f"{100 * share:.0f} %"


def number_label(number: int, proposer: str, sampler: str | None) -> str:
    """Return a candidate's number, and whose idea it is where it came through the queue and not from the sampler."""
    return f"#{number}" if proposer == sampler else f"#{number} by {proposer}"


def config_text(config: Mapping[str, Any], baseline: Mapping[str, Any] | None = None) -> str:
    """Return a configuration in one line; beside a baseline, only what differs from it."""
    shown = {name: value for name, value in config.items() if baseline is None or baseline.get(name, _ABSENT) != value}
    if baseline is not None and not shown:
        return "as the baseline"
    return "  ".join(f"{name}={_value_text(value)}" for name, value in shown.items())


def change_text(
    config: Mapping[str, Any], baseline: Mapping[str, Any] | None, *, code: bool = False, note: str = ""
) -> str:
    """Return what a candidate changes in one line: knobs as such, code by the words that its proposer gave it."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in note).split())
    if not code:
        return config_text(config, baseline) + (f"  ({words})" if words else "")
    knobs = config_text(config, baseline) if baseline is not None and dict(config) != dict(baseline) else ""
    return "  ".join(part for part in (words or "a change of code", knobs) if part)


_ABSENT = object()


def _value_text(value: Any) -> str:
    return number_text(value, 4) if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Column:
    """Name a column of a table. Numbers stand to the right; the elastic one gives way where a line is too long."""

    title: str
    right: bool = False
    elastic: bool = False


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], indent: int = 0) -> list[str]:
    """Return a table as aligned lines, its titles first."""
    head = [column.title for column in columns]
    sizes = [max(len(click.unstyle(cell)) for cell in cells) for cells in zip(head, *rows, strict=True)]
    room = width() - indent - 2 * (len(columns) - 1)
    for index, column in enumerate(columns):
        if column.elastic and sum(sizes) > room:
            sizes[index] = max(len(column.title), 12, room - sum(sizes) + sizes[index])
    lines = [" " * indent + _row(columns, sizes, [styled(title, fg="bright_black") for title in head])]
    return lines + [" " * indent + _row(columns, sizes, row) for row in rows]


def _row(columns: Sequence[Column], sizes: Sequence[int], cells: Sequence[str]) -> str:
    parts: list[str] = []
    for column, size, cell in zip(columns, sizes, cells, strict=True):
        bare = click.unstyle(cell)
        shown = cell if len(bare) <= size else cut(bare, size)
        padding = " " * (size - len(click.unstyle(shown)))
        parts.append(padding + shown if column.right else shown + padding)
    return "  ".join(parts).rstrip()


def fact_lines(facts: Sequence[tuple[str, str]], indent: int = 2) -> list[str]:
    """Return names and values in two columns; empty values are left out. Values keep their own line breaks."""
    shown = [(name, value) for name, value in facts if value]
    size = max((len(name) for name, _ in shown), default=0)
    lines: list[str] = []
    for name, value in shown:
        first, *rest = value.split("\n")
        lines.append(" " * indent + styled(name.ljust(size), fg="bright_black") + "  " + first)
        lines += [" " * (indent + size + 2) + line for line in rest]
    return lines
