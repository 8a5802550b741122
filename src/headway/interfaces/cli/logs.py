"""`headway logs`: what a trial printed."""

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headway.core import UsageError
from headway.interfaces.cli.app import PAUSED, command
from headway.interfaces.cli.places import engine_alive, open_store, trial_numbered
from headway.interfaces.cli.words import echo_json, styled

if TYPE_CHECKING:
    from headway.store import Store

__all__ = ["logs"]

_POLL_SECONDS = 0.2
_PIECE = 1 << 16


@command("Show what a trial printed.", {PAUSED: "--follow was ended with Ctrl-C"})
@click.argument("trial")
@click.option("--follow", "-f", is_flag=True, help="Go on while the trial runs.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Show only the last N lines.")
def logs(trial: str, follow: bool, tail: int | None, store: Path | None, as_json: bool) -> None:
    """Show what TRIAL printed, all attempts in order. Secrets were taken out when it was stored."""
    if follow and as_json:
        raise UsageError(
            "--follow and --json exclude each other: one JSON document cannot grow. Leave out one of them."
        )
    with open_store(store) as opened:
        number = trial_numbered(opened, trial).id
        files = _files(opened, number)
        if as_json:
            attempts = [
                {"number": index, "path": str(path), "lines": _last_lines(path, tail)}
                for index, path in enumerate(files, 1)
            ]
            echo_json({"trial": number, "attempts": attempts})
            return
        read = _Reading(opened, number, tail)
        read.all()
        if follow:
            read.follow()
        if not read.any:
            click.echo(f"Trial {number} has printed nothing.", err=True)


class _Reading:
    """Write output files to standard output, from where the last reading ended."""

    def __init__(self, store: "Store", trial: int, tail: int | None) -> None:
        self._store = store
        self._trial = trial
        self._offsets: dict[Path, int] = {}
        self.any = False
        if tail is not None:
            self._skip(tail)

    def all(self) -> None:
        """Write what is new."""
        files = _files(self._store, self._trial)
        for index, path in enumerate(files, 1):
            for piece in self._pieces(path):
                if len(files) > 1 and path not in self._offsets:
                    click.echo(styled(f"--- attempt {index}", fg="bright_black"), err=True)
                self._offsets[path] = self._offsets.get(path, 0) + len(piece)
                click.echo(piece.decode(errors="replace"), nl=False)
                self.any = True

    def follow(self) -> None:
        """Write what comes, until the trial has ended and no engine will go on with it."""
        while self._running():
            time.sleep(_POLL_SECONDS)
            self.all()
        self.all()

    def _running(self) -> bool:
        trial = self._store.trials.get(self._trial)
        studies = (self._store.studies.get(name) for name in self._store.trials.studies_of(self._trial))
        return not trial.state.ended and any(engine_alive(study) for study in studies)

    def _pieces(self, path: Path) -> Iterator[bytes]:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offsets.get(path, 0))
            while piece := file.read(_PIECE):
                yield piece

    def _skip(self, tail: int) -> None:
        """Set the offsets so that `tail` lines of all files are left."""
        left = tail
        for path in reversed(_files(self._store, self._trial)):
            lines = _last_lines(path, left) if left else []
            left -= len(lines)
            if path.exists():
                kept = sum(len(line.encode(errors="surrogateescape")) + 1 for line in lines)
                size = path.stat().st_size
                self._offsets[path] = max(0, size - kept + (0 if _ends_with_newline(path) else 1))


def _files(store: "Store", trial: int) -> list[Path]:
    return [store.folder / attempt.directory / "output.log" for attempt in store.trials.attempts(trial)]


def _last_lines(path: Path, count: int | None) -> list[str]:
    """Return a file's last lines; all of them where no count is given."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return [line.removesuffix("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
