"""The command group: finds commands by name, loads the one that is called, and turns errors into exit codes.

Every command is made by `command(...)`, which adds `--json`, `--store` and `--debug`, and lists the exit codes
in its help.
"""

import errno
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.core import HeadwayError, nearest

if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # generic since click 8.2

__all__ = ["PAUSED", "Named", "cli", "command", "main"]

PAUSED = 130  # what a shell reports of a process that Ctrl-C ended

_COMMANDS = {
    "init": "init", "run": "run", "evolve": "evolve", "resume": "run", "status": "status", "trials": "trials",
    "show": "show", "logs": "logs", "compare": "compare", "propose": "propose", "stop": "stop",
    "brief": "verbs", "wait": "verbs", "result": "verbs", "explain-failure": "verbs", "promote": "verbs", "mcp": "mcp",
    "triage": "triage", "lineage": "lineage",
    "ablate": "followups", "control": "followups", "minimize-cost": "followups", "report": "report",
    "export": "export", "reproduce": "reproduce", "plan": "plan", "replay": "replay", "doctor": "doctor", "gc": "gc",
}  # fmt: skip
_ALWAYS = {
    0: "done",
    1: "a fault in Headway itself (the traceback is shown)",
    2: "a name, flag or value that cannot be meant",
    5: "the store cannot be read or written",
}
_SHARED = ("as_json", "store", "debug")
_PLEASE_REPORT = "This is a fault in Headway itself. Please report it, with the lines above and what you typed."


class Group(click.Group):
    """Hold the commands by name; a command's module is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a study goes."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and return the command."""
        if cmd_name not in _COMMANDS:
            return None
        return getattr(import_module(f"headway.interfaces.cli.{_COMMANDS[cmd_name]}"), cmd_name.replace("-", "_"))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which name is nearest."""
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            near = nearest(name, _COMMANDS)
            hint = "'headway --help' lists them." if near is None else f"Did you mean '{near}'?"
            raise _told(click.UsageError(f"There is no command '{name}'. {hint}"), args)
        return super().resolve_command(ctx, args)


class Command(click.Command):
    """Run one command; give its errors as one message and an exit code."""

    exits: Mapping[int, str] = _ALWAYS

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line. What is wrong with it is told as JSON too, where that was asked for."""
        words = list(args)  # click empties the list
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _told(error, words) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), self.exits[code]) for code in sorted(self.exits)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command's function."""
        as_json = bool(ctx.params.get("as_json"))
        try:
            return super().invoke(ctx)
        except HeadwayError as error:
            if ctx.meta.get("headway.debug"):
                traceback.print_exc()
            self._end(ctx, as_json, error, str(error), error.exit_code)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(PAUSED)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader went away (headway trials | head): click ends without a word
            traceback.print_exc()
            self._end(ctx, as_json, error, f"{error}\n{_PLEASE_REPORT}", 1)

    def _end(self, ctx: click.Context, as_json: bool, error: Exception, text: str, code: int) -> None:
        if as_json:
            _echo_error(type(error).__name__, str(error), code)
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {text}", err=True)
        ctx.exit(code)


class Named(_Choice):
    """Take one of a few names, and say which is nearest to an unknown one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Say which names there are, the nearest first."""
        near = nearest(str(value), self.choices)
        hint = "" if near is None else f" Did you mean {near!r}?"
        return f"{super().get_invalid_choice_message(value, ctx).rstrip('.')}.{hint}"


def command(short: str, exits: Mapping[int, str] | None = None) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function, with what all commands share.

    `short` stands in the list of commands, the function's docstring in the command's own help; `exits` adds exit codes.

    The function gets `as_json` and `store` (a folder, or None for the one that is found from the working directory).
    """

    def decorate(function: Callable[..., None]) -> Command:
        options = (
            click.option("--json", "as_json", is_flag=True, help="Write one JSON document to standard output."),
            click.option(
                "--store",
                type=click.Path(path_type=Path, file_okay=False),
                envvar="HEADWAY_STORE",
                show_envvar=True,
                help="The store's folder (default: .headway at the project's root).",
            ),
            click.option(
                "--debug", is_flag=True, expose_value=False, callback=_remember_debug, help="Show tracebacks of errors."
            ),
        )
        decorated: Any = function
        for option in reversed(options):
            decorated = option(decorated)
        made = click.command(cls=Command, short_help=short, context_settings={"max_content_width": 110})(decorated)
        made.params.sort(key=lambda parameter: parameter.name in _SHARED)  # a command's own options stand first
        made.exits = {**_ALWAYS, **(exits or {})}
        return made

    return decorate


def _told(error: click.UsageError, words: Sequence[str]) -> click.UsageError:
    """Return click's error, for click to show; where the command line asks for JSON, write it as that too."""
    if "--json" in words:
        _echo_error("UsageError", error.format_message(), error.exit_code)
    return error


def _echo_error(kind: str, message: str, code: int) -> None:
    from headway.interfaces.cli.words import echo_json

    echo_json({"error": {"kind": kind, "message": message, "exit_code": code}})


def _remember_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    ctx.meta["headway.debug"] = value


def _show_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    if value and not ctx.resilient_parsing:
        package = sys.modules["headway"]  # loaded long ago; rooms do not import the front door
        click.echo(f"headway {package.__version__}")
        ctx.exit()


@click.group(cls=Group, context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Run ideas as trials and get verdicts that hold.

    Begin with 'headway init', then 'headway run study.py'. Every command takes --json, and 'headway COMMAND --help'
    lists its exit codes.
    """


def main() -> None:
    """Be the `headway` command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal without UTF-8 shows '?' for a shape, rather than a traceback
    cli.main(prog_name="headway")
