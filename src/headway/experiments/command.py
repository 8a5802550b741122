"""A command as an experiment: `python train.py --lr {lr} --seed {seed}`.

The worker launches the command, passes its output on and reads metrics from it; a script that calls `headway.log`
writes a run log of its own beside the worker's, and what it prints of the same metric does not count (`printed.py`).
The configuration also stands in `HEADWAY_CONFIG` (JSON), the seed in `HEADWAY_SEED`.
"""

import contextlib
import json
import os
import re
import select
import shlex
import shutil
import signal
import string
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.core import (
    Direction,
    DiskError,
    ExperimentError,
    Limits,
    Needs,
    Parameter,
    Scalar,
    Space,
    call_checked,
    suggestion,
)
from headway.experiments import trace
from headway.experiments.definition import Experiment
from headway.experiments.metrics import LineSplitter, OutputParser
from headway.experiments.printed import PrintedMetrics
from headway.experiments.run import EXIT_NO_DISK, Run
from headway.store import own_writes, refusal

__all__ = ["CommandExperiment", "CommandFailed", "command", "trial_environment"]

_EXAMPLE = "python train.py --lr {lr} --seed {seed}"
_TAIL_LINES = 60
_SEED_CHANNEL = re.compile(r"HEADWAY_SEED|\b(?:current_run|headway)\b")
_LARGEST_SCRIPT = 4 * 1024 * 1024
_PYTHON = re.compile(r"python[\d.]*(?:\.exe)?", re.IGNORECASE)
_AFTERMATH_SECONDS = 0.2  # for the last words of a command that left a child with its output open
_INJECT = Path(__file__).parent / "inject"


class CommandFailed(Exception):
    """Carry a command's exit code and the last lines that it printed."""

    def __init__(self, code: int, tail: Sequence[str]) -> None:
        self.code = code
        self.tail = list(tail)
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"{self.tail[-1].strip()} (the command {how})" if self.tail else f"The command {how}.")


@dataclass(frozen=True, kw_only=True)
class CommandExperiment(Experiment):
    """Run a command; `{name}` stands for a parameter, `{seed}` for the seed."""

    template: str
    patterns: Mapping[str, str] = field(default_factory=dict[str, str])
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.template, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ExperimentError(f"The command {self.template!r} is no text. Write it as in a shell: {_EXAMPLE!r}.")
        names = {*self.space.parameters, *self.space.constants}
        if "seed" in names:
            raise ExperimentError("The parameter 'seed' would be taken for the trial's {seed}. Give it another name.")
        for name in self._placeholders():
            if name not in (known := sorted({*names, "seed"})):
                raise ExperimentError(
                    f"The command {self.template!r} uses {{{name}}}; its space has {', '.join(known)}. "
                    f"{suggestion(name, known)} Add it to the space, or double the braces to mean them."
                )
        try:
            words = shlex.split(self.template)
        except ValueError as error:
            raise ExperimentError(f"The command {self.template!r} cannot be split into words: {error}.") from error
        if not words:
            raise ExperimentError(f"The command is empty. Give one such as {_EXAMPLE!r}.")
        OutputParser(self.patterns)
        super().__post_init__()

    @property
    def name(self) -> str:
        """Return the command's template."""
        return self.template

    @property
    def described(self) -> dict[str, Any]:
        """Return the command, its folder and the metric."""
        return {
            "command": self.template,
            "folder": os.path.relpath(self.folder, self.root),
            "metric": self.metric,
            "patterns": dict(self.patterns),
        }

    def to_json(self) -> dict[str, Any]:
        """Return all that a worker needs to know of the command, as JSON."""
        return {
            "template": self.template,
            "metric": self.metric,
            "direction": self.direction,
            "space": self.space.to_json(),
            "patterns": dict(self.patterns),
            "inputs": list(self.inputs),
            "source": None if self.source is None else str(self.source),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CommandExperiment":
        """Read what `to_json` wrote."""
        return cls(
            template=data["template"],
            metric=data["metric"],
            direction=data["direction"],
            space=Space.from_json(data["space"]),
            patterns=dict(data["patterns"]),
            inputs=tuple(data["inputs"]),
            source=None if data["source"] is None else Path(data["source"]),
        )

    @property
    def has_seed_channel(self) -> bool:
        """Tell whether the command names {seed}, or one of its files reads HEADWAY_SEED or uses headway."""
        if "seed" in self._placeholders():
            return True
        for word in shlex.split(self.template):
            module = word.replace(".", "/")  # python -m package.train
            texts = [word, *(_text_of(self.folder / name) for name in (word, f"{module}.py", f"{module}/__main__.py"))]
            if any(_SEED_CHANNEL.search(text) for text in texts):
                return True
        return False

    @property
    def opaque(self) -> bool:
        """Tell that the worker only launches the command."""
        return True

    def words(self, config: Mapping[str, Any], seed: int) -> list[str]:
        """Return the command line for a configuration. A word with a parameter that does not exist there is dropped."""
        values = {**config, "seed": seed}
        line: list[str] = []
        for word in shlex.split(self.template):
            names = [name for _, name, _, _ in string.Formatter().parse(word) if name is not None]
            if all(name in values for name in names):
                line.append(_Words().vformat(word, (), values))
            elif line and line[-1].startswith("-") and "=" not in line[-1]:
                line.pop()  # the flag whose value does not exist: --momentum {momentum}
        return line

    def run(self, run: Run) -> None:
        """Launch the command and follow its output until it ends."""
        for path in self.inputs:
            run.input(self.folder / path)
        line = self.words(run.config, run.seed)
        program = _program(line[0], self.folder)
        environment = trial_environment(run.config, run.seed, run.folder)
        if not _PYTHON.fullmatch(os.path.basename(program)):
            with own_writes(run.folder):
                trace.tell(environment["HEADWAY_TRACE"], os.path.basename(program))
        try:
            process = subprocess.Popen(
                [program, *line[1:]],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise ExperimentError(f"The command {line[0]!r} cannot be started: {error.strerror}.") from error
        with contextlib.closing(PrintedMetrics(run, self.metric, self.patterns)) as printed:
            tail = self._follow(process, printed)
            code = process.wait()
            printed.settle(all_of_them=True)
            if code == EXIT_NO_DISK and (number := refusal(run.folder)) is not None:
                raise DiskError("The command's script could not begin its run log.", number)
            if code != 0:
                raise CommandFailed(code, tail)
            printed.check()

    def _follow(self, process: "subprocess.Popen[bytes]", printed: PrintedMetrics) -> Sequence[str]:
        assert process.stdout is not None
        splitter, tail = LineSplitter(), deque[str](maxlen=_TAIL_LINES)

        def take(lines: Iterator[str]) -> None:
            for line in lines:
                if line.strip():
                    tail.append(line)
                printed.take(line)
            printed.settle()

        while data := _read(process, printed.settle):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            take(splitter.feed(data))
        process.stdout.close()
        take(splitter.finish())
        return list(tail)

    def _placeholders(self) -> set[str]:
        try:
            return {name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None}
        except ValueError as error:
            raise ExperimentError(
                f"The command {self.template!r} has unpaired braces ({error}). Double those that are "
                "meant literally: {{ and }}."
            ) from error


@call_checked('headway.command("python train.py --lr {lr} --seed {seed}", metric="loss", space={...})')
def command(
    template: str,
    *,
    metric: str,
    direction: Direction = "minimize",
    space: Mapping[str, Parameter | Scalar] | Space | None = None,
    patterns: Mapping[str, str] | None = None,
    inputs: Sequence[str] = (),
    needs: Needs | None = None,
    limits: Limits | None = None,
) -> CommandExperiment:
    """Make an experiment of a command. Paths are relative to the file that calls this.

    `patterns` maps metrics to regular expressions with one group for the number; without them JSON lines and
    `key: value` are read. `inputs` are files that the result depends on and that Python's own `open` does not see.
    """
    caller = sys._getframe(2).f_code.co_filename  # behind call_checked  # pyright: ignore[reportPrivateUsage]
    file = Path(caller)
    if isinstance(inputs, str):
        raise ExperimentError(f"inputs={inputs!r} is one text. Give a list of paths: inputs=[{inputs!r}].")
    return CommandExperiment(
        template=template,
        metric=metric,
        direction=direction,
        space=Space.of({} if space is None else space),
        patterns=dict(patterns or {}),
        inputs=tuple(inputs),
        needs=Needs() if needs is None else needs,
        limits=Limits() if limits is None else limits,
        source=file.absolute() if file.is_file() else None,
    )


def trial_environment(config: Mapping[str, Any], seed: int, folder: Path) -> dict[str, str]:
    """Return the environment of a command: the seed, the configuration, the file trace."""
    environment = dict(os.environ)
    environment.update(
        HEADWAY_SEED=str(seed),
        HEADWAY_CONFIG=json.dumps(dict(config), sort_keys=True),
        HEADWAY_FOLDER=str(folder),
        HEADWAY_TRACE=str(folder / "trace"),
        PYTHONUNBUFFERED="1",
    )
    path = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = str(_INJECT) + (os.pathsep + path if path else "")
    return environment


class _Words(string.Formatter):
    """Fill in values as the command line shows them; a format such as {lr:.2e} gets the number itself."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec) if format_spec else _text(value)


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in signal.Signals.__members__.values() else f"signal {number}"


def _read(process: "subprocess.Popen[bytes]", meanwhile: Callable[[], None]) -> bytes:
    """Return what the command prints next; nothing at its end, though a child that it left may hold the pipe."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    while os.name == "posix" and not select.select([pipe], [], [], _AFTERMATH_SECONDS)[0]:
        if process.poll() is not None:
            return b""
        meanwhile()
    return os.read(pipe, 65536)


def _text_of(path: Path) -> str:
    if not os.path.isfile(path) or path.stat().st_size > _LARGEST_SCRIPT:  # Path.is_file raises for a name too long
        return ""
    return path.read_text(errors="replace")


def _program(name: str, folder: Path) -> str:
    if name in ("python", "python3"):
        return sys.executable  # the interpreter that runs Headway: where a project's packages are
    if os.sep in name:
        return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise ExperimentError(f"The command {name!r} is not on the PATH. Install it, or give its full path.")
    return found


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
