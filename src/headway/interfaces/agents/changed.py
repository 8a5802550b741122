"""What a candidate changes: its diff as a quotation, the seed that was given to it, and what was seen of it.

All of this was written by somebody whom nobody trusts.
"""

from collections.abc import Sequence
from typing import Any

from headway.interfaces.agents.answers import quoted
from headway.interfaces.agents.candidates import SHORT, Meant, parent_of
from headway.interfaces.agents.files import diff_text, files_of
from headway.store import Store, StudyRecord, VerdictRecord

__all__ = ["change_json", "flags_json"]

_DIFF, _FLAGS = 3600, 1500  # characters


def change_json(store: Store, study: StudyRecord, item: Meant, verdict: VerdictRecord | None) -> dict[str, Any]:
    """Return a candidate's diff against what it changes, the seed that was given to it, and what was seen of it."""
    parent = parent_of(store, study, item)
    if parent is None:
        return {"parent": None, **_seeds_json(store, item), **flags_json(store, item, verdict)}
    diff = diff_text(files_of(store, study, parent), files_of(store, study, item.claim.candidate))
    lines = diff.split("\n")
    source = f"the proposer {item.claim.proposer}"
    return {
        "parent": parent[:SHORT],
        "lines_added": sum(line.startswith("+") and not line.startswith("+++ ") for line in lines),
        "lines_removed": sum(line.startswith("-") and not line.startswith("--- ") for line in lines),
        "diff": quoted(diff, source, _DIFF, keep="beginning") if diff else None,
        **_seeds_json(store, item),
        **flags_json(store, item, verdict),
    }


def flags_json(store: Store, item: Meant, verdict: VerdictRecord | None) -> dict[str, Any]:
    """Return what was seen in a candidate's code and of its processes, quoted; empty where that is nothing."""
    doubts = [] if verdict is None else [str(text) for text in verdict.data.get("doubts", ())]
    texts = list(dict.fromkeys([*_remarks(store, item, "flag"), *doubts]))
    if not texts:
        return {}
    return {"flags": quoted("\n".join(texts), f"what was seen of {item.short}", _FLAGS, keep="beginning")}


def _seeds_json(store: Store, item: Meant) -> dict[str, Any]:
    texts = _remarks(store, item, "seed")
    return {"seed_rewritten": quoted(texts[0], f"the code of {item.short}", 300)} if texts else {}


def _remarks(store: Store, item: Meant, kind: str) -> Sequence[str]:
    """Return the remarks of a kind on a candidate's trials, each once."""
    events = (event for place in item.trials for event in store.events.of_trial(place.trial.id))
    return list(dict.fromkeys(str(event.data.get("text", "")) for event in events if event.kind == kind))
