"""Command-line agents: real scripts that edit, hang, fail and print too much. All that they started ends with them."""

import os
import sys
import time
from pathlib import Path

import pytest

from headway.core import UsageError
from headway.llm import CommandAgent
from headway.sandbox import processes

PYTHON = sys.executable


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "work"
    made.mkdir()
    return made


def agent(code, *words, **changes):
    return CommandAgent([PYTHON, "-c", code, *words], **changes)


def gone(file, seconds=5.0):
    """Tell whether the process whose pid is in a file is gone."""
    pid = int(file.read_text())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = processes.start_time(pid)
        if started is None or not processes.alive(pid, started):
            return True
        time.sleep(0.01)
    return False


def test_an_agent_edits_the_files_of_its_folder_by_a_prompt_on_stdin(folder):
    (folder / "train.py").write_text("lr = 1\n")
    code = "import sys; open('train.py', 'a').write(sys.stdin.read()); print('done')"
    edit = agent(code).edit(folder, "lr = 2\né", seconds=60)
    assert (folder / "train.py").read_text() == "lr = 1\nlr = 2\né"
    assert (edit.code, edit.ok, edit.timed_out, edit.output) == (0, True, False, "done\n")
    assert 0 < edit.seconds < 60


def test_a_prompt_goes_where_the_command_says(folder):
    prompt = 'it\'s {a} "prompt" $HOME; `x` {prompt_file}\n'
    as_word = agent("import sys; print(ascii([sys.argv[1:], sys.stdin.read()]))", "-p", "say: {prompt}")
    assert as_word.edit(folder, prompt, seconds=60).output.strip() == ascii([["-p", f"say: {prompt}"], ""])
    as_file = agent("import sys; print(ascii([open(sys.argv[1]).read(), sys.stdin.read()]))", "{prompt_file}")
    assert as_file.edit(folder, prompt, seconds=60).output.strip() == ascii([prompt, ""])
    assert list(folder.iterdir()) == []


def test_a_string_is_split_as_a_shell_would_and_other_braces_stay(folder):
    split = CommandAgent(f"{PYTHON} -c 'import sys; print(sys.argv[1:])' '{{a: 1}}' 'two words'")
    assert split.edit(folder, "", seconds=60).output.strip() == "['{a: 1}', 'two words']"


def test_a_large_prompt_fits_on_stdin_and_is_refused_as_an_argument(folder):
    prompt = "é" * 500_000
    reading = agent("import sys; print(len(sys.stdin.read()))")
    assert reading.edit(folder, prompt, seconds=60).output.strip() == "500000"
    not_reading = agent("print('never looked')")
    assert not_reading.edit(folder, prompt, seconds=60).ok
    argued = agent("print('started')", "{prompt}")
    with pytest.raises(UsageError, match="1,000,000 bytes; as an argument it may have 131,071"):
        argued.edit(folder, prompt, seconds=60)
    assert argued.edit(folder, "x" * 131_071, seconds=60).ok
    with pytest.raises(UsageError, match="zero byte"):
        argued.edit(folder, "a\0b", seconds=60)


def test_a_failing_agent_is_a_result(folder):
    edit = agent("import sys; print('why', file=sys.stderr); sys.exit(3)").edit(folder, "", seconds=60)
    assert (edit.code, edit.ok, edit.output) == (3, False, "why\n")
    killed = agent("import os; os.kill(os.getpid(), 9)").edit(folder, "", seconds=60)
    assert (killed.code, killed.ok, killed.timed_out) == (-9, False, False)


GRANDCHILD = """
import os, subprocess, sys, time
stay = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
for number, session in enumerate((False, True)):
    subprocess.Popen([sys.executable, "-c", stay, f"pid{number}"], start_new_session=session)
while not all(os.path.exists(f"pid{n}") and os.path.getsize(f"pid{n}") for n in range(2)):
    time.sleep(0.01)
print("began", flush=True)
"""


def test_an_agent_that_hangs_ends_with_all_that_it_started(folder):
    edit = agent(GRANDCHILD + "time.sleep(600)").edit(folder, "", seconds=3)
    assert (edit.timed_out, edit.ok, edit.output) == (True, False, "began\n")
    assert 3 <= edit.seconds < 10
    assert gone(folder / "pid0")
    assert gone(folder / "pid1")


def test_what_an_agent_leaves_running_ends_with_it(folder):
    edit = agent(GRANDCHILD).edit(folder, "", seconds=60)
    assert edit.ok
    assert edit.seconds < 30
    assert gone(folder / "pid0")
    assert gone(folder / "pid1")


def test_an_interrupt_ends_the_agent(folder, monkeypatch):
    import subprocess

    real = subprocess.Popen.wait

    def interrupted(process, timeout=None):
        if timeout is None:
            return real(process)
        while not (folder / "pid1").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        agent(GRANDCHILD + "time.sleep(600)").edit(folder, "", seconds=60)
    assert gone(folder / "pid0")
    assert gone(folder / "pid1")


def test_of_much_output_the_begin_and_the_end_are_kept(folder):
    code = "import sys; print('first'); [sys.stdout.write('x' * 1_000_000) for _ in range(100)]; print('last')"
    edit = agent(code, output_bytes=10_000).edit(folder, "", seconds=120)
    assert edit.ok
    assert edit.output.startswith("first\nxxx")
    assert edit.output.endswith("xxxlast\n")
    assert "[... 99,990,011 bytes left out ...]" in edit.output
    assert len(edit.output) < 10_100


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 400])
def test_output_is_cut_at_its_cap_and_not_before(folder, size):
    edit = agent(f"print('y' * {size}, end='')", output_bytes=100).edit(folder, "", seconds=60)
    assert edit.output.count("y") == min(size, 100) + edit.output.count("bytes")
    assert ("left out" in edit.output) == (size > 100)


def test_an_agent_gets_our_environment_and_its_secrets_do_not_come_back(folder):
    environment = {**os.environ, "SOME_API_KEY": "value-of-the-key", "PLAIN": "as it is"}
    code = "import os; print(os.environ['SOME_API_KEY'][::-1], os.environ['SOME_API_KEY'], os.environ['PLAIN'])"
    edit = agent(code, environment=environment).edit(folder, "", seconds=60)
    assert edit.output == "yek-eht-fo-eulav [redacted] as it is\n"
    named = CommandAgent([PYTHON, "--key", "value-of-the-key"], environment=environment)
    assert "value-of-the-key" not in named.name


def test_a_script_beside_us_is_found_from_any_folder(folder, tmp_path, monkeypatch):
    script = tmp_path / "agent.sh"
    script.write_text("#!/bin/sh\ncat > said.txt\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert CommandAgent("./agent.sh").edit(folder, "hello", seconds=60).ok
    assert (folder / "said.txt").read_text() == "hello"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("claude -p", "npm install -g @anthropic-ai/claude-code"),
        ("codex exec", "npm install -g @openai/codex"),
        ("gemini -p {prompt}", "npm install -g @google/gemini-cli"),
        ("no-such-agent --yes", "'no-such-agent' was not found, or may not be run. Install it, or give the path"),
        ("", "is empty"),
        ([], "is empty"),
        ("'open", "cannot be split"),
        ("{prompt}", "Begin with a program"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused_at_once(command, says):
    with pytest.raises(UsageError) as caught:
        CommandAgent(command, environment={"PATH": "/nonexistent"})
    assert says in str(caught.value)


def test_what_may_not_run_is_refused(folder, tmp_path):
    plain = tmp_path / "plain.txt"
    plain.write_text("no program")
    with pytest.raises(UsageError, match="may not be run"):
        CommandAgent([str(plain)])
    plain.chmod(0o755)
    with pytest.raises(UsageError, match="Run it by hand"):
        CommandAgent([str(plain)]).edit(folder, "", seconds=60)


def test_bad_limits_and_folders_are_refused(folder):
    fine = agent("pass")
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="finite number above 0"):
            fine.edit(folder, "", seconds=seconds)
    with pytest.raises(UsageError, match="is not there"):
        fine.edit(Path(folder, "missing"), "", seconds=1)
    with pytest.raises(UsageError, match="output_bytes"):
        agent("pass", output_bytes=0)
