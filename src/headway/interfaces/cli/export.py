"""`headway export`: the trials or the curves of a study as a table for other tools."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from headway.core import StoreError, UsageError
from headway.interfaces.cli.app import Named, command
from headway.interfaces.cli.places import latest_study, open_store
from headway.interfaces.cli.words import bytes_text, echo, echo_json

if TYPE_CHECKING:
    from headway.studies.export import Format

__all__ = ["export"]

_FORMATS = ("csv", "parquet", "json")


@command(
    "Write trials or curves as CSV, Parquet, JSON.",
    {6: "Parquet needs an optional package that is not installed", 7: "there is nothing to export"},
)
@click.argument("name", required=False)
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to (default: NAME.csv).",
)
@click.option("--format", "kind", type=Named(_FORMATS), help="The format (default: by FILE's ending).")
@click.option("--curves", is_flag=True, help="Write the points of all curves, not a row a trial.")
def export(
    name: str | None, path: Path | None, kind: str | None, curves: bool, store: Path | None, as_json: bool
) -> None:
    """Write a table of the study NAME's trials, or of their curves: by default of the study that changed last."""
    from headway.studies.export import export_curves, export_study
    from headway.studies.summary import summarize

    with open_store(store) as opened:
        study = latest_study(opened, name)
        chosen = cast("Format", kind or _ending(path))
        target = path or Path(f"{study.name}{'-curves' if curves else ''}.{chosen}")
        write = export_curves if curves else export_study
        try:
            write(opened, summarize(opened, study), target, chosen)
        except OSError as error:
            raise StoreError(f"{target} cannot be written ({error.strerror}). Name another file: --to FILE") from error
    size = target.stat().st_size
    if as_json:
        echo_json({"study": study.name, "path": str(target), "format": chosen, "curves": curves, "size_bytes": size})
        return
    echo(f"{target}  {bytes_text(size)}")
    if chosen == "parquet":
        echo(f"Read it with: polars.read_parquet({str(target)!r})")
    elif chosen == "csv":
        echo(f"Look at it with: column -s, -t {shlex.quote(str(target))} | less -S")


def _ending(path: Path | None) -> str:
    if path is None:
        return "csv"
    ending = path.suffix.removeprefix(".").lower()
    if ending not in _FORMATS:
        raise UsageError(
            f"The format of {str(path)!r} is unknown. Let it end in .csv, .parquet or .json, or use --format."
        )
    return ending
