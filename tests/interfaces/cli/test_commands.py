import json
import os
import subprocess
import sys

import pytest

from headway.core import HeadwayError, StudyBusy
from headway.interfaces.cli import app
from headway.interfaces.cli.app import cli

NAMES = cli.list_commands(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_help_lists_every_command(ask):
    text = ask("--help").stdout
    assert {
        "init", "run", "resume", "status", "trials", "show", "logs", "compare", "propose", "stop", "ablate", "control",
        "minimize-cost", "report", "export", "brief", "wait", "result", "explain-failure", "promote", "mcp",
        "reproduce", "plan", "replay", "doctor", "gc", "triage", "lineage", "evolve",
    } == set(NAMES)  # fmt: skip
    for name in NAMES:
        line = next(line for line in text.splitlines() if line.startswith(f"  {name} "))
        assert not line.endswith("..."), f"the short help of {name} is cut"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_json_a_store_and_documented_exit_codes(ask, name):
    text = ask(name, "--help").stdout
    assert "--json" in text
    assert "HEADWAY_STORE" in text
    assert "Exit codes:" in text
    assert "  0 " in text.partition("Exit codes:")[2]


def test_version_is_that_of_the_package(ask):
    import headway

    assert ask("--version").stdout == f"headway {headway.__version__}\n"


def test_unknown_command_suggests_the_nearest(ask):
    result = ask("statsu")
    assert result.exit_code == 2
    assert "Did you mean 'status'?" in result.stderr


def test_an_expected_error_is_one_message_and_its_exit_code(ask):
    result = ask("status")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: There is no store at ")
    assert "headway init" in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_adds_the_traceback(ask):
    assert "Traceback" in ask("status", "--debug").stderr


def test_an_error_under_json_is_a_document_too(ask):
    result = ask("status", "--json")
    assert json.loads(result.stdout)["error"]["kind"] == "NotFound"
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (StudyBusy("It runs already."), 4, "Error: It runs already."),
        (HeadwayError("Something."), 1, "Error: Something."),
        (RuntimeError("a fault"), 1, "Please report it"),
    ],
)
def test_errors_become_exit_codes(ask, monkeypatch, error, code, shown):
    def fail(*_):
        raise error

    monkeypatch.setattr("headway.interfaces.cli.status.open_store", fail)
    result = ask("status")
    assert result.exit_code == code
    assert shown in result.stderr
    assert ("Traceback" in result.stderr) == isinstance(error, RuntimeError)


def test_ctrl_c_ends_with_130_and_no_traceback(ask, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("headway.interfaces.cli.status.open_store", interrupt)
    result = ask("status")
    assert result.exit_code == app.PAUSED
    assert "Traceback" not in result.stderr


def test_a_reader_that_goes_away_is_no_fault(project, study):
    code = "import sys; from headway.interfaces.cli import main; sys.stdin.readline(); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "trials"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write(b"go\n")
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


HEAVY = ("numpy", "scipy", "torch", "rich", "optuna", "asyncio", "headway.engine.engine", "headway.experiments")


@pytest.mark.parametrize(
    "words", [["status"], ["status", "spirals"], ["trials"], ["show", "4"], ["show", "spirals"], ["--help"]]
)
def test_reading_commands_load_nothing_heavy(project, study, words):
    code = (
        "import sys\nfrom headway.interfaces.cli.app import cli\n"
        f"cli.main({words!r}, standalone_mode=False, prog_name='headway')\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


def test_output_that_a_terminal_cannot_show_is_replaced(project, study):
    done = subprocess.run(
        [sys.executable, "-m", "headway", "status"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert "? finished" in done.stdout
