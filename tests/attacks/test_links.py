"""A repository whose own link leads to files of its user: no run removes, moves or replaces what lies behind it."""

import os
from pathlib import Path

from headway.store import Store
from tests.attacks.arena import Arena, git
from tests.attacks.playing import play
from tests.attacks.tiny import GUARDED


def test_a_checkpoint_behind_a_link_is_refused_and_what_is_there_stays(tmp_path: Path, protected: None):
    declared = GUARDED["headway.toml"].replace('"model.json"\nenv', '"out/model.json"\nenv').replace(
        "score.py model.json", "score.py out/model.json"
    )  # fmt: skip
    files = {**GUARDED, "headway.toml": declared}
    arena = Arena.lay_out(tmp_path, {name: text for name, text in files.items() if name != "model.json"})
    precious = arena.folder / "elsewhere" / "model.json"
    precious.write_text("of the user")
    os.symlink(arena.folder / "elsewhere", arena.repository / "out")
    git(arena.repository, "add", "-A")
    git(arena.repository, "commit", "-q", "-m", "Link")
    replacing = GUARDED["train.py"].replace("# after\n", "import os\nos.remove('out'); os.mkdir('out')\n")
    replacing += "os.rename('model.json', 'out/model.json')\n"
    play(arena, {"replacing": ({"train.py": replacing}, "replacing")})
    assert precious.read_text() == "of the user"
    with Store.open(arena.store, create=False) as store:
        (study,) = store.studies.all()
        trials = [place.trial for place in store.places.of_study(study.id)]
    assert trials
    assert all("behind the link 'out'" in trial.message for trial in trials)
