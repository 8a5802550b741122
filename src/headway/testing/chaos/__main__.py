"""`python -m headway.testing.chaos`: run a study through faults, or a case that failed once more."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import click

from headway.core import HeadwayError, NothingToDo
from headway.testing.chaos.case import BUILT_IN, Case, replay_command
from headway.testing.chaos.outcome import Outcome
from headway.testing.chaos.plan import FAULTS, make_schedule, parse_wishes

BROKEN = 1


@click.group(epilog="Exit codes: 0 all held; 1 something did not; 7 the machine cannot do it, and why.")
def chaos() -> None:
    """Torment a study with faults and check that nothing is lost. For those who work on Headway and its plug-ins."""


@chaos.command()
@click.argument("study")
@click.option("--seed", default=0, show_default=True, help="Decides which faults strike when.")
@click.option("--faults", "wishes", default="kill:5", show_default=True, help="NAME:COUNT, and commas between them.")
@click.option("--workers", default=2, show_default=True, help="Trials at a time.")
@click.option("--backend", default="local", show_default=True, help="The backend under test.")
@click.option("--json", "as_json", is_flag=True, help="Write the outcome as JSON.")
def run(study: str, seed: int, wishes: str, workers: int, backend: str, as_json: bool) -> None:
    """Run the first study of the file STUDY (or a built-in one: see below) through a schedule of faults."""
    schedule = make_schedule(seed, parse_wishes(wishes))
    where = study if study in BUILT_IN else str(Path(study).absolute())
    options = ("--workers", str(workers), "--backend", backend)
    _play(Case(study=where, schedule=schedule, options=options), as_json)


@chaos.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Write the outcome as JSON.")
def replay(file: Path, as_json: bool) -> None:
    """Run the case in FILE again: the same study, the same faults at the same signs."""
    _play(Case.read(file), as_json)


run.epilog = f"Built-in studies: {', '.join(BUILT_IN)}. Faults: {', '.join(FAULTS)}."


def _play(case: Case, as_json: bool) -> None:
    if (reason := case.enter_namespace()) is not None:
        raise NothingToDo(f"Skipped: {reason}.")
    scratch = Path(tempfile.mkdtemp(prefix="headway-chaos-"))
    outcome = case.run(scratch)
    path = scratch / "case.json"
    again = replay_command(path)
    if outcome.broken:
        case.write(path, list(map(str, outcome.broken)))
    else:
        shutil.rmtree(scratch)
    if as_json:
        click.echo(json.dumps({**outcome.to_json(), "replay": again if outcome.broken else None}))
    else:
        _tell(outcome, again)
    sys.exit(BROKEN if outcome.broken else 0)


def _tell(outcome: Outcome, again: str) -> None:
    for text in outcome.struck:
        click.echo(f"  {text}")
    struck, seconds = len(outcome.struck), outcome.seconds
    click.echo(f"{struck} faults in {outcome.sessions} sessions, {seconds:.0f} s, {outcome.trials} trials.")
    if outcome.missed:
        click.echo(f"{len(outcome.missed)} did not come to pass: the study was finished.")
    for text in outcome.broken:
        click.echo(f"BROKEN  {text}")
    click.echo(f"Replay with: {again}" if outcome.broken else f"All held. {outcome.sentence}")


def main() -> None:
    """Run the command line; an error of Headway is a message and its exit code."""
    try:
        chaos(prog_name="python -m headway.testing.chaos")
    except HeadwayError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
