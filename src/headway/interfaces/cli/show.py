"""`headway show`: one trial in full, or one study."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import NotFound, TrialState
from headway.interfaces.cli.app import command
from headway.interfaces.cli.curves import plot_lines, sparkline
from headway.interfaces.cli.detail import study_json, study_lines
from headway.interfaces.cli.places import engine_alive, open_store, store_flag, study_named, trial_numbered
from headway.interfaces.cli.reading import curves_json, progress_of, trial_json
from headway.interfaces.cli.words import (
    Column,
    bytes_text,
    config_text,
    cut,
    echo,
    echo_json,
    fact_lines,
    number_text,
    seconds_text,
    state_text,
    styled,
    table_lines,
)

if TYPE_CHECKING:
    from headway.core import Manifest
    from headway.interfaces.cli.reading import Progress
    from headway.store import AttemptRecord, Store, TrialRecord

__all__ = ["show"]

_ROWS = 12  # candidates of a study; with --json all

_FILES = 12
_METRICS = 12


@command("Show one trial or study in full.")
@click.argument("what", metavar="TRIAL|STUDY")
def show(what: str, store: Path | None, as_json: bool) -> None:
    """Show a trial (by its number) or a study (by its name).

    Of a trial: configuration, curves, attempts, the files that its result depends on, and the traceback of a failure.
    """
    with open_store(store) as opened:
        if not what.removeprefix("#").isdecimal():
            from headway.studies.summary import summarize

            summary = summarize(opened, study_named(opened, what), rows=None if as_json else _ROWS)
            echo_json(study_json(opened, summary)) if as_json else echo(study_lines(opened, summary))
            return
        trial = trial_numbered(opened, what)
        echo_json(_json(opened, trial)) if as_json else echo(_lines(opened, trial))


def _json(store: "Store", trial: "TrialRecord") -> dict[str, Any]:
    manifest = _manifest(store, trial)
    progress = progress_of(store, trial)
    return {
        **trial_json(trial),
        "step": progress.step,
        "horizon": progress.horizon,
        "studies": store.trials.studies_of(trial.id),
        "fingerprint": trial.fingerprint,
        "record": dict(trial.record),
        "attempts": [
            {
                "number": number,
                "outcome": item.outcome,
                "started": item.started,
                "ended": item.ended,
                "wall_seconds": item.wall_seconds,
                "cpu_seconds": item.cpu_seconds,
                "peak_memory_bytes": item.peak_memory_bytes,
                "folder": str(store.folder / item.directory),
            }
            for number, item in enumerate(store.trials.attempts(trial.id), 1)
        ],
        "artifacts": [
            {"name": item.name, "digest": item.digest, "size_bytes": item.size_bytes, "path": str(path)}
            for item in store.trials.artifacts(trial.id)
            for path in [store.artifacts.path(item.digest)]
        ],
        "manifest": None if manifest is None else manifest.to_json(),
        "damaged_checkpoints": [
            {"step": event.data["step"], "problem": event.data["problem"], "at": event.at}
            for event in store.events.of_trial(trial.id)
            if event.kind == "damaged checkpoint"
        ],
        "traceback": _traceback(store, trial),
        "curves": curves_json(progress.curves),
    }


def _lines(store: "Store", trial: "TrialRecord") -> list[str]:
    progress = progress_of(store, trial)
    manifest = _manifest(store, trial)
    metric = str(trial.record.get("metric", ""))
    value = "" if trial.value is None else f"  {metric} {number_text(trial.value, 7)}"
    lines = [f"{styled(f'trial {trial.id}', bold=True)}  {state_text(_state(store, trial))}{value}"]
    if trial.reason is not None:
        lines.append(styled(f"{trial.reason}: {trial.message}", bold=True))
    lines += ["", *fact_lines(_facts(store, trial, progress, manifest))]
    lines += _curve_lines(progress, metric)
    lines += _attempt_lines(store.trials.attempts(trial.id))
    lines += _file_lines(store, trial, manifest)
    traceback = _traceback(store, trial)
    if traceback:
        lines += ["", "  traceback", *(f"    {line}" for line in traceback.rstrip().split("\n"))]
    return [*lines, "", *fact_lines([("next", _advice(store, trial))])]


def _facts(
    store: "Store", trial: "TrialRecord", progress: "Progress", manifest: "Manifest | None"
) -> list[tuple[str, str]]:
    ideas = [
        proposal.note or "a change of code"
        for study in map(store.studies.get, store.trials.studies_of(trial.id))
        if (proposal := store.studies.proposal_of(study.id, trial.candidate)) is not None and proposal.changes_code
    ]
    places = [
        f"{study.name}: {place.role}"
        + (f" #{place.number}" if place.number else "")
        + (" (reused)" if place.reused else "")
        for study in map(store.studies.get, store.trials.studies_of(trial.id))
        if (place := store.places.at(study.id, trial.candidate, trial.seed)) is not None
    ]
    cost = f"{seconds_text(trial.wall_seconds)}, {seconds_text(trial.cpu_seconds)} of CPU"
    if trial.peak_memory_bytes:
        cost += f", {bytes_text(trial.peak_memory_bytes)} at most"
    when = None if trial.started is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trial.started))
    reuse = ""
    if manifest is not None and (why := manifest.not_reusable or manifest.unseen):
        reuse = f"no: {why}"
    return [
        ("study", "\n".join(places)),
        ("change", "\n".join(dict.fromkeys(ideas))),
        ("config", config_text(trial.config)),
        ("seed", str(trial.seed)),
        ("candidate", trial.candidate),
        ("step", progress.text),
        ("started", when or ""),
        ("cost", cost if trial.wall_seconds else ""),
        ("reusable", reuse),
        ("damaged", _damage(store, trial)),
        ("same crash", f"fingerprint {trial.fingerprint}" if trial.fingerprint else ""),
    ]


def _damage(store: "Store", trial: "TrialRecord") -> str:
    """Say which checkpoints the disk had damaged: those that the trial could not go on from."""
    return "\n".join(
        f"checkpoint after {event.data['step']} steps: {event.data['problem']}"
        for event in store.events.of_trial(trial.id)
        if event.kind == "damaged checkpoint"
    )


def _curve_lines(progress: "Progress", metric: str) -> list[str]:
    if not progress.curves:
        return []
    lines = [""]
    objective = progress.curves.get(metric)
    plot = [] if objective is None else plot_lines(objective.steps, objective.values)
    if plot:
        lines += [f"  {metric}", *(f"  {line}" for line in plot), ""]
    names = sorted(progress.curves, key=lambda name: (name != metric, name))
    rows = [
        [
            name,
            sparkline(curve.values, 32),
            number_text(curve.values[0]),
            number_text(curve.values[-1]),
            str(len(curve.values)),
        ]
        for name in names[:_METRICS]
        for curve in [progress.curves[name]]
        if curve.values
    ]
    columns = [
        Column("metric"), Column("curve"), Column("first", right=True), Column("last", right=True),
        Column("points", right=True),
    ]  # fmt: skip
    lines += table_lines(columns, rows, indent=2)
    more = len(names) - _METRICS
    return [*lines, f"  and {more} more: --json"] if more > 0 else lines


def _attempt_lines(attempts: "list[AttemptRecord]") -> list[str]:
    if len(attempts) < 2:
        return []
    rows = [
        [str(number), item.outcome or "running", seconds_text(item.wall_seconds), bytes_text(item.peak_memory_bytes)]
        for number, item in enumerate(attempts, 1)
    ]
    columns = [Column("attempt", right=True), Column("ended"), Column("time", right=True), Column("memory", right=True)]
    return ["", *table_lines(columns, rows, indent=2)]


def _file_lines(store: "Store", trial: "TrialRecord", manifest: "Manifest | None") -> list[str]:
    lines: list[str] = []
    if manifest is not None and manifest.files:
        rows = [
            [cut(use.path, 70), use.kind, bytes_text(use.size_bytes), "kept" if use.stored else "digest only"]
            for use in manifest.files[:_FILES]
        ]
        columns = [Column("depends on"), Column("kind"), Column("size", right=True), Column("snapshot")]
        lines += ["", *table_lines(columns, rows, indent=2)]
        more = len(manifest.files) - _FILES
        if more > 0:
            lines.append(f"  and {more} more files: --json")
    artifacts = store.trials.artifacts(trial.id)
    if artifacts:
        rows = [[item.name, bytes_text(item.size_bytes), str(store.artifacts.path(item.digest))] for item in artifacts]
        lines += ["", *table_lines([Column("left behind"), Column("size", right=True), Column("path")], rows, indent=2)]
    return lines


def _manifest(store: "Store", trial: "TrialRecord") -> "Manifest | None":
    try:
        return None if trial.manifest is None else store.trials.manifest(trial.manifest)
    except NotFound:
        return None


def _traceback(store: "Store", trial: "TrialRecord") -> str | None:
    texts = [event.data.get("traceback") for event in store.events.of_trial(trial.id) if event.kind == "failed"]
    return str(texts[-1]) if texts and trial.state == TrialState.FAILED else None


def _state(store: "Store", trial: "TrialRecord") -> str:
    if trial.state != TrialState.RUNNING:
        return str(trial.state)
    names = store.trials.studies_of(trial.id)
    return "running" if any(engine_alive(store.studies.get(name)) for name in names) else "interrupted"


def _advice(store: "Store", trial: "TrialRecord") -> str:
    flag = store_flag(store.folder)
    match trial.state:
        case TrialState.RUNNING:
            return f"headway logs {trial.id} --follow{flag}"
        case TrialState.FAILED:
            return f"headway logs {trial.id}{flag}\nheadway run FILE --backend inline{flag}   lets a debugger look"
        case TrialState.COMPLETE:
            return f"headway reproduce {trial.id}{flag}\nheadway logs {trial.id}{flag}"
        case _:
            return f"headway logs {trial.id}{flag}"
