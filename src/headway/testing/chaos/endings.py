"""Workers that misbehave beside healthy ones: run the built-in study `nasty`, hold each end against what it must be.

Every one becomes a stored result with a reason and a fingerprint, within its limit, and no healthy trial suffers.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.testing.chaos.case import lay_out
from headway.testing.chaos.invariants import finished_twice, take_snapshot, unclean
from headway.testing.chaos.project import Project

__all__ = ["Ending", "Endings", "run_nasty_workers"]

_SLACK_SECONDS = 5.0  # on a busy machine, between passing a limit and being gone
_SLACK_BYTES = 2 * 1024**3  # what a process can take between two looks at it
_HEALTHY_VALUE = 100.0  # a nasty worker that is well after all reports this


@dataclass(frozen=True, slots=True)
class _Expected:
    reason: str | None
    limit: str | None = None
    message: str = ""


_EXPECTED: Mapping[str, _Expected] = {
    "crash": _Expected("exception", message="ValueError: as it should"),
    "base_exception": _Expected("exception", message="neither Exception nor exit"),
    "leave": _Expected("exited", message="SystemExit: 3"),
    "vanish": _Expected("exited", message="code 5"),
    "segfault": _Expected("signal", message="SIGSEGV"),
    "abort": _Expected("signal", message="SIGABRT"),
    "hang": _Expected("no progress", "idle_seconds"),
    "chatter": _Expected("wall time", "wall_seconds"),
    "burn": _Expected("cpu time", "cpu_seconds"),
    "stand_still": _Expected("no progress", "idle_seconds"),
    "eat_memory": _Expected("memory", "memory_bytes"),  # refused by the kernel, or seen by the engine: a race
    "eat_shared_memory": _Expected("memory", "memory_bytes", "more memory than"),
    "breed": _Expected("memory", "memory_bytes", "more memory than"),
    "flood": _Expected("output", "output_bytes"),
    "flood_without_lines": _Expected("output", "output_bytes"),
    "babble": _Expected(None),
    "leave_children": _Expected(None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Hold how a worker ended; `wrong` says what is not as it must be."""

    what: str
    state: str
    reason: str | None
    fingerprint: str | None
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    output_bytes: int
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """Hold the ends of the nasty workers and of the healthy trials; `broken` says what is wrong with any or all."""

    nasty: tuple[Ending, ...]
    healthy: tuple[Ending, ...]
    broken: tuple[str, ...]


def run_nasty_workers(scratch: Path, *, workers: int = 4, backend: str = "local") -> Endings:
    """Run the study in an empty folder, and look at every end."""
    file = lay_out("nasty", scratch)
    project = Project(file=file, store=scratch / "store", scratch=scratch, mark=uuid.uuid4().hex)
    try:
        ended = project.type("run", str(file), "--plain", "--workers", str(workers), "--backend", backend, seconds=300)
        left = project.wait_until_alone()
    finally:
        project.end_survivors()
    broken = [f"process {pid} is left: {line}" for pid, line in left.items()]
    if ended.code != 0:
        return Endings(nasty=(), healthy=(), broken=(*broken, f"code {ended.code}: {ended.last_words}"))
    trials = _trials(project)
    nasty = [_ending(project, trial) for trial in trials if trial["config"]["what"] in _EXPECTED]
    healthy = [_ending(project, trial) for trial in trials if trial["config"]["what"] not in _EXPECTED]
    missing = sorted(_EXPECTED.keys() - {item.what for item in nasty})
    snapshot = take_snapshot(project.store)
    broken += [f"{what} never ran" for what in missing]
    broken += [f"{item.what}: {text}" for item in (*nasty, *healthy) for text in item.wrong]
    broken += [*snapshot.problems, *finished_twice(snapshot), *unclean(snapshot, project.store)]
    return Endings(nasty=tuple(nasty), healthy=tuple(healthy), broken=tuple(broken))


def _trials(project: Project) -> list[dict[str, Any]]:
    """Return all trials of the study, each as `headway show` tells of it."""
    listed: list[dict[str, Any]] = json.loads(project.type("trials", "nasty", "--json").output)["trials"]
    return [json.loads(project.type("show", str(trial["trial"]), "--json").output) for trial in listed]


def _ending(project: Project, trial: Mapping[str, Any]) -> Ending:
    what = trial["config"]["what"]
    logs = [path for attempt in trial["attempts"] for path in Path(attempt["folder"]).glob("output.log")]
    output = max((path.stat().st_size for path in logs), default=0)
    expected = _EXPECTED.get(what)
    wrong = _healthy(trial) if expected is None else _wrong(expected, trial, output)
    return Ending(
        what=what,
        state=trial["state"],
        reason=trial["reason"],
        fingerprint=trial["fingerprint"],
        wall_seconds=trial["wall_seconds"] / max(1, len(trial["attempts"])),
        cpu_seconds=trial["cpu_seconds"] / max(1, len(trial["attempts"])),
        peak_memory_bytes=trial["peak_memory_bytes"],
        output_bytes=output,
        wrong=tuple(wrong),
    )


def _healthy(trial: Mapping[str, Any]) -> list[str]:
    number = int(trial["config"]["what"].removeprefix("healthy_"))
    outcomes: Sequence[str] = [attempt["outcome"] for attempt in trial["attempts"]]
    wrong: list[str] = []
    if trial["value"] != number + trial["seed"] / 8:
        wrong.append(f"its value is {trial['value']} and not {number + trial['seed'] / 8}")
    if outcomes != ["complete"]:
        wrong.append(f"its attempts ended as {outcomes}")
    if trial["step"] != trial["horizon"]:
        wrong.append(f"it came to step {trial['step']} of {trial['horizon']}")
    return wrong


def _wrong(expected: _Expected, trial: Mapping[str, Any], output: int) -> list[str]:
    limits: Mapping[str, float] = trial["record"]["limits"]
    state = "complete" if expected.reason is None else "failed"
    wrong: list[str] = []
    if (trial["state"], trial["reason"]) != (state, expected.reason):
        wrong.append(
            f"it is {trial['state']} ({trial['reason']}: {trial['message']}) and not {state} {expected.reason}"
        )
    if expected.message not in trial["message"]:
        wrong.append(f"its message lacks {expected.message!r}: {trial['message']}")
    if expected.reason is not None and not trial["fingerprint"]:
        wrong.append("it has no fingerprint")
    if expected.reason is None and trial["value"] != _HEALTHY_VALUE:
        wrong.append(f"its value is {trial['value']} and not {_HEALTHY_VALUE}")
    return wrong + _beyond(expected.limit, limits, trial, output)


def _beyond(limit: str | None, limits: Mapping[str, float], trial: Mapping[str, Any], output: int) -> list[str]:
    """Say which bound was passed by more than it takes to notice."""
    wall = trial["wall_seconds"] / max(1, len(trial["attempts"]))
    spent: dict[str, tuple[float, float]] = {
        "wall_seconds": (wall, _SLACK_SECONDS),
        "cpu_seconds": (trial["cpu_seconds"], _SLACK_SECONDS),
        "idle_seconds": (wall, _SLACK_SECONDS),
        "memory_bytes": (trial["peak_memory_bytes"], _SLACK_BYTES),
        "output_bytes": (output, 0),
    }
    always = ("wall_seconds", "output_bytes")  # every worker stays within these, whatever its own sin is
    return [
        f"it came to {spent[name][0]:,.1f} {name}, where the limit is {limits[name]:,.0f}"
        for name in dict.fromkeys((*always, *((limit,) if limit else ())))
        if spent[name][0] > limits[name] + spent[name][1]
    ]
