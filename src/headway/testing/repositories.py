"""The contract of layouts through the engine: inherit from `RepositoryConformance`, and pytest tests every point.

class TestMyLayout(RepositoryConformance):
    ...                                     # what LayoutConformance asks for, and
    start = "weights = [0.0] * SIZE"        # a line that each trial reaches: statements are put before it
    harmful = ("STEPS = 400", "STEPS = 1")
    no_numbers = (("print(loss)", "print('loss: inf')"), ("print(loss)", "print('loss: low')"))
    curve = "loss"

The example is committed to a repository of its own, all changes are proposed to one study, and the tests look at what
became of each. Trials run in the sandbox.
"""

import contextlib
import hashlib
import math
import os
import subprocess
import time
from abc import ABC
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from headway.core import Role, TrialState, UsageError
from headway.experiments.layouts import find_layout
from headway.store import Claim, Store, StudyRecord, TrialRecord, VerdictRecord
from headway.studies.from_folder import repository_study
from headway.studies.repositories import Change, change_of
from headway.studies.session import record_of
from headway.testing.layouts import LayoutConformance, copy_repository, run_steps

__all__ = ["Edit", "Outcome", "RepositoryConformance", "committed", "edited", "git", "proposed", "studied"]

Edit = tuple[str, str]
"""Text that stands once in the editable file, and text for its place."""

_TAG, _STUDY = "contract", "contract"
_MARK = "86399.75"  # seconds that a process sleeps which a trial leaves behind: no other sleeps so long
_IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost", "GIT_COMMITTER_NAME": "A"} | {
    "GIT_COMMITTER_EMAIL": "a@localhost"
}
_WORKERS = 3  # one of them mostly waits for the trial that hangs
_SLACK_SECONDS = 8.0  # for laying out the tree and for ending it, on a busy machine


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Hold a study that has ended: its store, its repository, and what became of each change that was proposed."""

    repository: Path
    store: Store
    record: StudyRecord
    candidates: Mapping[str, str]
    before: Mapping[str, str]

    def verdict(self, name: str) -> VerdictRecord:
        """Return the verdict on a change, that of its successor where it was moved onto what was accepted."""
        candidate = self.candidates[name]
        found = self.store.studies.verdict(self.record.id, candidate)
        while found is not None and found.decision == "rebased":
            candidate = str(found.data["as"])
            found = self.store.studies.verdict(self.record.id, candidate)
        assert found is not None, f"{name} has no verdict"
        return found

    def first(self, name: str) -> TrialRecord:
        """Return the first trial of a change that has its verdict."""
        return self.trials(self.verdict(name).candidate)[0]

    def trials(self, candidate: str) -> Sequence[TrialRecord]:
        """Return the trials of a candidate, in the order in which they began."""
        places = self.store.places.of_candidate(self.record.id, candidate)
        return sorted((place.trial for place in places), key=lambda trial: trial.id)

    def after(self) -> Mapping[str, str]:
        """Return the user's files and branch as they are now, to be compared with `before`; not the layout's ledger."""
        ledger = find_layout(self.repository).ledger
        return {name: text for name, text in _state(self.repository) if name != ledger}

    @property
    def baseline(self) -> str:
        """Return the untouched repository's candidate."""
        return self.store.studies.proposals(self.record.id, [0])[0].candidate


def committed(folder: Path) -> Path:
    """Make a folder a git repository with one commit of all that is not ignored, and return it."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "baseline")
    return folder


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, and return what it says."""
    command = ["git", "-c", "core.autocrlf=false", *words]
    ended = subprocess.run(command, cwd=folder, env=os.environ | _IDENTITY, capture_output=True, text=True, check=True)
    return ended.stdout


def proposed(store: Store, record: StudyRecord, *, files: Mapping[str, str], note: str) -> tuple[Claim, Change]:
    """Propose new texts of files to a study of a repository."""
    change = change_of(store, record, files=files)
    made = store.claims.claim(
        record, change.config, patch=change.patch, proposer="contract", parents=(change.parent,), note=note
    )
    return made, change


def edited(source: str, edit: Edit) -> str:
    """Return a text with an edit made in it; fail where what is to be replaced does not stand there once."""
    old, new = edit
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times; once is needed"
    return source.replace(old, new)


@contextlib.contextmanager
def studied(
    tree: Path,
    store: Path,
    ideas: Mapping[str, Mapping[str, str]],
    *,
    seeds: int = 2,
    time_limit: float | None = None,
    unsafe: bool = False,
) -> Generator[Outcome]:
    """Run a study of the repository at `tree` with ideas, each the new texts of files, and give what came of it.

    Ideas run in their order. The study ends when none is left.
    """
    before = dict(_state(tree))
    study = repository_study(
        tree, store, tag=_TAG, name=_STUDY, seeds=seeds, time_limit=time_limit, unsafe=unsafe, close_after=0
    )
    with Store.open(store) as opened:
        record = record_of(opened, study)
        made = {name: proposed(opened, record, files=files, note=f"try {name}")[0] for name, files in ideas.items()}
    study.run(store=store, workers=_WORKERS)
    with Store.open(store) as opened:
        candidates = {name: claim.candidate for name, claim in made.items()}
        yield Outcome(repository=tree, store=opened, record=record, candidates=candidates, before=before)


class RepositoryConformance(LayoutConformance, ABC):
    """Test a layout against its contract, as `LayoutConformance` does, and through the engine."""

    start: ClassVar[str]
    """The beginning of a line, with its indentation, that each trial of the editable file reaches."""
    harmful: ClassVar[Edit]
    """A change with a score that is worse by far."""
    no_numbers: ClassVar[Sequence[Edit]]
    """Changes by which the metric becomes infinity, or a text."""
    refused: ClassVar[Mapping[str, tuple[Edit, str, str]]] = {}
    """Changes that the layout's own rules refuse, by name: each with the decision, and words of the verdict."""
    stale: ClassVar[Mapping[str, str]] = {}
    """Files as an earlier run would have left them, by path, with a very good score."""
    curve: ClassVar[str | None] = None
    """A metric of its progress lines, where it prints such."""
    seconds: ClassVar[float] = 2.0
    """The limit of a trial; the example takes much less."""
    seeds: ClassVar[int] = 6
    """The pairs of a verdict."""

    @pytest.fixture(scope="class")
    @classmethod
    def outcome(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
        """Run a study of the example, with all changes proposed to it, to its end."""
        folder = tmp_path_factory.mktemp(cls.__name__)
        tree = copy_repository(cls.example, folder / "repository")
        cls().shorten(tree)
        for name, text in cls.stale.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        committed(tree)
        (tree / "notes of mine.txt").write_text("untracked\n")
        source = (tree / cls.editable).read_bytes().decode()
        ideas = {name: {cls.editable: edited(source, edit)} for name, edit in cls._ideas().items()}
        with studied(tree, folder / "store", ideas, seeds=cls.seeds, time_limit=cls.seconds) as outcome:
            yield outcome

    def test_the_baseline_runs_first_and_gives_what_its_command_gives_by_hand(
        self, outcome: Outcome, tmp_path: Path
    ) -> None:
        first = outcome.trials(outcome.baseline)[0]
        assert (first.id, first.state, first.reason) == (1, TrialState.COMPLETE, None)
        tree = copy_repository(outcome.repository, tmp_path / "tree")
        by_hand = run_steps(find_layout(tree), tree, tmp_path / "results", seed=first.seed)
        assert first.value == by_hand.value

    def test_a_good_change_is_accepted_with_how_far_it_is_trusted(self, outcome: Outcome) -> None:
        found = outcome.verdict("better")
        assert found.decision == f"accepted ({self.trust})", found.sentence
        assert f"({self.trust})" in found.sentence
        assert found.data["trust"] == self.trust
        roles = [
            place.role for place in outcome.store.places.of_candidate(outcome.record.id, outcome.candidates["better"])
        ]
        assert roles.count(Role.CONFIRM) == self.seeds

    def test_a_change_of_nothing_is_identical(self, outcome: Outcome) -> None:
        assert outcome.verdict("null").decision == "identical", outcome.verdict("null").sentence

    def test_a_harmful_change_is_rejected(self, outcome: Outcome) -> None:
        assert outcome.verdict("harmful").decision == "rejected", outcome.verdict("harmful").sentence

    def test_a_crash_is_told_with_the_exception(self, outcome: Outcome) -> None:
        found = outcome.verdict("crash")
        assert found.decision == "failed"
        assert "RuntimeError" in found.sentence
        assert "on purpose" in found.sentence

    def test_a_hang_is_ended_at_its_limit_with_all_that_it_started(self, outcome: Outcome) -> None:
        found, trial = outcome.verdict("hang"), outcome.first("hang")
        assert found.decision == "failed"
        assert "time limit" in found.sentence
        assert self.seconds <= trial.wall_seconds < self.seconds + _SLACK_SECONDS
        assert not list(_sleepers())

    def test_what_is_no_finite_number_is_no_score(self, outcome: Outcome) -> None:
        names = [name for name in outcome.candidates if name.startswith("no number")]
        assert len(names) == 1 + len(self.no_numbers)
        for name in names:
            assert outcome.verdict(name).decision == "failed", outcome.verdict(name).sentence
            assert outcome.first(name).value is None

    def test_an_early_exit_finds_no_old_result(self, outcome: Outcome) -> None:
        assert outcome.verdict("early exit").decision == "failed"
        assert outcome.first("early exit").value is None
        kept = [trial.value for trial in outcome.trials(outcome.baseline) if trial.value is not None]
        assert all(math.isfinite(value) for value in kept)

    def test_what_the_layout_refuses_is_told(self, outcome: Outcome) -> None:
        for name, (_, decision, words) in self.refused.items():
            found = outcome.verdict(name)
            assert found.decision == decision, found.sentence
            assert words in found.sentence

    def test_a_read_only_file_is_refused_when_it_is_proposed(self, outcome: Outcome) -> None:
        before = outcome.store.studies.count_proposals(outcome.record.id)
        with pytest.raises(UsageError, match=self.read_only.replace(".", r"\.")):
            proposed(outcome.store, outcome.record, files={self.read_only: "x = 1\n"}, note="a better score")
        assert outcome.store.studies.count_proposals(outcome.record.id) == before

    def test_turning_a_constant_is_a_configuration(self, outcome: Outcome) -> None:
        layout = find_layout(outcome.repository)
        sources = layout.sources()
        knobs = layout.knobs(sources)
        name, parameter = next(iter(knobs.space.parameters.items()))
        value = next(item for u in (0.1, 0.9, 0.5) if (item := parameter.at(u)) != knobs.values[name])
        files = knobs.write(sources, {name: value})
        change = change_of(outcome.store, outcome.record, files=files, parent=outcome.baseline)
        assert (change.kind, change.patch) == ("knobs", None)
        assert change.config == {**knobs.values, name: value}

    def test_the_learning_curve_and_the_memory_are_recorded(self, outcome: Outcome) -> None:
        first = outcome.trials(outcome.baseline)[0]
        if self.curve is not None:
            curve = outcome.store.curves.read(first.id)[self.curve]
            assert len(curve.steps) > 1
            assert list(curve.steps) == sorted(set(curve.steps))
        memory = find_layout(outcome.repository).memory_metric
        assert memory is None or first.metrics[memory] > 1.0

    def test_the_users_files_and_branches_stay_as_they_were(self, outcome: Outcome) -> None:
        assert outcome.after() == outcome.before
        assert git(outcome.repository, "worktree", "list").count("\n") == 1
        assert not list((outcome.store.folder / "live").rglob("tree"))

    def test_the_branch_holds_what_was_accepted_and_nothing_else(self, outcome: Outcome) -> None:
        branch = f"{find_layout(outcome.repository).branch_prefix}{_TAG}"
        subjects = git(outcome.repository, "log", "--format=%s", branch).splitlines()
        assert subjects == ["try better", "baseline"]
        assert git(outcome.repository, "diff", "--name-only", "main", branch).split("\n")[:-1] == [self.editable]
        text = git(outcome.repository, "show", f"{branch}:{self.editable}")
        assert text == edited((outcome.repository / self.editable).read_text(), self.changes.better)

    @classmethod
    def _ideas(cls) -> Mapping[str, Edit]:
        """Return the changes by name; the one that is accepted comes last, so that none has to be moved onto it."""
        given = enumerate((cls.changes.not_a_number, *cls.no_numbers))
        return {
            "hang": cls._before(
                "import subprocess, time",
                f"subprocess.Popen(['sleep', '{_MARK}'], start_new_session=True)",
                "time.sleep(10_000)",
            ),
            "null": cls._before("# A remark that changes nothing."),
            "crash": cls._before("raise RuntimeError('on purpose')"),
            "early exit": cls._before("import os", "os._exit(0)"),
            **{f"no number {index}": edit for index, edit in given},
            **{name: edit for name, (edit, _, _) in cls.refused.items()},
            "harmful": cls.harmful,
            "better": cls.changes.better,
        }

    @classmethod
    def _before(cls, *statements: str) -> Edit:
        indentation = cls.start[: len(cls.start) - len(cls.start.lstrip())]
        return cls.start, "".join(f"{indentation}{line}\n" for line in statements) + cls.start


def _state(tree: Path) -> Iterator[tuple[str, str]]:
    """Yield what a user would miss: the content of the files, where HEAD and its branch stand, what is staged."""
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if path.is_file() and not name.startswith(".git/"):
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()
    if (tree / ".git").is_dir():
        yield "HEAD", (tree / ".git" / "HEAD").read_text()
        yield "commit", git(tree, "rev-parse", "HEAD")
        yield "staged", git(tree, "diff", "--cached", "--stat")


def _sleepers() -> Iterator[int]:
    """Yield the processes that a trial left, once they had a moment to go."""
    time.sleep(0.1)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if _MARK.encode() in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)
        except OSError:
            continue
