"""Whether verdicts hold where the truth is known: changes planted in the demo's training, ten studies end to end."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runner import Context, PeerFailed, Result, Row, Sample, Table, at_least, at_most, benchmark, run_process

_STUDIES, _QUICK_STUDIES, _WORKERS = 10, 1, 2
_SEED_STEP = 100  # a study's race and confirmation use fewer seeds than that
_EXAMPLE = Path(__file__).parents[1] / "examples" / "stdlib_gpt"
_STUDY = Path(__file__).parent / "peers" / "planted_study.py"
_DECISIONS = ("accepted", "rejected", "undecided", "identical", "not kept")
_NOTES = {
    "harm": "the learning rate a tenth lower",
    "noop": "the weights drawn from other random numbers",
    "identical": "a parameter that nothing reads",
    "gain": "the learning rate a tenth higher",
}


@dataclass(frozen=True, slots=True)
class _Found:
    decisions: dict[str, str]
    trials: int


@benchmark("planted changes, ten studies: harm is never accepted, a no-op at most once, a gain at least eight times")
def run(context: Context) -> Result:
    """Run the studies one after the other, in one project, and count what was decided on each change."""
    studies = context.pick(_STUDIES, _QUICK_STUDIES)
    with context.folder() as folder:
        shutil.copytree(_EXAMPLE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("study.py", "long.py"))
        shutil.copy(_STUDY, folder / "study.py")
        found: list[_Found] = []
        for index in range(studies):
            context.say(f"study {index + 1} of {studies}")
            found.append(_study(context, folder, _SEED_STEP * index))
    decided = {change: Counter(item.decisions[change] for item in found) for change in _NOTES}
    rows = [
        Row.of(
            change,
            [Sample(decided[change]["accepted"], None, None)],
            version="",
            note=f"{note}: " + ", ".join(f"{decided[change][word]} {word}" for word in _DECISIONS),
            ours=False,
        )
        for change, note in _NOTES.items()
    ]
    trials = sum(item.trials for item in found)
    title = f"Accepted in {studies} studies of {trials / studies:.0f} trials each"
    table = Table(title=title, unit="studies", rows=rows)
    figures = {
        f"{change}_{word.replace(' ', '_')}": float(decided[change][word]) for change in _NOTES for word in _DECISIONS
    }
    return Result(
        tables=(table,),
        figures={**figures, "trials": float(trials)},
        targets={
            "harm_accepted": at_most(decided["harm"]["accepted"], 0),
            "noop_accepted": at_most(decided["noop"]["accepted"], 1),
            "identical_called_identical": at_least(decided["identical"]["identical"], studies),
            "gain_accepted": at_least(decided["gain"]["accepted"], context.pick(8, 0)),
        },
    )


def _study(context: Context, folder: Path, seed: int) -> _Found:
    """Run one study as people do, and return its trials and what it decided on each change."""
    command = [context.python(None), "-m", "headway", "run", "study.py", "--workers", str(_WORKERS), "--json"]
    ended = run_process(command, folder=folder, variables={"PLANTED_SEED": str(seed)}).checked()
    (study,) = json.loads(ended.stdout)["studies"]
    listed = run_process(
        [context.python(None), "-m", "headway", "show", study["study"], "--json"], folder=folder
    ).checked()
    changes = {item["candidate"]: item["config"]["change"] for item in json.loads(listed.stdout)["candidates"]}
    decisions = dict.fromkeys(_NOTES, "not kept")
    decisions |= {changes[item["candidate"]]: item["decision"] for item in study["verdicts"]}
    if set(changes.values()) != {"none", *_NOTES}:
        raise PeerFailed(f"the study {study['study']} ran {sorted(changes.values())}")
    return _Found(decisions=decisions, trials=sum(study["trials"].values()))
