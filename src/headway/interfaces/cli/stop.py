"""`headway stop`: ask the engine that runs a study to pause, to end at once, or to stop one trial."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headway.core import NothingToDo, TrialState, UsageError
from headway.interfaces.cli.app import PAUSED, command
from headway.interfaces.cli.places import engine_alive, open_store, store_flag, study_named, trial_numbered
from headway.interfaces.cli.words import echo, echo_json, seconds_text

if TYPE_CHECKING:
    from headway.store import Store, StudyRecord, TrialRecord

__all__ = ["stop"]

_POLL_SECONDS = 0.1
_NOTE_EVERY_SECONDS = 5.0


@command(
    "Pause a running study, or stop one trial.",
    {7: "nothing runs", PAUSED: "the waiting was ended with Ctrl-C; the request stands"},
)
@click.argument("name", required=False)
@click.option("--now", is_flag=True, help="Do not wait for checkpoints: end at once.")
@click.option("--trial", metavar="N", help="Stop only this trial; the study goes on.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the engine has let go.")
def stop(name: str | None, now: bool, trial: str | None, wait: bool, store: Path | None, as_json: bool) -> None:
    """Pause the study NAME: by default the one that runs. Running trials reach their next checkpoint first.

    'headway resume' goes on from there. A trial that is stopped with --trial stays in the table, as stopped.
    """
    if now and trial is not None:
        raise UsageError("--now ends the whole study, --trial one trial of it. Give one of them.")
    with open_store(store) as opened:
        study = _running(opened, name)
        flag = store_flag(opened.folder)
        if trial is not None:
            _stop_trial(opened, study, _trial_of(opened, study, trial), wait=wait, as_json=as_json)
            return
        opened.studies.ask(study.id, "now" if now else "pause")
        if wait:
            _wait(lambda: not engine_alive(opened.studies.get(study.name)), "for running trials to reach a checkpoint")
        state = opened.studies.get(study.name).state if wait else "running"
    follow = f"headway resume {shlex.quote(study.name)}{flag}"
    if as_json:
        echo_json({"study": study.name, "request": "now" if now else "pause", "state": state, "next": follow})
    else:
        echo(f"{study.name} is {state}. Go on with: {follow}" if wait else f"{study.name} was asked to pause.")


def _stop_trial(store: "Store", study: "StudyRecord", trial: "TrialRecord", *, wait: bool, as_json: bool) -> None:
    store.studies.ask(study.id, f"stop {trial.id}")
    if wait:
        _wait(
            lambda: store.trials.get(trial.id).state.ended or not engine_alive(store.studies.get(study.name)),
            f"for trial {trial.id} to end",
        )
    state = str(store.trials.get(trial.id).state)
    if as_json:
        echo_json({"study": study.name, "request": f"stop {trial.id}", "trial": trial.id, "state": state})
    else:
        echo(f"Trial {trial.id} is {state}; {study.name} goes on." if wait else f"Trial {trial.id} was asked to stop.")


def _running(store: "Store", name: str | None) -> "StudyRecord":
    if name is not None:
        study = study_named(store, name)
        if not engine_alive(study):
            raise NothingToDo(f"The study {name!r} does not run, so there is nothing to stop. See: headway status")
        return study
    running = [study for study in store.studies.all() if engine_alive(study)]
    if not running:
        raise NothingToDo(f"No study of {store.folder} runs, so there is nothing to stop. See: headway status")
    if len(running) > 1:
        raise UsageError(f"These run: {', '.join(study.name for study in running)}. Name the one to stop.")
    return running[0]


def _trial_of(store: "Store", study: "StudyRecord", text: str) -> "TrialRecord":
    trial = trial_numbered(store, text)
    running = [place.trial for place in store.places.of_study(study.id, state=TrialState.RUNNING)]
    if trial.id not in [item.id for item in running]:
        there = ", ".join(str(item.id) for item in running) or "none"
        raise NothingToDo(f"Trial {trial.id} does not run in {study.name!r} (running: {there}). It is {trial.state}.")
    return trial


def _wait(over: Callable[[], bool], what: str) -> None:
    began, due = time.monotonic(), time.monotonic() + 1.0
    while not over():
        if time.monotonic() >= due:
            click.echo(f"Waiting {what} ({seconds_text(time.monotonic() - began)}) ...", err=True)
            due = time.monotonic() + _NOTE_EVERY_SECONDS
        time.sleep(_POLL_SECONDS)
