"""`propose`: claim an idea for a study. It returns at once, and twice the same is once."""

from collections.abc import Mapping
from typing import Any

from headway.core import Space, UsageError
from headway.interfaces.agents.board import engine_json
from headway.interfaces.agents.candidates import of_claim, standing
from headway.interfaces.agents.configurations import changes, completed
from headway.interfaces.agents.whereabouts import the_study
from headway.store import Claim, Store, StudyRecord

__all__ = ["check_proposer", "claim", "propose"]

_LONGEST = {"proposer": 60, "token": 100, "note": 2000}  # characters


def propose(
    store: Store,
    *,
    config: Mapping[str, Any],
    study: str | None = None,
    note: str = "",
    proposer: str = "agent",
    token: str | None = None,
    priority: int = 0,
) -> dict[str, Any]:
    """Put a configuration into a study's queue, unless it is there or was run: then say whose it is and what it gave.

    What `config` leaves out is the baseline's. Raises `UsageError` for what does not lie in the study's space.
    """
    record = the_study(store, study)
    baseline: Mapping[str, Any] = record.definition["baseline"]
    made, full = claim(store, record, config, note=note, proposer=proposer, token=token, priority=priority)
    item = of_claim(store, record, made, full)
    answer: dict[str, Any] = {
        "study": record.name,
        **standing(store, record, item),
        "new": made.new,
        "changes": changes(full, baseline),
        "said": _said(made, proposer, item.state, ended=item.ended),
    }
    engine = engine_json(store, record)
    return answer if engine["running"] else {**answer, "engine": engine}


def claim(
    store: Store,
    study: StudyRecord,
    config: Mapping[str, Any],
    *,
    note: str = "",
    proposer: str = "agent",
    token: str | None = None,
    priority: int = 0,
) -> tuple[Claim, dict[str, Any]]:
    """Check a proposal and claim it; return the claim and the whole configuration."""
    check_proposer(study, proposer)
    for name, text in (("note", note), ("token", token or "")):
        if len(text) > _LONGEST[name]:
            raise UsageError(f"The {name} has {len(text)} characters. At most {_LONGEST[name]} are kept: shorten it.")
    space, baseline = Space.from_json(study.definition["space"]), study.definition["baseline"]
    full = space.check(completed(space, config, baseline))
    if full == dict(baseline):
        raise UsageError(
            f"This is the baseline itself, which the study {study.name!r} runs anyway. Give at least one value that "
            f"differs: {', '.join(space.parameters) or 'its space has no parameter'}."
        )
    return store.claims.claim(study, full, proposer=proposer, note=note, priority=priority, token=token), full


def check_proposer(study: StudyRecord, proposer: str) -> None:
    """Raise `UsageError` for a name that nobody can be known by, or that the study uses itself."""
    if not proposer.strip() or not proposer.isprintable() or len(proposer) > _LONGEST["proposer"]:
        raise UsageError(
            f"{proposer[:80]!r} is no proposer's name. Give a printable one of 1 to {_LONGEST['proposer']} characters."
        )
    if proposer in ("baseline", study.definition["sampler"]):
        raise UsageError(f"The proposer {proposer!r} is the study's own. Name a person or program: --proposer WHO.")


def _said(made: Claim, proposer: str, state: str, *, ended: bool) -> str:
    if made.new:
        return "Queued. Call wait with this candidate, then result."
    whose = "You proposed" if made.proposer == proposer else f"{made.proposer} proposed"
    if ended:
        return f"{whose} this before, and it was run: see result. Nothing was queued."
    return f"{whose} this before; it is {state}. Nothing was queued: call wait with this candidate."
