"""`headway reproduce`: run a trial again from the record, and compare."""

import sys
from pathlib import Path

import click

from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import open_store, store_flag, trial_numbered
from headway.interfaces.cli.reading import trial_json
from headway.interfaces.cli.words import echo, echo_json, fact_lines, number_text, state_text, styled

__all__ = ["reproduce"]

_DIFFERS = 8


@command(
    "Run a trial again from the record; compare.",
    {4: "another engine runs the study", _DIFFERS: "it ran, and differs from the record"},
)
@click.argument("trial")
def reproduce(trial: str, store: Path | None, as_json: bool) -> None:
    """Run TRIAL again from the record (files, configuration, seed), not from today's files, and compare the curves."""
    from headway.studies import QuietObserver
    from headway.studies.reproduce import reproduce as run_again

    with open_store(store) as opened:
        number = trial_numbered(opened, trial).id
        if not as_json and sys.stderr.isatty():
            click.echo(f"Running trial {number} again from the record ...", err=True)
        result = run_again(opened, number, QuietObserver())
        flag = store_flag(opened.folder)
    if as_json:
        echo_json({
            "identical": result.identical,
            "sentence": result.sentence,
            "differences": list(result.differences),
            "surroundings": list(result.surroundings),
            "original": trial_json(result.original),
            "again": trial_json(result.again),
        })  # fmt: skip
    else:
        echo([
            styled(result.sentence, bold=True),
            "",
            *fact_lines([
                ("recorded", f"{state_text(str(result.original.state))}  {number_text(result.original.value, 10)}"),
                ("again", f"{state_text(str(result.again.state))}  {number_text(result.again.value, 10)}"),
                ("differs", "\n".join(result.differences)),
                ("around it", "\n".join(result.surroundings)),
                ("next", f"headway show {number}{flag}"),
            ]),
        ])  # fmt: skip
    if not result.identical:
        click.get_current_context().exit(_DIFFERS)
