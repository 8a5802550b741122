"""`headway gc`: what the store could do without, and its removal."""

import shlex
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import open_store, store_flag, study_named
from headway.interfaces.cli.words import Column, bytes_text, echo, echo_json, styled, table_lines

if TYPE_CHECKING:
    from headway.store import Store, TrialRecord

__all__ = ["gc"]

_FRESH_SECONDS = 3600.0  # an artifact is written before the trial that refers to it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """Hold one kind of thing that could go."""

    kind: str
    why: str
    paths: Sequence[Path]
    size_bytes: int

    @classmethod
    def of(cls, kind: str, why: str, paths: Iterable[Path]) -> "Heap":
        """Weigh the paths."""
        found = list(paths)
        return cls(kind=kind, why=why, paths=found, size_bytes=sum(map(_size, found)))


@command("Show what could be deleted; delete with --yes.")
@click.argument("name", required=False)
@click.option("--days", type=click.FloatRange(min=0), default=14.0, show_default=True, help="Keep younger output.")
@click.option("--yes", is_flag=True, help="Delete it. Without this nothing is deleted.")
def gc(name: str | None, days: float, yes: bool, store: Path | None, as_json: bool) -> None:
    """Show what the store could do without, of all studies or of the study NAME; delete it with --yes.

    Records, curves and verdicts always stay, and so does every file that 'headway reproduce' needs.
    """
    with open_store(store) as opened:
        heaps = [*_of_trials(opened, name, days), *([] if name is not None else _of_store(opened))]
        if yes:
            for path in [path for heap in heaps for path in heap.paths]:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        total = sum(heap.size_bytes for heap in heaps)
        follow = f"headway gc {'' if name is None else shlex.quote(name) + ' '}--yes{store_flag(opened.folder)}"
    if as_json:
        items = [
            {"kind": heap.kind, "why": heap.why, "count": len(heap.paths), "size_bytes": heap.size_bytes,
             "paths": [str(path) for path in heap.paths]} for heap in heaps
        ]  # fmt: skip
        echo_json({"deleted": yes, "size_bytes": total, "items": items})
        return
    rows = [[heap.kind, str(len(heap.paths)), bytes_text(heap.size_bytes), heap.why] for heap in heaps]
    echo(table_lines([Column("what"), Column("count", right=True), Column("size", right=True), Column("why")], rows))
    if yes:
        echo(f"\n{bytes_text(total)} deleted.")
    elif any(heap.paths for heap in heaps):
        echo(f"\nNothing was deleted. To delete these {bytes_text(total)}: {styled(follow, bold=True)}")
    else:
        echo("\nThere is nothing to delete.")


def _of_trials(store: "Store", name: str | None, days: float) -> list[Heap]:
    studies = store.studies.all() if name is None else [study_named(store, name)]
    trials = {place.trial.id: place.trial for study in studies for place in store.places.of_study(study.id)}
    ended = [trial for trial in trials.values() if trial.state.ended]
    old = [trial for trial in ended if _age_days(trial) > days]
    return [
        Heap.of("checkpoints", "of trials that ended", _existing(store.checkpoint_folder(trial.id) for trial in ended)),
        Heap.of(
            "output", f"of trials that ended {days:g} days ago", _existing(store.run_folder(trial.id) for trial in old)
        ),
    ]


def _of_store(store: "Store") -> list[Heap]:
    used, now = store.trials.used_digests(), time.time()
    loose = [path for path in store.artifacts.all() if path.name not in used]
    loose = [path for path in loose if now - path.stat().st_mtime > _FRESH_SECONDS]
    templates = [path for path in (store.folder / "templates").glob("*") if not _lives(path.name)]
    return [
        Heap.of("artifacts", "that no trial refers to", loose),
        Heap.of("templates", "of engines that are gone", templates),
    ]


def _existing(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.exists()]


def _age_days(trial: "TrialRecord") -> float:
    return (time.time() - (trial.ended or trial.created)) / 86400


def _lives(name: str) -> bool:
    """Tell whether the process that a folder is named after may live: an engine without a lease yet, or reproducing."""
    from headway.sandbox import processes

    return name.isdecimal() and processes.start_time(int(name)) is not None


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    return path.stat().st_size
