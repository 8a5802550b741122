"""The runner of the benchmarks: what it measures, what it makes of failures, and what its last line says."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.runner import (
    Context,
    Peer,
    PeerFailed,
    ProcessFailed,
    Result,
    Row,
    Sample,
    Table,
    at_least,
    at_most,
    benchmark,
    descendants,
    ratio,
    run_process,
)
from benchmarks.runner import cli as runner_cli
from benchmarks.runner.environments import Environments, groups
from benchmarks.runner.registry import discover

PINS = "# group: old\nolder==1.0\n# why\nother[extra]==2.1\n\n# group: new\nnewer==3.0\n"


@pytest.fixture
def context(tmp_path):
    said = []
    return Context(
        repeats=2, quick=True, with_peers=False, say=said.append, environments=Environments(tmp_path, PINS, said.append)
    )


def python(folder, code, **options):
    return run_process([sys.executable, "-c", code], folder=folder, **options)


def test_cpu_of_children_is_counted(tmp_path):
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    ended = python(tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])").checked()
    assert ended.cpu_seconds >= 0.2
    assert ended.wall_seconds >= 0.2
    assert ended.peak_memory_bytes > 1_000_000


def test_a_process_that_fails_tells_its_last_lines(tmp_path):
    with pytest.raises(ProcessFailed, match=r"code 1: .*ValueError: as it should"):
        python(tmp_path, "raise ValueError('as it should')").checked()


def test_a_process_that_hangs_is_killed_with_all_that_it_started(tmp_path):
    code = (
        "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, file=open('pid', 'w')); time.sleep(60)"
    )
    with pytest.raises(ProcessFailed, match="did not end within 1 s"):
        python(tmp_path, code, seconds=1.0)
    sleeper = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    deadline = time.monotonic() + 10
    while sleeper.exists() and sleeper.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.01)


def test_descendants_are_children_and_theirs():
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        (grandchild,) = descendants(child.pid)
        assert {child.pid, grandchild} <= set(descendants(1)) | {child.pid, grandchild}
        subprocess.run(["kill", str(child.pid), str(grandchild)], check=True)


def test_contestants_take_turns_and_a_failed_one_is_out(context):
    order = []

    def fail():
        order.append("b")
        raise PeerFailed("no wheel for this machine")

    found = context.in_turns({"a": lambda: order.append("a"), "b": fail, "c": lambda: order.append("c")}, repeats=2)
    assert order == ["a", "b", "c", "a", "c"]
    assert found["a"] == [None, None]
    assert str(found["b"]) == "no wheel for this machine"


def test_a_peer_that_is_left_out_fails_with_the_reason(context, tmp_path):
    with pytest.raises(PeerFailed, match="--no-peers"):
        context.drive("anything", folder=tmp_path, peer=Peer(name="older", package="older", group="old"))


def test_a_folder_is_gone_afterwards(context):
    with context.folder() as folder:
        (folder / "file").write_text("text")
    assert not folder.exists()


def test_requirements_come_in_groups_and_are_pinned(tmp_path):
    assert groups(PINS) == {"old": ["older==1.0", "other[extra]==2.1"], "new": ["newer==3.0"]}
    environments = Environments(tmp_path, PINS, print)
    assert environments.version(Peer(name="other", package="Other", group="old")) == "2.1"
    with pytest.raises(PeerFailed, match="pins no newer in the group 'old'"):
        environments.version(Peer(name="newer", package="newer", group="old"))
    for line in ("loose>=1", "torch", "-r more.txt"):
        with pytest.raises(ValueError, match="expected package==version"):
            groups(f"# group: a\n{line}")


def test_the_repositorys_own_pins_can_be_read():
    found = groups(Path(runner_cli.ROOT, "benchmarks", "peers.txt").read_text())
    assert all(found.values())
    assert {line for lines in found.values() for line in lines if line.startswith("torch=")} <= {"torch==2.13.0"}


def test_an_unmeasured_figure_does_not_hold():
    assert at_most(1.0, 2).holds
    assert at_least(2.0, 2).holds
    assert not at_least(1.9, 2).holds
    assert not at_most(None, 2).holds
    assert not at_least(ratio(None, 1.0), 2).holds
    assert ratio(1.0, 0.0) is None


def made(name, result):
    def run(context):
        if isinstance(result, Exception):
            raise result
        return result

    run.__module__ = f"benchmarks.{name}"
    return benchmark("a claim")(run)


def result_of(figure):
    rows = [
        Row.of("headway", [Sample(1.0, 0.5, 2.0), Sample(3.0, 0.5, 2.0)], ours=True, version="1.0"),
        Row.of("peer", PeerFailed("it is [not] there"), version="2.0"),
    ]
    table = Table(title="Title [of it]", unit="ms", rows=rows)
    return Result(tables=[table], figures={"a_ms": figure, "b": None}, targets={"a": at_most(figure, 2)})


@pytest.fixture
def known(monkeypatch):
    names = {"good": result_of(1.23456789), "bad": result_of(3.0), "broken": RuntimeError("boom")}
    monkeypatch.setattr(runner_cli, "discover", lambda: {name: made(name, result) for name, result in names.items()})


def test_the_last_line_is_json_and_the_exit_code_says_what_holds(known, capsys):
    assert runner_cli.main(["good", "--quick"]) == 0
    *table, last = capsys.readouterr().out.strip().splitlines()
    assert json.loads(last) == {
        "name": "good",
        "figures": {"a_ms": 1.2346},
        "targets": {"a": {"figure": 1.2346, "limit": 2, "relation": "at most", "holds": True}},
        "holds": True,
        "quick": True,
    }
    text = "\n".join(table)
    for part in ("quick", "Title [of it]", "1 – 3", "not measured: it is [not] there", "● holds"):
        assert part in text


def test_several_benchmarks_print_a_line_each_and_one_miss_decides(known, capsys):
    assert runner_cli.main(["bad", "broken", "good"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [(line["name"], line["holds"]) for line in lines] == [("bad", False), ("broken", False), ("good", True)]
    assert "boom" in lines[1]["error"]


def test_an_unknown_name_is_refused_with_those_that_there_are(known, capsys):
    assert runner_cli.main(["goood"]) == 2
    assert "no benchmark is called goood. There are: good, bad, broken" in capsys.readouterr().err
    assert runner_cli.main([]) == 2


def test_benchmarks_are_found_by_their_modules(capsys):
    found = discover()
    assert {"durability", "listing", "logging"} <= set(found)
    assert not [item.claim for item in found.values() if "cannot be imported" in item.claim]
    assert runner_cli.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(found)
