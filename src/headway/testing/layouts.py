"""The conformance suite for repository layouts: inherit from `LayoutConformance`, and pytest tests every point.

class TestMyLayout(LayoutConformance):
    name = "mine"
    example = Path(__file__).parent / "example"
    editable, read_only = "train.py", "data.py"
    changes = Changes(
        better=("STEPS = 40", "STEPS = 400"),
        crash=("import data", "raise RuntimeError('on purpose')"),
        silent=("print(loss)", "pass"),
        not_a_number=("print(loss)", "print('loss: nan')"),
    )

Every command of the example is run for real, in a copy of it; an example takes a second at most.
"""

import math
import os
import shutil
import signal
import subprocess
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from headway.core import Reason, UsageError, better
from headway.engine.progress import Follower
from headway.engine.spec import AttemptSpec
from headway.engine.worker import perform
from headway.experiments import Standing
from headway.experiments.layouts import (
    Finished,
    Layout,
    Reading,
    SearchReplace,
    Step,
    Trust,
    UnifiedDiff,
    WholeFiles,
    find_layout,
    written_seed,
)
from headway.experiments.repositories import RepositoryExperiment, base_of
from headway.sandbox import protection

__all__ = ["Changes", "LayoutConformance", "Performed", "copy_repository", "perform_trial", "run_steps"]

_OTHER_SEED = 7
_LEFT_BY_RUNS = shutil.ignore_patterns("run.log", "results.tsv", "__pycache__", ".venv", "uv.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Hold changes to the example's editable file, each as text that stands there once and text for its place.

    `better` reaches a better score; `crash` ends with an exception; `silent` ends well without the metric;
    `not_a_number` ends well with NaN in its place.
    """

    better: tuple[str, str]
    crash: tuple[str, str]
    silent: tuple[str, str]
    not_a_number: tuple[str, str]


def copy_repository(example: Path, folder: Path) -> Path:
    """Copy an example without what runs left in it, and return the copy."""
    shutil.copytree(example, folder, ignore=_LEFT_BY_RUNS)
    return folder


def run_steps(layout: Layout, tree: Path, results: Path, *, seed: int = 0) -> Reading:
    """Run a trial's steps in `tree` as the contract says, without any protection, and return the reading."""
    layout.begin(tree, results)
    finished: list[Finished] = []
    for step in layout.steps(tree, results, seed=seed):
        if finished and not layout.goes_on(finished, results):
            break
        finished.append(_run(step, tree))
    return layout.read(finished, tree, results)


def _run(step: Step, tree: Path) -> Finished:
    process = subprocess.Popen(
        step.words,
        cwd=tree,
        env=os.environ | dict(step.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, late = process.communicate(timeout=step.wall_seconds)[0], False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, late = process.communicate()[0], True
    if step.log is not None:
        (tree / step.log).write_bytes(output)
    text = output.decode(errors="replace")
    return Finished(step=step.name, code=process.returncode, output=text, timed_out=late)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """Hold what a trial came to: what it reported, or the reason and the words of its failure."""

    reported: Mapping[str, float]
    reason: str = ""
    message: str = ""


def perform_trial(
    experiment: RepositoryExperiment, folder: Path, patch: Mapping[str, str], *, seed: int, standing: Standing | None
) -> Performed:
    """Perform a trial in this process as a worker does: by `standing`, or without it by the layout's steps."""
    folder.mkdir(parents=True)
    spec = AttemptSpec(
        attempt=1,
        trial=1,
        config={},
        seed=seed,
        folder=str(folder),
        checkpoints=str(folder / "checkpoints"),
        threads=1,
        patch=patch,
    )
    perform(experiment, spec, standing)
    follower = Follower(folder, many=True)
    follower.poll()
    follower.close()
    failure = follower.progress.failure or {"reason": "", "message": ""}
    return Performed(
        reported=dict(follower.progress.reported), reason=str(failure["reason"]), message=str(failure["message"])
    )


class LayoutConformance(ABC):
    """Test a layout against the contract of `headway.experiments.layouts.Layout`, on an example of it."""

    name: ClassVar[str]
    """The layout's name."""
    example: ClassVar[Path]
    """A small repository of this layout."""
    editable: ClassVar[str]
    """The file that `changes` are for."""
    read_only: ClassVar[str]
    """A file that no proposal may change."""
    changes: ClassVar[Changes]
    trust: ClassVar[Trust] = "as printed"

    def shorten(self, tree: Path) -> None:
        """Make the copy of the example quicker, where it needs that."""
        del tree

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        """Return a copy of the example."""
        tree = copy_repository(self.example, tmp_path / "tree")
        self.shorten(tree)
        return tree

    @pytest.fixture
    def results(self, tmp_path: Path) -> Path:
        """Return the folder of the attempt, which is not there yet."""
        return tmp_path / "results"

    def test_it_is_found_by_its_files(self, tree: Path, tmp_path: Path) -> None:
        assert find_layout(tree).name == self.name
        (tmp_path / "empty").mkdir()
        with pytest.raises(UsageError, match="looked for"):
            find_layout(tmp_path / "empty")

    def test_the_description_is_whole(self, tree: Path, results: Path) -> None:
        layout = find_layout(tree)
        steps = layout.steps(tree, results)
        assert layout.metric
        assert layout.direction in ("minimize", "maximize")
        assert layout.trust == self.trust
        assert {step.kind for step in steps} <= {"check", "evaluate", "score"}
        assert len({step.name for step in steps}) == len(steps)
        assert all(0 < step.wall_seconds < math.inf and shutil.which(step.words[0]) for step in steps)
        assert (self.trust == "guarded") == (steps[-1].kind == "score")
        assert layout.sources()[self.editable] == (tree / self.editable).read_text()
        assert self.read_only not in layout.sources()

    def test_the_untouched_baseline_runs_and_its_result_is_read(self, tree: Path, results: Path) -> None:
        layout = find_layout(tree)
        reading = run_steps(layout, tree, results)
        assert reading.problem is None, reading.why
        assert reading.value is not None
        assert math.isfinite(reading.value)
        assert layout.metric in reading.metrics
        assert (layout.memory_metric is None) == (reading.memory_mb is None)
        assert run_steps(layout, tree, results).value == reading.value

    def test_a_good_patch_has_a_better_score(self, tree: Path, results: Path) -> None:
        layout = find_layout(tree)
        before = run_steps(layout, tree, results).value
        self._change(layout, tree, self.changes.better)
        after = run_steps(layout, tree, results)
        assert before is not None
        assert after.value is not None, after.why
        assert better(after.value, before, layout.direction)

    def test_a_crash_has_no_score(self, tree: Path, results: Path) -> None:
        reading = self._reading_of(self.changes.crash, tree, results)
        assert (reading.value, reading.problem) == (None, Reason.EXCEPTION)
        assert "exit code" in reading.why or "not correct" in reading.why

    def test_a_missing_metric_is_named(self, tree: Path, results: Path) -> None:
        reading = self._reading_of(self.changes.silent, tree, results)
        assert (reading.value, reading.problem) == (None, Reason.NO_METRIC)
        assert find_layout(tree).metric in reading.why

    def test_nan_is_no_score(self, tree: Path, results: Path) -> None:
        reading = self._reading_of(self.changes.not_a_number, tree, results)
        assert (reading.value, reading.problem) == (None, Reason.NOT_FINITE)

    def test_the_result_of_an_earlier_run_is_never_read(self, tree: Path, results: Path) -> None:
        layout = find_layout(tree)
        assert run_steps(layout, tree, results).problem is None
        self._change(layout, tree, self.changes.silent)
        assert run_steps(layout, tree, results).value is None
        assert layout.read([], tree, results).value is None
        (results / "of an earlier run").write_text("x")
        layout.begin(tree, results)
        assert list(results.iterdir()) == []
        assert not any((tree / name).exists() for name in layout.leftovers)

    def test_a_run_that_was_ended_at_its_limit_has_no_score(self, tree: Path, results: Path) -> None:
        layout = find_layout(tree)
        layout.begin(tree, results)
        steps = layout.steps(tree, results)
        ended = [replace(_run(step, tree), timed_out=True, code=-signal.SIGKILL) for step in steps[:1]]
        reading = layout.read(ended, tree, results)
        assert (reading.value, reading.problem) == (None, Reason.WALL_TIME)
        assert not layout.goes_on(ended, results)

    def test_files_that_are_not_editable_are_refused_by_name(self, tree: Path) -> None:
        layout = find_layout(tree)
        for path in (self.read_only, ".git/config", "headway.toml"):
            with pytest.raises(UsageError, match=path.replace(".", r"\.")):
                layout.apply(WholeFiles({path: "x = 1\n"}))
        diff = f"--- a/{self.read_only}\n+++ b/{self.read_only}\n@@ -1 +1 @@\n-a\n+b\n"
        with pytest.raises(UsageError, match=self.read_only):
            layout.apply(UnifiedDiff(diff))
        for path in ("../outside.py", "/etc/passwd", "", "a\\b.py"):
            with pytest.raises(UsageError, match="inside the repository"):
                layout.apply(WholeFiles({path: "x = 1\n"}))

    def test_a_block_that_does_not_match_is_named(self, tree: Path) -> None:
        layout = find_layout(tree)
        source, (old, new) = layout.sources()[self.editable], self.changes.better
        line = next(line for line in source.splitlines() if old.splitlines()[0] in line)
        good = _block(line, line.replace(old, new))
        assert source.count(line) == 1
        assert layout.apply(SearchReplace(self.editable, good)) == self._changed(layout, tree, self.changes.better)
        with pytest.raises(UsageError, match="Block 2 of 2 does not match"):
            layout.apply(SearchReplace(self.editable, good + _block("these lines = 'are not there'", "x")))

    def test_knobs_are_read_and_written_back_and_recognised(self, tree: Path) -> None:
        layout = find_layout(tree)
        sources = layout.sources()
        knobs = layout.knobs(sources)
        assert len(knobs.space.parameters) > 0
        assert knobs.space.check(knobs.values) == dict(sorted(knobs.values.items()))
        assert knobs.write(sources, knobs.values) == {}
        for u in (0.01, 0.35, 0.99):
            config = knobs.space.at(dict.fromkeys(knobs.space.parameters, u))
            changed = knobs.write(sources, config)
            again = layout.knobs(sources | changed)
            assert {name: again.places[name][1].value for name in config} == config
            turned = {name: value for name, value in config.items() if _other(value, knobs.values[name])}
            assert knobs.turned(sources, changed) == turned
            assert knobs.turned(sources, again.write({**sources, **changed}, knobs.values)) == {}
        assert knobs.turned(sources, self._changed(layout, tree, self.changes.crash)) is None

    def test_a_seed_in_the_code_is_rewritten(self, tree: Path, results: Path) -> None:
        layout = find_layout(tree)
        sources = layout.sources()
        seeded = layout.with_seed(sources, _OTHER_SEED)
        assert seeded is not None
        assert seeded.rewritten
        assert {written_seed(text) for text in seeded.files.values()} == {_OTHER_SEED}
        original = next(seed for text in sources.values() if (seed := written_seed(text)) is not None)
        back = layout.with_seed(sources | dict(seeded.files), original)
        assert back is not None
        assert {**sources, **back.files} == sources
        before = run_steps(layout, tree, results, seed=1)
        _write(tree, seeded.files)
        after = run_steps(layout, tree, results, seed=2)
        assert after.problem is None, after.why
        assert after.value != before.value

    def test_an_evaluator_that_stays_loaded_gives_what_the_steps_give(self, tree: Path, tmp_path: Path) -> None:
        layout = find_layout(tree)
        base = base_of(tree, tmp_path / "store")
        experiment = RepositoryExperiment.of(layout, base, base.sources(layout.files))
        if not experiment.standing:
            pytest.skip("its trials have commands of their own")
        if problem := protection().problem:
            pytest.skip(f"no sandbox on this machine: {problem}")
        ideas = (None, self.changes.better, self.changes.crash, self.changes.silent, self.changes.not_a_number)
        with experiment.stand(tmp_path / "standing") as standing:
            for number, change in enumerate(ideas):
                patch = dict[str, str]() if change is None else self._changed(layout, tree, change)
                ways = {"warm": standing, "by steps": None}
                warm, by_steps = (
                    perform_trial(experiment, tmp_path / f"{way} {number}", patch, seed=_OTHER_SEED, standing=held)
                    for way, held in ways.items()
                )
                assert (warm.reported, warm.reason) == (by_steps.reported, by_steps.reason)
            assert standing.cpu_seconds > 0  # it was used

    def _reading_of(self, change: tuple[str, str], tree: Path, results: Path) -> Reading:
        layout = find_layout(tree)
        self._change(layout, tree, change)
        return run_steps(layout, tree, results)

    def _change(self, layout: Layout, tree: Path, change: tuple[str, str]) -> None:
        _write(tree, self._changed(layout, tree, change))

    def _changed(self, layout: Layout, tree: Path, change: tuple[str, str]) -> Mapping[str, str]:
        source, (old, new) = layout.sources(tree)[self.editable], change
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {self.editable}; once is needed"
        return layout.apply(WholeFiles({self.editable: source.replace(old, new)}), tree)


def _block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


def _other(left: object, right: object) -> bool:
    return (type(left), left) != (type(right), right)


def _write(tree: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (tree / path).write_bytes(text.encode())
