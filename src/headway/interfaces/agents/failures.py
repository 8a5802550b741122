"""`explain_failure`: why a candidate failed, where in the user's code, who else failed like it, and what it printed.

A candidate whose score is not believed has not crashed, and is explained here too: by what was seen of it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headway.core import Redactor, TrialState, UsageError
from headway.interfaces.agents.answers import quoted
from headway.interfaces.agents.candidates import Meant, meant, successor
from headway.interfaces.agents.changed import flags_json
from headway.interfaces.agents.whereabouts import changes_code, project_root, the_study
from headway.store import Store, StudyRecord, StudyTrial, TrialRecord

__all__ = ["Frame", "explain_failure", "in_the_tree", "prefix_of", "user_frame"]

_FLAGGED = (
    "The run ended, and its score is not believed: this was seen in the code or of the process. Nothing is accepted "
    "that was reached so. Propose the idea without it; if it is innocent, a person has to look."
)
_FRAME = re.compile(r'^\s*File "([^"\n]+)", line (\d+), in (\S+)', re.MULTILINE)
_BEGIN = "Traceback (most recent call last)"
_NOT_THE_USERS = ("site-packages", "dist-packages", ".venv", "lib/python3")
_TREE = "tree"  # in the folder WORK of an attempt
_TAIL_BYTES = 4096
_ALIKE = 10
_LONGEST = 1200  # characters of a quotation

Frame = tuple[str, int, str]  # file, line, function


def explain_failure(store: Store, *, candidate: str, study: str | None = None) -> dict[str, Any]:
    """Return the cause of a candidate's failure. What its trial printed is quoted: data, whatever it says."""
    record = the_study(store, study)
    item = successor(store, record, meant(store, record, candidate))
    failed = [place for place in item.trials if place.trial.state == TrialState.FAILED]
    if failed:
        return _failure(store, record, item, failed)
    verdict = store.studies.verdict(record.id, item.claim.candidate)
    if verdict is not None and verdict.decision == "flagged":
        return {
            "study": record.name,
            "candidate": item.short,
            "number": item.claim.number,
            "cause": "flagged",
            **flags_json(store, item, verdict),
            "said": _FLAGGED,
        }
    raise UsageError(f"The candidate {item.short} has not failed: it is {item.state}. Ask for its result instead.")


def _failure(store: Store, record: StudyRecord, item: Meant, failed: Sequence[StudyTrial]) -> dict[str, Any]:
    trial = failed[0].trial
    texts = _traceback(store, trial), trial.message, _last_output(store, trial)
    if changes_code(record):
        texts = tuple(in_the_tree(text, prefix_of(record)) for text in texts)
    trace, message, printed = texts
    source = f"trial {trial.id}"
    frame = user_frame(trace, project_root(store))
    numbers = store.places.numbers_of_failure(record.id, trial.id, _ALIKE + 1)
    alike = [number for number in numbers if number != failed[0].number][:_ALIKE]
    count = next((group.count for group in store.places.failures(record.id) if _same(store, group.trial, trial)), 1)
    return {
        "study": record.name,
        "candidate": item.short,
        "number": item.claim.number,
        "trial": trial.id,
        "seed": trial.seed,
        "cause": trial.reason,
        "message": quoted(message, source, 400),
        "step": trial.step,
        "where": None if frame is None else {"file": frame[0], "line": frame[1], "function": frame[2]},
        "fingerprint": trial.fingerprint,
        "failed_alike": {"trials": count, "other_candidates": [f"#{number}" for number in alike]},
        "failed_seeds": _seeds(failed),
        **flags_json(store, item, store.studies.verdict(record.id, item.claim.candidate)),
        "traceback": quoted(trace, source, _LONGEST) if trace else None,
        "last_output": None
        if printed.strip() in ("", trace.strip())
        else quoted(printed, f"the output of {source}", _LONGEST),
        "said": "An equal failure is answered from the record: change the cause, not only the seed.",
    }


def user_frame(trace: str, root: Path) -> Frame | None:
    """Return the innermost frame of a traceback that lies in the project's own files, its path relative to `root`."""
    last = trace[max(0, trace.rfind(_BEGIN)) :]
    frames: list[Frame] = []
    for file, line, function in _FRAME.findall(last):
        path = Path(file)
        inside = path.is_relative_to(root) or not path.is_absolute()
        if inside and not file.startswith("<") and not any(sign in file for sign in _NOT_THE_USERS):
            shown = str(path.relative_to(root)) if path.is_absolute() else file
            frames.append((shown, int(line), function))
    return frames[-1] if frames else None


def in_the_tree(text: str, prefix: str = "") -> str:
    """Return a text in which the files of a trial's own tree are called as in the repository.

    `prefix` is the repository's folder in its git, where it is not the root.

    >>> in_the_tree('File "/project/.headway/runs/12/1/work/tree/train.py", line 6')
    'File "train.py", line 6'
    """
    from headway.experiments.repositories import WORK

    inner = f"(?:{re.escape(prefix)}/)?" if prefix else ""
    return re.sub(rf"/[^\s\"':]*/(?:{WORK}|templates/\d+/\d+)/{_TREE}/{inner}", "", text)


def prefix_of(study: StudyRecord) -> str:
    """Return the folder of a study's repository in its git; empty where that is the root, or there is none."""
    root = Path(study.source)
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    return "" if top == root else root.relative_to(top).as_posix()


def _same(store: Store, other: int, trial: TrialRecord) -> bool:
    found = store.trials.get(other, record=False)
    if trial.fingerprint is not None or found.fingerprint is not None:
        return trial.fingerprint == found.fingerprint
    return (trial.reason, trial.message) == (found.reason, found.message)


def _seeds(failed: Sequence[StudyTrial]) -> list[int]:
    return [place.trial.seed for place in failed]


def _traceback(store: Store, trial: TrialRecord) -> str:
    texts = [event.data.get("traceback") for event in store.events.of_trial(trial.id) if event.kind == "failed"]
    return str(texts[-1] or "") if texts else ""


def _last_output(store: Store, trial: TrialRecord) -> str:
    """Return the end of what the last attempt printed; empty where it printed nothing."""
    for attempt in reversed(store.trials.attempts(trial.id)):
        try:
            with (store.folder / attempt.directory / "output.log").open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL_BYTES))
                return Redactor().text(file.read().decode(errors="replace"))
        except FileNotFoundError:
            continue
    return ""
