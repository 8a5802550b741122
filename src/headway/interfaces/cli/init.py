"""`headway init`: write a study file that runs, for a newcomer to change; or the files that teach agents a project."""

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from headway.core import StoreError, UsageError
from headway.interfaces.cli.app import Named, command
from headway.interfaces.cli.places import default_folder, store_flag
from headway.interfaces.cli.words import echo, echo_json, fact_lines, styled
from headway.store import FOLDER, Store, find_root

if TYPE_CHECKING:
    from headway.interfaces.cli.teaching import Agent

__all__ = ["init"]

_TEMPLATES = Path(__file__).parent / "templates"
_NOTES = {"kept": "   has another entry 'headway' already; --force replaces it"}


@command("Write a study file that runs, or teach agents the project.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--command", "of_command", is_flag=True, help="Study a command: writes a train.py beside it as well.")
@click.option(
    "--agent",
    type=Named(["claude", "codex"]),
    is_flag=False,
    flag_value="claude",
    help="Teach agents this project: a skill and .mcp.json; for codex a section of AGENTS.md too.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init(
    file: Path | None, of_command: bool, agent: str | None, force: bool, store: Path | None, as_json: bool
) -> None:
    """Write a commented study file that runs as it is: FILE, or study.py.

    It trains a small network in a second a trial; put your own training in its place.

    With --agent write what teaches coding agents this project instead, at its root: .claude/skills/headway/SKILL.md,
    and in .mcp.json the server 'headway mcp'. What a person wrote there stays.
    """
    if agent is None:
        _init_study(file or Path("study.py"), store, of_command=of_command, force=force, as_json=as_json)
    elif file is not None or of_command:
        raise UsageError("--agent writes no study file. Leave out FILE and --command, or leave out --agent.")
    else:
        _init_agent(cast("Agent", agent), store, force=force, as_json=as_json)


def _init_study(file: Path, store: Path | None, *, of_command: bool, force: bool, as_json: bool) -> None:
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


def _init_agent(agent: "Agent", store: Path | None, *, force: bool, as_json: bool) -> None:
    from headway.interfaces.cli.teaching import lessons, teach

    root = find_root(Path.cwd())
    folder = (store or default_folder()).absolute()
    server = _server(folder)
    found = lessons(root, agent, server, force=force)
    Store.open(folder).close()  # an agent's server that starts before the first study finds it then
    teach(found)
    add = shlex.join(["codex", "mcp", "add", "headway", "--", server["command"], *server["args"]])
    follow = [f"headway run {shlex.quote(str(root))}{store_flag(folder)}", *([add] if agent == "codex" else [])]
    if as_json:
        files = [{"path": str(item.path), "done": item.done} for item in found]
        echo_json({"files": files, "store": str(folder), "server": server, "next": follow})
        return
    echo(fact_lines([
        *((item.done, f"{item.path}{_NOTES.get(item.done, '')}") for item in found),
        ("store", str(folder)),
        ("next", f"{styled(follow[0], bold=True)}   runs a repository; or name a study file"),
        ("", "\n".join(f"{line}   tells codex, which does not read .mcp.json" for line in follow[1:])),
    ], indent=0))  # fmt: skip


def _server(folder: Path) -> dict[str, Any]:
    """Return how the server is started: by name where that is this Headway, else by this Python."""
    found = shutil.which("headway")
    ours = found is not None and Path(found).parent.resolve() == Path(sys.executable).parent.resolve()
    words = ["headway", "mcp"] if ours else [sys.executable, "-m", "headway", "mcp"]
    away = ["--store", str(folder)] if folder != default_folder().absolute() else []
    return {"command": words[0], "args": [*words[1:], *away]}


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
