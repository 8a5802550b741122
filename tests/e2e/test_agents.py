"""Thirty scripted ideas on the example repository, through the command line and through MCP: a verdict each."""

import csv
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from headway.sandbox import protection
from headway.store import FOLDER, Store, is_accepted
from headway.testing.repositories import committed, git

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADER = ["commit", "val_bpb", "memory_gb", "status", "description"]
PROBLEM = "" if protection().sound else str(protection())

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(PROBLEM), reason=f"nothing would hold untrusted code here: {PROBLEM}"),
]


@pytest.fixture
def repository(tmp_path):
    """Copy the example, as git knows it."""
    root = tmp_path / "autoresearch"
    shutil.copytree(EXAMPLES / "autoresearch", root, ignore=shutil.ignore_patterns("__pycache__"))
    return committed(root)


@pytest.mark.parametrize("way", ["by_cli.py", "by_mcp.py"])
def test_thirty_ideas_get_a_verdict_each_and_the_branch_holds_what_was_accepted(repository, way):
    words = ["run", ".", "--workers", "2", "--study", "night", "--tag", "t", "--time-limit", "10", "--plain"]
    engine = start(repository, *words)
    try:
        until(lambda: (repository / FOLDER / "store.sqlite").exists() and known(repository))
        agent = [sys.executable, str(EXAMPLES / "agents" / way), "night"]
        ended = subprocess.run(agent, cwd=repository, capture_output=True, text=True, check=False, timeout=600)
    finally:
        engine.send_signal(signal.SIGINT)
        engine.wait(60)
    assert ended.returncode == 0, ended.stderr
    assert "not proposed" not in ended.stdout
    verdicts = re.findall(r"^(\w+) +(.+?): (accepted|rejected|undecided|identical|flagged|failed)", ended.stdout, re.M)
    assert len(verdicts) == 30
    found = {note: (kind, decision) for kind, note, decision in verdicts}
    assert len(found) == 30
    by_kind = {kind: Counter(d for k, d in found.values() if k == kind) for kind in {k for k, _ in found.values()}}
    assert by_kind["good"]["accepted"] >= 2, by_kind
    assert set(by_kind["null"]) <= {"identical", "rejected"}, by_kind
    assert by_kind["null"]["identical"] >= 2, by_kind
    assert set(by_kind["harmful"]) <= {"rejected", "failed"}, by_kind
    assert set(by_kind["crash"]) == set(by_kind["hang"]) == {"failed"}, by_kind
    assert set(by_kind["cheat"]) <= {"flagged", "failed"}, by_kind

    with Store.open(repository / FOLDER, create=False) as store:
        study = store.studies.get("night")
        accepted = [item for item in store.studies.verdicts(study.id) if is_accepted(item.decision)]
        notes = {item.candidate: store.studies.proposal_of(study.id, item.candidate) for item in accepted}
    assert {item.decision for item in accepted} == {"accepted (as printed)"}
    subjects = git(repository, "log", "--format=%s", "autoresearch/t").splitlines()
    assert subjects == [*(proposal.note for proposal in reversed(notes.values()) if proposal), "baseline"]
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "worktree", "list").count("\n") == 1

    rows = list(csv.reader((repository / "results.tsv").read_text().splitlines(), delimiter="\t"))
    assert rows[0] == HEADER
    assert all(len(row) == 5 and re.fullmatch(r"[0-9a-f]{7}", row[0]) for row in rows[1:])
    assert rows[1][3:] == ["keep", "baseline"]
    assert [row[4] for row in rows[2:] if row[3] == "keep"] == list(reversed(subjects[:-1]))
    assert all(float(row[1]) == 0 for row in rows[1:] if row[3] == "crash")
    assert len(rows) == 2 + 30
    for row in rows[1:]:
        assert git(repository, "cat-file", "-t", row[0]).strip() == "commit"


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "headway", *words]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )


def known(folder: Path) -> bool:
    with Store.open(folder / FOLDER, create=False) as store:
        return bool(store.studies.all())


def until(holds, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
