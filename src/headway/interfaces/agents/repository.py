"""What agents are told of a repository: how it is run, what may be edited, what its score is worth, its knobs."""

from pathlib import Path
from typing import Any

from headway.core import Space, UsageError
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.candidates import baseline_of
from headway.interfaces.agents.configurations import space_text
from headway.interfaces.agents.files import Files, files_of
from headway.interfaces.agents.remembered import Remembered
from headway.store import Store, StudyRecord

__all__ = ["knobs_json", "repository_json", "trust_json"]

_TRUST = {
    "guarded": "The score is computed outside of the candidate's process, from what it left: nothing that it prints "
    "counts. Verdicts say 'accepted (guarded)'.",
    "as printed": "The code prints its own score, so no verdict says more than 'accepted (as printed)'. Code that "
    "writes the metric, changes seed, data or evaluator, or ends early is flagged, and never accepted.",
}
_MOST_NOTES, _MOST_GLOBS = 4, 20
_INTERPRETERS = ("python", "python3")
_ANY_SEED = 918_273_645  # shown as {seed}

_seeds: Remembered[str] = Remembered(16)


def repository_json(store: Store, study: StudyRecord) -> dict[str, Any]:
    """Return how a repository is run, for how long, which files may be edited and which may not, and who seeds it."""
    from headway.experiments.layouts import find_layout

    try:
        layout = find_layout(Path(study.source))
    except UsageError as error:
        return {"problem": f"It cannot be read now, so nothing can be proposed. {error}"}
    steps = layout.steps(layout.root, layout.root / "results", seed=_ANY_SEED)
    return {
        "layout": layout.name,
        "editable": list(layout.files.editable[:_MOST_GLOBS]),
        "read_only": list(layout.files.read_only[:_MOST_GLOBS]),
        "runs": [f"{step.name}: {_command(step.words)}" for step in steps],
        "time_limit_seconds": number(_limit(study, layout.wall_seconds)),
        "seed": _seed(store, study, takes_seed=layout.takes_seed),
        **({"notes": list(layout.notes[:_MOST_NOTES])} if layout.notes else {}),
    }


def trust_json(study: StudyRecord) -> dict[str, str]:
    """Return how far scores are believed, and what that means."""
    level = str(study.definition["repository"]["trust"])
    return {"level": level, "means": _TRUST.get(level, level)}


def knobs_json(study: StudyRecord) -> dict[str, Any]:
    """Return the constants of the code that are a search space, and who turns them."""
    space = Space.from_json(study.definition["space"])
    sampler = study.definition["sampler"]
    if sampler == "queue":
        said = "No sampler turns them. config={NAME: VALUE} proposes values; a change of structure teaches more."
    else:
        said = f"The sampler {sampler} turns them while no idea waits: bring changes of structure, not of values."
    return {"said": said, "space": space_text(space)} if space.parameters else {"said": "The code has none."}


def _command(words: tuple[str, ...]) -> str:
    first = Path(words[0]).name if Path(words[0]).name in _INTERPRETERS else words[0]
    return " ".join([first, *words[1:]]).replace(str(_ANY_SEED), "{seed}")


def _limit(study: StudyRecord, layout_seconds: float) -> float:
    from headway.experiments.repositories import SPARE_SECONDS

    given = study.settings.get("limits", {}).get("wall_seconds")
    return min(layout_seconds, given - SPARE_SECONDS) if given and given > SPARE_SECONDS else layout_seconds


def _seed(store: Store, study: StudyRecord, *, takes_seed: bool) -> str:
    if takes_seed:
        return "The command is given a seed for each run. Leave alone what reads it."
    first = baseline_of(store, study)
    if first is None:
        return "The study has not begun, so nothing is known of its seed."
    return _seeds.get(store, study, (first,), lambda: _written(files_of(store, study, first)))


def _written(files: Files) -> str:
    from headway.experiments.layouts import written_seed

    if any(written_seed(text) is not None for path, text in files.items() if path.endswith(".py")):
        return "The seed that the code sets is rewritten in each run's own copy. Leave it alone."
    return "No seed reaches the code, so its noise is unknown and nothing can be accepted."
