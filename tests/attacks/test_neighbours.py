"""What one study may do to another in the same store."""

import multiprocessing
import time
from pathlib import Path

import pytest

from headway.core import TrialState
from headway.store import Store
from tests.attacks.arena import Arena
from tests.attacks.tiny import GUARDED

pytestmark = [pytest.mark.usefixtures("protected"), pytest.mark.slow]


def test_a_study_that_begins_leaves_the_running_trees_of_another_alone(tmp_path: Path):
    slow = GUARDED["train.py"].replace("# before\n", "import time\ntime.sleep(2)\n")
    arena = Arena.lay_out(tmp_path, {**GUARDED, "train.py": slow})
    engines = [multiprocessing.get_context("spawn").Process(target=_run, args=(arena, name)) for name in ("one", "two")]
    for engine in engines:
        engine.start()
        time.sleep(1.5)
    for engine in engines:
        engine.join(60)
    with Store.open(arena.store, create=False) as store:
        trials = [place.trial for study in store.studies.all() for place in store.places.of_study(study.id)]
    assert [(trial.state, trial.message) for trial in trials] == [(TrialState.COMPLETE, "")] * len(trials)


def _run(arena: Arena, name: str) -> None:
    arena.run(arena.study(name=name, tag=name))
