"""`headway init`: write a study file that runs, for a newcomer to change."""

import re
import shlex
from pathlib import Path

import click

from headway.core import StoreError, UsageError
from headway.interfaces.cli.app import command
from headway.interfaces.cli.places import store_flag
from headway.interfaces.cli.words import echo, echo_json, fact_lines, styled
from headway.store import FOLDER, Store, find_root

__all__ = ["init"]

_TEMPLATES = Path(__file__).parent / "templates"


@command("Write a commented study file that runs.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=Path("study.py"))
@click.option("--command", "of_command", is_flag=True, help="Study a command: writes a train.py beside it as well.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init(file: Path, of_command: bool, force: bool, store: Path | None, as_json: bool) -> None:
    """Write a commented study file that runs as it is: FILE, or study.py.

    It trains a small network in a second a trial; put your own training in its place.
    """
    if file.suffix != ".py":
        raise UsageError(f"A study file is a Python file, and {str(file)!r} is not. Type: headway init {file.stem}.py")
    script = file.parent / "train.py"
    texts = {file: _filled("command_study.py.txt" if of_command else "study.py.txt", file, script)}
    if of_command:
        if file.name == script.name:
            raise UsageError("train.py is the script that the study calls. Give the study another name.")
        texts[script] = (_TEMPLATES / "train.py.txt").read_text()
    _refuse_to_overwrite(texts, force=force)
    folder = store or find_root(file.absolute().parent) / FOLDER
    Store.open(folder).close()  # first: where no store can be, no file is left behind
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written ({error.strerror}). Make the folder writable, or name another."
        ) from error
    follow = f"headway run {shlex.quote(str(file))}{store_flag(folder)}"
    if as_json:
        echo_json({"files": [str(path) for path in texts], "store": str(folder), "next": follow})
        return
    echo(fact_lines([
        ("wrote", "\n".join(str(path) for path in texts)),
        ("store", str(folder)),
        ("next", f"{styled(follow, bold=True)}\n{follow} --dry-run   shows what would run"),
    ], indent=0))  # fmt: skip


def _filled(template: str, file: Path, script: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    text = (_TEMPLATES / template).read_text()
    values = {"FILE": file.name, "NAME": "spirals" if name in ("study", "") else name, "SCRIPT": script.name}
    for key, value in values.items():
        text = text.replace(f"<{key}>", value)
    return text


def _refuse_to_overwrite(texts: dict[Path, str], *, force: bool) -> None:
    there = [str(path) for path in texts if path.exists()]
    if there and not force:
        raise UsageError(
            f"{' and '.join(there)} would be overwritten. Name another file (headway init NAME.py), or pass --force."
        )
