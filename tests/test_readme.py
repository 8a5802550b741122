"""The README's code runs, from a file and in a notebook's loop, and it names every command."""

import re
import subprocess
import sys
from pathlib import Path

import click

from headway.core import HeadwayError
from headway.interfaces.cli.app import Command, cli

README = Path(__file__).parents[1] / "README.md"
TRAIN = """
import argparse, random
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
arguments = parser.parse_args()
random.seed(arguments.seed)
for step in range(3):
    print(f"step {step} | loss: {random.random():.3f}", end="\\r", flush=True)
print("val_loss:", (arguments.lr - 0.1) ** 2 + random.gauss(0, 0.001))
"""


def block(mark: str) -> str:
    found = re.search(rf"<!-- test: {mark} -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None, mark
    return found[1]


def test_ten_lines_of_the_readme_end_in_a_verdict(tmp_path):
    (tmp_path / "first.py").write_text(block("plain"))
    answer = subprocess.run(
        [sys.executable, "first.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert answer.stdout.strip().endswith("accepted.")
    assert (tmp_path / ".headway" / "reports" / "first.html").exists()


def test_ten_lines_of_the_readme_run_in_a_notebook_cell(tmp_path):
    cell = f"""
import asyncio
async def cell():  # a notebook runs its cells inside a running loop, and its functions have no file
    exec(compile({block("plain")!r}, "<cell>", "exec"), globals())
asyncio.run(cell())
"""
    answer = subprocess.run(
        [sys.executable, "-"], input=cell, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert answer.stdout.strip().endswith("accepted.")


def test_command_of_the_readme_ends_in_a_verdict(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "study.py").write_text(block("command"))
    answer = subprocess.run(
        [sys.executable, "-m", "headway", "run", "study.py", "--plain"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert "accepted" in answer.stdout


def kinds(error: type[HeadwayError]) -> list[type[HeadwayError]]:
    return [error, *(kind for below in error.__subclasses__() for kind in kinds(below))]


def test_readme_lists_every_exit_code_and_no_other():
    listed = {int(code) for code in re.findall(r"^\| (\d+) \| ", README.read_text(), re.MULTILINE)}
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    told = {code for command in commands if isinstance(command, Command) for code in command.exits}
    assert listed == told | {kind.exit_code for kind in kinds(HeadwayError)}


def test_readme_names_every_command():
    text = README.read_text()
    table = text[text.index("## The command line") :]
    missing = [name for name in cli.list_commands(click.Context(cli)) if not re.search(rf"[`\s,]{name}[`\s,\[]", table)]
    assert missing == []
