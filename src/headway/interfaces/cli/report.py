"""`headway report`: write a study's HTML report anew."""

from pathlib import Path

import click

from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import latest_study, open_store
from headway.interfaces.cli.words import echo, echo_json

__all__ = ["report"]


@command("Write a study's HTML report anew.", {7: "the store holds no study"})
@click.argument("name", required=False)
def report(name: str | None, store: Path | None, as_json: bool) -> None:
    """Write the report of the study NAME anew and print its path: by default of the one that changed last."""
    from headway.studies.report import write_report

    with open_store(store) as opened:
        study = latest_study(opened, name)
        path = write_report(opened, study)
    echo_json({"study": study.name, "path": str(path)}) if as_json else echo(str(path))
