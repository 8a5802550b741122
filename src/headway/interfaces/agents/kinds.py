"""What an idea changes in what it was made from, in a few words: values of knobs, or the code of files.

An idea on top of another holds that one's code too. So both are compared, as texts: to read the code of each idea of a
board as Python would take a tenth of a second for each.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from typing import Any

from headway.interfaces.agents.candidates import baseline_of
from headway.interfaces.agents.configurations import changes
from headway.interfaces.agents.files import Files, files_of
from headway.interfaces.agents.remembered import Remembered
from headway.interfaces.agents.whereabouts import changes_code
from headway.store import CandidateRecord, Store, StudyRecord

__all__ = ["kind_json"]

_MOST_PATHS, _LONGEST_VALUE = 4, 40
_known: Remembered[dict[str, Any]] = Remembered(1000)
_CONSTANT = re.compile(r"([A-Za-z_]\w*)\s*(?::[^=]+)?=\s*([^#=][^#]*?)\s*(?:#.*)?")


def kind_json(store: Store, study: StudyRecord, candidate: str, parent: str | None) -> dict[str, Any]:
    """Return the values that a candidate turns, and which files it changes otherwise, against `parent`."""
    return dict(_known.get(store, study, (candidate, parent), lambda: _kind(store, study, candidate, parent)))


def _kind(store: Store, study: StudyRecord, candidate: str, parent: str | None) -> dict[str, Any]:
    ours = store.studies.candidate(candidate)
    baseline: Mapping[str, Any] = study.definition["baseline"]
    if not changes_code(study):
        return {"changes": changes(ours.config, baseline)}
    above = None if parent is None else store.studies.candidate(parent)
    before, after = _texts(store, study, above), _texts(store, study, ours)
    turned, paths = _compared(before, after)
    theirs = baseline if above is None else above.config
    turned |= {
        name: value for name, value in ours.config.items() if value != baseline.get(name) and value != theirs.get(name)
    }
    if not paths:
        return {"kind": "knobs", "changes": turned}
    more = [f"and {len(paths) - _MOST_PATHS} more"] if len(paths) > _MOST_PATHS else []
    return {"kind": "code", "files": [*paths[:_MOST_PATHS], *more], **({"changes": turned} if turned else {})}


def _texts(store: Store, study: StudyRecord, candidate: CandidateRecord | None) -> Files:
    """Return the files of a candidate as its patch has them: knobs that its configuration turns are not written in."""
    if candidate is None or candidate.patch is None:
        start = baseline_of(store, study)
        return {} if start is None else files_of(store, study, start)
    return {**_texts(store, study, None), **candidate.files}


def _compared(before: Files, after: Files) -> tuple[dict[str, Any], list[str]]:
    """Return the constants that have another value, and the files in which more than that differs."""
    turned: dict[str, Any] = {}
    paths: list[str] = []
    for path in sorted({*before, *after}):
        old, new = before.get(path, ""), after.get(path, "")
        if old != new:
            found = _turned(old, new)
            paths += [path] if found is None else []
            turned |= found or {}
    return turned, paths


def _turned(old: str, new: str) -> dict[str, Any] | None:
    """Return the constants whose lines alone differ, with their new values; None where more differs.

    >>> _turned("LR = 0.5\\nx(LR)\\n", "LR = 0.3  # less\\nx(LR)\\n")
    {'LR': 0.3}
    >>> _turned("LR = 0.5\\n", "y()\\n") is None
    True
    """
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm=""))[2:]
    removed = [_CONSTANT.fullmatch(line[1:]) for line in lines if line.startswith("-")]
    added = [_CONSTANT.fullmatch(line[1:]) for line in lines if line.startswith("+")]
    names = [found and found[1] for found in removed]
    if None in names or names != [found and found[1] for found in added]:
        return None
    return {found[1]: _value(found[2]) for found in added if found is not None}


def _value(text: str) -> Any:
    """Return the number or text that is written, or what is computed as it is written: a few words, no message."""
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    return value if isinstance(value, bool | int | float) else str(value)[:_LONGEST_VALUE]
