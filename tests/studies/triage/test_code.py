"""Candidates that change code: who proposed what failed, in which file, and which change the failures share."""

import pytest

from headway.core import Reason, Role, TrialState, canonical_json
from headway.store import FOLDER, Store
from headway.studies.triage import triage
from tests.studies.triage.present import some

TREE = "{root}/.headway/runs/{trial}/1/work/tree"
TRACE = """step 1 | loss: 3
Traceback (most recent call last):
  File "{tree}/train.py", line {line}, in <module>
    print(loss({line}))
  File "{tree}/train.py", line {line}, in loss
    return {source}
NameError: name '{name}' is not defined
"""


class Board:
    """A repository's study on paper: candidates with a change, and how their trials ended."""

    def __init__(self, folder):
        self.store = Store.open(folder / FOLDER)
        self.study = self.store.studies.create(
            name="net", definition={"repository": {}, "baseline": {}, "space": {"parameters": {}, "constants": {}}},
            settings={}, source=".", experiment="e" * 20, metric="loss", direction="minimize",
        )  # fmt: skip
        self.count = 0

    def ended(self, proposer, files, *, trace=None, reason=Reason.EXCEPTION, message="", step=None):
        self.count += 1
        patch = canonical_json(dict.fromkeys(files, f"# {self.count}\n"))
        candidate = self.store.studies.add_candidate("e" * 20, {}, patch)
        self.store.studies.propose(self.study.id, self.count, candidate, proposer)
        trial = self.store.trials.create(candidate, 0)
        self.store.places.add(self.study.id, trial, Role.SEARCH, self.count, reused=False)
        attempt = self.store.trials.begin(trial, self.study.id, f"runs/{trial}/1", {})
        self.store.trials.end_attempt(attempt, "x", wall_seconds=2.0, cpu_seconds=1.0, peak_memory_bytes=2**20)
        if trace is None and not message:
            self.store.trials.end(trial, TrialState.COMPLETE, value=1.0)
            return
        if trace is not None:
            tree = TREE.format(root=self.store.folder.parent, trial=trial)
            text = TRACE.format(tree=tree, line=5 + self.count, **trace)
            self.store.events.add("failed", study=self.study.id, trial=trial, traceback=text)
            message = text.splitlines()[-1]
        self.store.trials.end(trial, TrialState.FAILED, reason=reason, message=message, step=step, horizon=10)


@pytest.fixture
def board(tmp_path):
    made = Board(tmp_path)
    yield made
    made.store.close()


def test_one_mistake_of_two_authors_is_one_cause_with_both_of_them(board):
    for proposer, factor in (("codex", 2), ("claude", 3), ("codex", 5)):
        board.ended(proposer, ["train.py"], trace={"source": f"shape * {factor}", "name": "shape"})
    board.ended("claude", ["train.py"], trace={"source": "mask * 2", "name": "mask"})
    first, second = sorted(triage(board.store).groups, key=lambda group: -len(group.cause.cases))
    assert first.proposers == {"codex": 2, "claude": 1}
    assert [item["number"] for item in first.candidates] == [1, 2, 3]
    assert {tuple(item["changes"]) for item in first.candidates} == {("train.py",)}
    assert (some(first.cause.frame).file, some(first.cause.frame).function) == ("train.py", "loss")
    assert first.smallest.files == ("train.py",)
    assert "propose it again" in first.advice[0].text
    assert len(second.cause.cases) == 1


def test_the_trees_of_trials_are_no_part_of_what_is_shown(board):
    board.ended("codex", ["train.py"], trace={"source": "shape", "name": "shape"})
    (group,) = triage(board.store).groups
    assert 'File "train.py", line 6' in group.traceback
    assert "work/tree" not in group.traceback


def test_a_change_that_the_failures_share_is_the_rule(board):
    for number in range(12):
        board.ended(
            "codex", ["model.py", "train.py"][: 1 + number % 2], message="It used too much.", reason=Reason.MEMORY
        )
        board.ended("claude", ["train.py"])
        board.ended("codex", ["train.py"])
    (group,) = triage(board.store).groups
    assert some(group.rule).text == "the candidate changes model.py"
    assert (some(group.rule).hits, some(group.rule).inside, some(group.rule).missed) == (12, 12, 0)


def test_an_author_whose_candidates_fail_is_named(board):
    for _ in range(14):
        board.ended("codex", ["train.py"], message="It ran longer than 2 s.", reason=Reason.WALL_TIME)
        board.ended("claude", ["train.py"])
    (group,) = triage(board.store).groups
    assert some(group.rule).parameters == ("proposed by",)


def test_limits_met_before_within_and_behind_the_loop_are_three_causes(board):
    for step in (None, 4, 7, 10):
        board.ended("codex", ["train.py"], message="It ran longer than 2 s.", reason=Reason.WALL_TIME, step=step)
    assert sorted(len(group.cause.cases) for group in triage(board.store).groups) == [1, 1, 2]
