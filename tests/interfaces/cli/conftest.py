"""A real store with a study that has a verdict, built through the store's own interface, and the command to ask it."""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from headway.core import Choice, FileUse, Float, Int, Manifest, Reason, Role, Space, TrialState
from headway.interfaces.cli.app import Command, cli
from headway.store import FOLDER, Point, Store, StudyRecord

SPACE = Space.of(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "width": Int(8, 64),
        "optimizer": Choice(["sgd", "adam"]),
        "momentum": Float(0.0, 0.99, when={"optimizer": "sgd"}),
        "batch": 32,
    }
)
BASELINE = {"lr": 0.01, "width": 16, "optimizer": "sgd", "momentum": 0.9, "batch": 32}
BETTER = {"lr": 0.1, "width": 32, "optimizer": "adam", "batch": 32}
BROKEN = {"lr": 1.0, "width": 8, "optimizer": "adam", "batch": 32}

FIRST = """
import headway

@headway.experiment(metric="loss", space={"lr": headway.Float(0.1, 1.0)})
def train(run):
    run.log(loss=run.config.lr)

study = headway.Study(train, name="first", baseline={"lr": 0.5}, budget="8 trials", seeds=2)
"""

Ask = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADWAY_STORE", raising=False)
    return tmp_path


@pytest.fixture
def write(project: Path) -> Callable[..., None]:
    """Write a file of the project."""

    def put(text: str, name: str = "study.py") -> None:
        (project / name).write_text(text)

    return put


@pytest.fixture
def store(project: Path):
    with Store.open(project / FOLDER) as opened:
        yield opened


@pytest.fixture
def ask(project: Path) -> Ask:
    """Return the command line as a function."""

    def run(*words: str | int) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words], prog_name="headway")

    return run


@pytest.fixture
def ask_json(ask: Ask) -> Callable[..., Any]:
    """Ask with --json; standard output must be one document and nothing else."""

    def run(*words: str | int) -> Any:
        result = ask(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def make_study(store: Store, name: str = "spirals", state: str = "finished", source: str = "study.py") -> StudyRecord:
    """Create a study without trials."""
    definition = {
        "space": SPACE.to_json(), "baseline": BASELINE, "sampler": "sobol", "seeds": 2, "finalists": 1, "seed": 0
    }  # fmt: skip
    study = store.studies.create(
        name=name, definition=definition, settings={"budget": {"trials": 24, "seconds": None}}, source=source,
        experiment="e" * 20, metric="val_loss", direction="minimize",
    )  # fmt: skip
    store.studies.set_state(study.id, state)
    return store.studies.get(name)


def add_trial(
    store: Store,
    study: StudyRecord,
    config: dict[str, Any],
    *,
    number: int = 0,
    seed: int = 0,
    role: Role = Role.SEARCH,
    value: float | None = None,
    state: TrialState = TrialState.COMPLETE,
    output: str = "",
    **end: Any,
) -> int:
    """Run a trial on paper: an attempt, a curve towards its value, an end."""
    candidate = store.studies.add_candidate(study.experiment, config)
    if not any(item.number == number for item in store.studies.proposals(study.id)):
        store.studies.propose(study.id, number, candidate, "baseline" if number == 0 else "sobol")
    trial = store.trials.create(candidate, seed)
    store.places.add(study.id, trial, role, number, reused=False)
    if state == TrialState.QUEUED:
        return trial
    directory = f"runs/{trial}/1"
    attempt = store.trials.begin(trial, study.id, directory, {"metric": "val_loss"})
    folder = store.folder / directory
    folder.mkdir(parents=True)
    (folder / "output.log").write_text(output)
    if state == TrialState.RUNNING:
        return trial
    last = value if value is not None else 1.0
    store.curves.fold(trial, attempt, [Point("val_loss", step, last + 1 / (step + 1), 0.0) for step in range(10)])
    store.trials.end_attempt(attempt, str(state), wall_seconds=1.5, cpu_seconds=1.0, peak_memory_bytes=2**20)
    store.trials.end(trial, state, value=value, step=9, horizon=10, **end)
    return trial


@pytest.fixture
def study(store: Store) -> StudyRecord:
    """Record a finished study: trials 1-3 are the baseline, 4-6 the accepted candidate, 7 crashed."""
    made = make_study(store)
    manifest = Manifest(
        files=(FileUse(path="study.py", digest="d" * 20, kind="module", size_bytes=1234, stored=True),),
        not_reusable="it uses polars, which read files unseen; declare them with run.input(path)",
    )
    for seed in range(3):
        add_trial(store, made, BASELINE, seed=seed, role=Role.BASELINE, value=0.5 + seed / 100, output="first\nlast\n")
    depends = store.trials.add_manifest(manifest)
    for seed in range(3):
        role = Role.CONFIRM if seed else Role.SEARCH
        add_trial(store, made, BETTER, number=1, seed=seed, role=role, value=0.3 + seed / 100, manifest=depends)
    failed = add_trial(
        store, made, BROKEN, number=2, state=TrialState.FAILED, reason=Reason.EXCEPTION,
        message="ZeroDivisionError: division by zero", fingerprint="abc123",
    )  # fmt: skip
    store.events.add(
        "failed", study=made.id, trial=failed, traceback="Traceback (most recent call last):\n  line 3\nZero"
    )
    better, baseline = (store.studies.add_candidate(made.experiment, config) for config in (BETTER, BASELINE))
    store.studies.decide(made.id, better, baseline, "accepted", "val_loss is lower by 0.2: accepted.", {"effect": 0.2})
    store.studies.charge(made.id, "seconds", 12.0)
    return store.studies.get(made.name)


@pytest.fixture
def own_lease(store: Store, study: StudyRecord) -> StudyRecord:
    """Let this very process be the engine that runs the study."""
    from headway.sandbox import processes

    started = processes.start_time(os.getpid())
    assert started is not None
    assert store.studies.take_lease(study.id, os.getpid(), started, None)
    return store.studies.get(study.name)


def dump(folder: Path) -> dict[str, list[tuple[Any, ...]]] | None:
    """Return all rows of all tables of a store, whatever its schema; None where there is no store."""
    if not (folder / "store.sqlite").exists():
        return None
    with closing(sqlite3.connect(f"file:{folder / 'store.sqlite'}?mode=ro", uri=True)) as raw:
        names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: sorted(raw.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


@pytest.fixture
def refused(project: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a check that a command line is refused as it should be, alone and with --json; it returns the message.

    The exit code is the one given and among those of the command's help, the message holds all that is asked for, there
    is no traceback, no row of the store changed, and `status` answers as before.
    """
    monkeypatch.setattr(sys, "path", list(sys.path))  # a study file that is loaded adds its folder

    def check(*words: str | int, says: Sequence[str], code: int = 2, status: int | None = None) -> str:
        folder = project / FOLDER
        before, answer = dump(folder), ask("status")
        plain, json_ = ask(*words), ask(*words, "--json")
        command = cli.get_command(click.Context(cli), str(words[0]))
        assert plain.exit_code == json_.exit_code == code, plain.output
        assert isinstance(command, Command)
        assert code in command.exits
        message = plain.stderr.partition("Error: ")[2].strip()
        assert [text for text in says if text not in message] == [], plain.stderr
        assert "Traceback" not in plain.output
        document = json.loads(json_.stdout)["error"]
        assert (document["message"].strip(), document["exit_code"]) == (message, code)
        assert dump(folder) == before
        assert (ask("status").exit_code, ask("status").stdout) == (answer.exit_code, answer.stdout)
        assert answer.exit_code == (status if status is not None else 2 if before is None else 0)
        return message

    return check
