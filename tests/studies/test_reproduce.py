"""Running trials again from their record, after today's tree has changed."""

import subprocess
import sys

import pytest

from headway.core import HeadwayError, NotFound, TrialState
from headway.store import Store
from headway.studies import QuietObserver, studies_in
from headway.studies.reproduce import reproduce

STUDY = """
import random, sys, time
from pathlib import Path
import headway
import model_of_study

def load():
    return Path("data/corpus.txt").read_text()

@headway.experiment(metric="loss", setup=load, space={"kind": headway.Choice(["walk"])})
def train(run):
    return getattr(sys.modules[__name__], run.config.kind)(run)

def walk(run):
    value = model_of_study.START + len(run.setup)
    for step in run.steps(30):
        value += random.random() - 0.5
        run.log(loss=value)
        run.checkpoint({})
    run.report(loss=value)

def crash(run):
    run.log(loss=1.0)
    raise ValueError("as before")

def clock(run):
    run.log(loss=time.time())

def late(run):
    import late_of_study
    run.log(loss=late_of_study.VALUE)

def lib(run):
    run.log(loss=float(Path("/proc/self/stat").exists()))

def short(run):
    for step in run.steps(int(Path("data/count.txt").read_text())):
        run.log(loss=step)

study = headway.Study(
    train, name="study", baseline={"kind": "walk"}, sampler="grid", budget="1 trials", seeds=2, scheduler="SCHEDULER"
)
"""


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.study = folder / "experiments" / "study_of_reproduce.py"
        self.study.parent.mkdir(parents=True)
        (folder / "pyproject.toml").touch()
        for name, text in {
            "model_of_study.py": "START = 1.0\n",
            "late_of_study.py": "VALUE = 7.0\n",
            "data/corpus.txt": "some text",
            "data/count.txt": "5",
        }.items():
            (self.study.parent / name).parent.mkdir(exist_ok=True)
            (self.study.parent / name).write_text(text)

    def edit(self, name, text):
        (self.study.parent / name).write_text(text)

    def run(self, *kinds, scheduler="full"):
        """Run trials of these kinds as a user would, in another process; return their ids."""
        choices = ", ".join(repr(kind) for kind in kinds)
        text = STUDY.replace('["walk"]', f"[{choices}]").replace('{"kind": "walk"}', f'{{"kind": {kinds[0]!r}}}')
        budget = 1 + 2 + max(1, len(kinds) - 1) + 2
        text = text.replace("1 trials", f"{budget} trials").replace("SCHEDULER", scheduler)
        self.study.write_text(text)
        script = "import headway.studies as s, sys, pathlib; " \
                 "next(iter(s.studies_in(pathlib.Path(sys.argv[1])).values())).run(workers=2)"  # fmt: skip
        subprocess.run([sys.executable, "-c", script, self.study], check=True, capture_output=True)
        with Store.open(self.folder / ".headway") as store:
            found = {}
            for place in store.places.of_study(1):
                if place.trial.seed == 0:
                    found[place.trial.config.get("kind")] = place.trial
        return found

    def wreck(self):
        """Change every file, as a week of work does."""
        self.study.write_text("raise SystemExit('unfinished')\n")
        self.edit("model_of_study.py", "START = 99.0\n")
        self.edit("late_of_study.py", "VALUE = 99.0\n")
        self.edit("data/corpus.txt", "another text")
        (self.study.parent / "data" / "count.txt").unlink()

    def again(self, trial):
        with Store.open(self.folder / ".headway") as store:
            return reproduce(store, trial.id, QuietObserver())


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_trials_are_reproduced_bit_for_bit_whatever_happened_to_the_tree(project):
    trials = project.run("walk", "crash", "late", "short")
    project.wreck()
    for kind in ("walk", "crash", "late", "short"):
        found = project.again(trials[kind])
        assert found.identical, (kind, found.sentence)
        assert found.differences == ()
        assert "bit for bit" in found.sentence
        assert found.again.state == trials[kind].state
    with Store.open(project.folder / ".headway") as store:
        assert len(store.places.of_study(1)) == 8  # nothing was added to the study itself
        events = [event for event in store.events.of_trial(trials["walk"].id) if event.kind == "reproduced"]
    assert events[0].data == {"identical": True, "differences": []}


def test_what_is_not_the_same_is_named(project):
    trials = project.run("walk", "clock")
    found = project.again(trials["clock"])
    assert not found.identical
    assert any("the objective was" in item for item in found.differences)
    assert "loss differs from step 0 on" in found.differences
    assert "is not reproduced" in found.sentence


@pytest.mark.slow
def test_a_trial_that_was_stopped_early_is_stopped_again_at_the_same_step(project):
    kinds = ["walk", "late", "lib"]
    trials = project.run(*kinds, scheduler="asha(reduction=3, first=0.2)")
    project.wreck()
    for trial in trials.values():
        assert project.again(trial).identical


def test_a_file_that_was_too_large_to_keep_is_needed_as_it_was(project):
    with (project.study.parent / "data" / "corpus.txt").open("w") as file:
        file.truncate(21 * 1024 * 1024)
    trials = project.run("walk")
    assert project.again(trials["walk"]).identical
    project.edit("data/corpus.txt", "small")
    with pytest.raises(HeadwayError, match=r"corpus\.txt is needed, and it was too large to keep; today's file"):
        project.again(trials["walk"])


def test_a_file_with_secrets_is_needed_as_it_was(project):
    project.edit("model_of_study.py", "START = 1.0\nAPI_KEY = 'sk-abcdefghijklmnopqrstuvwx'\n")
    trials = project.run("walk")
    assert project.again(trials["walk"]).identical
    project.edit("model_of_study.py", "START = 1.0\n")
    with pytest.raises(HeadwayError, match=r"model_of_study\.py is needed, and secrets were taken out"):
        project.again(trials["walk"])


def test_a_trial_that_is_not_there_or_never_ran_is_named(project):
    with Store.open(project.folder / ".headway") as store:
        with pytest.raises(NotFound):
            reproduce(store, 1)
        trial = store.trials.create(store.studies.add_candidate("e", {}), 0)
        with pytest.raises(HeadwayError, match="has no manifest"):
            reproduce(store, trial)


COMMAND = """
import headway
script = headway.command("python train.py {x} --seed {seed}", metric="loss", space={"x": headway.Choice([1, 2])})
study = headway.Study(script, name="study", sampler="grid", budget="6 trials", seeds=2, baseline={"x": 1})
"""


def test_a_command_is_reproduced_in_a_copy_of_its_folder(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "study_of_command.py").write_text(COMMAND)
    (tmp_path / "helper.py").write_text("VALUE = 3\n")
    (tmp_path / "train.py").write_text(
        "import helper, random, sys\nrandom.seed(sys.argv[3])\n"
        "for step in range(5): print('loss:', helper.VALUE * int(sys.argv[1]) + random.random())\n"
    )
    words = [sys.executable, "-m", "headway", "run", "study_of_command.py", "--plain"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "helper.py").write_text("VALUE = 4\n")
    (tmp_path / "train.py").unlink()
    with Store.open(tmp_path / ".headway") as store:
        for place in store.places.of_study(1)[:2]:
            assert place.trial.state == TrialState.COMPLETE
            found = reproduce(store, place.trial.id)
            assert found.identical, found.sentence


def test_studies_are_found_in_a_file(project):
    project.study.write_text(STUDY.replace("1 trials", "9 trials").replace("SCHEDULER", "full"))
    before = list(sys.path)
    try:
        assert list(studies_in(project.study)) == ["study"]
    finally:
        sys.path[:] = before
        for name in ("study_of_reproduce", "model_of_study"):
            sys.modules.pop(name, None)
