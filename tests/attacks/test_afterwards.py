"""What is left when a study has run whose candidates tried everything."""

import os
from pathlib import Path

from tests.attacks.arena import Arena, git
from tests.attacks.guarded import worth


def test_no_process_of_the_study_lives(guarded: Arena):
    assert guarded.living == []


def test_nothing_was_written_around_the_store_but_objects_and_refs_of_git(guarded: Arena):
    made = ("objects/", "refs/heads/headway", "refs/headway", "logs/refs/heads/headway", "worktrees")
    assert {
        path for path in guarded.changed if not path.startswith(tuple(f"repository/.git/{name}" for name in made))
    } == set()


def test_git_ran_no_program_that_the_repository_names(guarded: Arena):
    """Hooks and filters stand in its configuration, and would each leave a file."""
    assert not (guarded.folder / "elsewhere" / "evil").exists()


def test_the_work_tree_and_its_head_are_untouched_and_no_worktree_is_left(guarded: Arena):
    assert git(guarded.repository, "status", "--porcelain", "--ignored") == ""
    assert git(guarded.repository, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(guarded.repository, "log", "--format=%s", "main") == "First"
    assert len(git(guarded.repository, "worktree", "list").splitlines()) == 1
    assert list(guarded.store.glob("runs/*/*/work")) == []


def test_the_branch_holds_the_honest_improvement_alone(guarded: Arena):
    assert git(guarded.repository, "log", "--format=%s", "headway/arena").splitlines() == ["good", "First"]
    assert "STEPS = 40" in git(guarded.repository, "show", "headway/arena:train.py")


def test_no_control_group_is_left():
    groups = [
        path for root in ("memory", "pids", "cpuacct") for path in Path("/sys/fs/cgroup", root).rglob("headway-*")
    ]
    own = [path for path in groups if f"-{os.getpid()}-" in path.name]
    assert own == []


def test_what_verdicts_say_can_be_shown_in_a_terminal(guarded: Arena):
    for name in guarded.proposed:
        told = guarded.told(name)
        assert told.sentence.isprintable(), (name, told.sentence)
        assert all(trial.message.isprintable() for trial in told.trials), name


def test_the_baseline_was_measured_as_it_is(guarded: Arena):
    baseline = guarded.told("good").verdict.baseline
    values = guarded.of_candidate(baseline).values
    assert all(value == worth(seed) for seed, value in values.items())
    assert len(values) >= 4
