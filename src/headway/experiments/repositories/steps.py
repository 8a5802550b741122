"""Run one step of a layout on what nobody trusts: in the sandbox, or plainly where a person said `--unsafe`."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.core import UsageError
from headway.experiments import layouts
from headway.experiments.layouts import Finished, Step
from headway.sandbox import Ended, ResultPipe, Sandbox, SandboxLimits

__all__ = ["Place", "Ran", "passed_on", "run_plainly", "run_sandboxed", "run_scorer"]

_TREE, _RESULTS, _HOME = "tree", "results", "home"
_PIECE = 65536
_SHIMS = Path(layouts.__file__).parent / "drivers" / "bin"
_MOST_OUTPUT = 16 * 1024**2
_MOST_STRANGE = 5  # of what a candidate left, told by name: it may leave as many links as there is room for
_PASSED = re.compile(r"\w+_NUM_THREADS|\w+_MAX_THREADS|PYTHONHASHSEED|CUDA_VISIBLE_DEVICES")
_IN_TREE = 'cd "$1" && shift && exec "$@"'
_WORDS = {
    "cpu": "used more CPU than it may",
    "memory": "used more memory than it may",
    "processes": "started more processes than it may",
    "disk": "wrote more than it may",
    "output": "printed more than it may",
    "stopped": "was stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Say where a trial runs: `work` holds its `tree` and its `results`. `readable` is shown beside them, read-only.

    `prefix` is the experiment's folder in the tree. `keeps` are files in it that a later step reads, `writes` folders
    in it that get new files.
    """

    work: Path
    prefix: str
    readable: Sequence[Path]
    keeps: Sequence[str]
    writes: Sequence[str]
    memory_bytes: int
    processes: int
    gpus: bool = False

    @property
    def tree(self) -> Path:
        """Return the folder that commands run in."""
        return self.work / _TREE / self.prefix if self.prefix else self.work / _TREE

    @property
    def prefixed(self) -> str:
        """Return the experiment's folder, from `work` on."""
        return f"{_TREE}/{self.prefix}" if self.prefix else _TREE

    @property
    def results(self) -> Path:
        """Return the folder of results."""
        return self.work / _RESULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Hold how a step ended, the limit that it passed in words, and what was strange, for a person to read."""

    finished: Finished
    passed: str = ""
    strange: tuple[str, ...] = ()
    peak_memory_bytes: int = 0
    memory: bool = False


def run_sandboxed(step: Step, place: Place, on_output: Callable[[bytes], None]) -> Ran:
    """Run a step in the sandbox: no network, all files read-only, new ones in memory until the step has ended.

    Of what it made, its results and the files that a later step reads are copied to the host, links never.
    """
    into = place.work / "kept"
    keep = [_RESULTS, *(f"{place.prefixed}/{name}" for name in place.keeps)]
    environment = {**passed_on(), **step.environment, "PATH": _path(step), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = _sandbox(step, place, environment).run(
        _in_tree(step, place), keep=keep, into=into, merge=True, on_output=on_output
    )
    _take_over(into, place.work)
    return _ran(step, ended, ended.stdout)


def run_scorer(step: Step, place: Place, on_output: Callable[[bytes], None]) -> Ran:
    """Run what scores a candidate, in a sandbox that nothing of the candidate's code ever ran in.

    It prints its metric, or reports it with a nonce through a pipe (`from headway_result import report`). Where it does
    the latter, nothing that it prints counts: what it shows of the candidate's files could look like a score.
    """
    with ResultPipe() as pipe:
        environment = {**passed_on(), **step.environment, "PATH": _path(step), "PYTHONDONTWRITEBYTECODE": "1"}
        sandbox = _sandbox(step, place, pipe.environment(environment))
        ended = pipe.run(sandbox, _in_tree(step, place), merge=True, on_output=on_output)
    told = b"\n".join(pipe.results) if pipe.results or pipe.forged or pipe.flooded else ended.stdout
    return _ran(step, ended, told)


def _sandbox(step: Step, place: Place, environment: Mapping[str, str]) -> Sandbox:
    prefix = place.prefixed
    return Sandbox(
        root=place.work,
        readable=place.readable,
        scratch=(prefix, *(f"{prefix}/{name}" for name in place.writes if (place.tree / name).is_dir()), _RESULTS),
        environment=environment,
        devices=_gpus() if place.gpus else (),
        limits=SandboxLimits(
            wall_seconds=step.wall_seconds,
            memory_bytes=place.memory_bytes,
            processes=place.processes,
            scratch_bytes=place.memory_bytes // 2,
            output_bytes=_MOST_OUTPUT,
        ),
    )


def _in_tree(step: Step, place: Place) -> list[str]:
    return ["/bin/sh", "-c", _IN_TREE, "step", str(place.tree), *step.words]


def _ran(step: Step, ended: Ended, output: bytes) -> Ran:
    strange = [f"it left {name}" for name in ended.left]
    if ended.reason in ("exit", "signal"):  # of what is ended at a limit nothing is left
        strange += [f"of what it left, {text}" for text in ended.kept.refused if not _missing(text)]
    timed_out = ended.reason == "wall"
    code = ended.code if ended.code is not None else -(ended.signal or signal.SIGKILL)
    if ended.reason not in ("exit", "signal"):
        code = -signal.SIGKILL
    return Ran(
        finished=Finished(step=step.name, code=code, output=output.decode(errors="replace"), timed_out=timed_out),
        passed=_WORDS.get(ended.reason, ""),
        strange=_some(strange),
        peak_memory_bytes=ended.peak_memory_bytes,
        memory=ended.reason == "memory",
    )


def run_plainly(step: Step, place: Place, on_output: Callable[[bytes], None], environment: Mapping[str, str]) -> Ran:
    """Run a step without any protection, in a session of its own that is ended with it."""
    try:
        process = subprocess.Popen(
            step.words,
            cwd=place.tree,
            env={**environment, **step.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(f"The step {step.name!r} cannot be started: {step.words[0]}: {error.strerror}.") from error
    said, timed_out = bytearray(), False
    reader = threading.Thread(target=_drain, args=(process, said, on_output), daemon=True)
    reader.start()
    try:
        process.wait(step.wall_seconds)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(1.0)
    finished = Finished(
        step=step.name, code=process.returncode, output=bytes(said).decode(errors="replace"), timed_out=timed_out
    )
    return Ran(finished=finished)


def _drain(process: "subprocess.Popen[bytes]", said: bytearray, on_output: Callable[[bytes], None]) -> None:
    assert process.stdout is not None
    with process.stdout as pipe:
        while data := os.read(pipe.fileno(), _PIECE):
            said.extend(data[: max(0, _MOST_OUTPUT - len(said))])
            on_output(data)


def _path(step: Step) -> str:
    """Return where programs are looked for: first what stands in for those that cannot work in a sandbox (uv)."""
    return os.pathsep.join([str(_SHIMS), step.environment.get("PATH", os.defpath)])


def _take_over(kept: Path, work: Path) -> None:
    """Put what was taken out of the sandbox in the place of what lies there, for the next step and the reader."""
    if not kept.is_dir():
        return
    for found in sorted(kept.rglob("*")):
        if found.is_file() and not found.is_symlink():
            target = work / found.relative_to(kept)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(found, target)
    shutil.rmtree(kept, ignore_errors=True)


def _some(strange: Sequence[str]) -> tuple[str, ...]:
    more = len(strange) - _MOST_STRANGE
    return (*strange[:_MOST_STRANGE], *([f"of what it left, {more} more were refused"] if more > 0 else []))


def _missing(text: str) -> bool:
    return text.endswith("No such file or directory")


def passed_on() -> dict[str, str]:
    """Return the worker's variables that a step needs: how many threads, which GPUs. No other leaves the host."""
    return {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}


def _gpus() -> Sequence[Path]:
    return sorted(path for path in Path("/dev").glob("nvidia*") if path.is_char_device())
