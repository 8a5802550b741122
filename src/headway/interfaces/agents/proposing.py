"""`propose`: claim an idea for a study. It returns at once, and twice the same is once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headway.core import Space, UsageError
from headway.interfaces.agents.candidates import Meant, judged, meant, of_claim, standing, successor
from headway.interfaces.agents.configurations import changes, completed
from headway.interfaces.agents.waiting import cursor_now
from headway.interfaces.agents.whereabouts import changes_code, engine_json, stays_open, the_study
from headway.store import Claim, Store, StudyRecord

__all__ = ["Full", "Sent", "check_length", "check_proposer", "claim", "propose"]

_QUEUED_OPEN = "Queued. Go on with your next idea; wait with this cursor, or this candidate, tells the verdict."
_LONGEST = {"proposer": 60, "token": 100, "note": 2000}  # characters


def propose(
    store: Store,
    *,
    config: Mapping[str, Any] | None = None,
    patch: str | None = None,
    file: str | None = None,
    parent: str | None = None,
    study: str | None = None,
    note: str = "",
    proposer: str = "agent",
    token: str | None = None,
    priority: int = 0,
) -> dict[str, Any]:
    """Put a candidate into a study's queue, unless it is there or was run: then say whose it is and what it gave.

    What `config` leaves out is the baseline's. `patch` changes the code of a repository: a unified diff, SEARCH/REPLACE
    blocks for `file`, or the whole text of `file`; on `parent`, by default what was accepted last. Raises `UsageError`
    for what does not lie in the study's space, and for a patch that does not fit.
    """
    record = the_study(store, study)
    above = None if parent is None else meant(store, record, parent).claim.candidate
    sent = Sent(config=config, patch=patch, file=file, parent=above)
    baseline: Mapping[str, Any] = record.definition["baseline"]
    before = cursor_now(store, record) if stays_open(record) else ""
    made, full = claim(store, record, sent, note=note, proposer=proposer, token=token, priority=priority)
    item = of_claim(store, record, made, full.config)
    answer: dict[str, Any] = {
        "study": record.name,
        **standing(store, record, item),
        "new": made.new,
        "changes": changes(full.config, baseline),
        **({"files": list(full.paths), "only_knobs": full.patch is None} if full.paths else {}),
        **({"cursor": before} if before else {}),
        "said": _said(store, record, item, made, proposer),
    }
    engine = engine_json(store, record)
    return answer if engine["running"] else {**answer, "engine": engine}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Hold what somebody sent as an idea: values of parameters, and for a repository a patch or whole files."""

    config: Mapping[str, Any] | None = None
    patch: str | None = None
    file: str | None = None
    files: Mapping[str, str] | None = None
    parent: str | None = None

    @property
    def changes_code(self) -> bool:
        """Tell whether more than values was sent."""
        return self.patch is not None or bool(self.files) or self.file is not None or self.parent is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """Hold a candidate as it is recorded: all values, the patch as canonical JSON, the files that it changes."""

    config: Mapping[str, Any]
    patch: str | None = None
    paths: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


def claim(
    store: Store,
    study: StudyRecord,
    sent: Sent,
    *,
    note: str = "",
    proposer: str = "agent",
    token: str | None = None,
    priority: int = 0,
) -> tuple[Claim, Full]:
    """Check a proposal and claim it; return the claim and the candidate that it is."""
    check_proposer(study, proposer)
    check_length("note", note)
    check_length("token", token or "")
    full = _full(store, study, sent)
    if full.patch is None and full.config == dict(study.definition["baseline"]):
        space = Space.from_json(study.definition["space"])
        raise UsageError(
            f"This is the baseline itself, which the study {study.name!r} runs anyway. Give at least one value that "
            f"differs: {', '.join(space.parameters) or 'its space has no parameter'}."
        )
    made = store.claims.claim(
        study,
        full.config,
        patch=full.patch,
        proposer=proposer,
        parents=full.parents,
        note=note,
        priority=priority,
        token=token,
    )
    return made, full


def _full(store: Store, study: StudyRecord, sent: Sent) -> Full:
    if changes_code(study):
        from headway.studies.repositories import change_of

        change = change_of(
            store,
            study,
            patch=sent.patch,
            file=sent.file,
            files=sent.files,
            config=sent.config,
            parent=sent.parent,
        )
        return Full(config=change.config, patch=change.patch, paths=change.paths, parents=(change.parent,))
    if sent.changes_code:
        raise UsageError(
            f"The study {study.name!r} tries configurations of a function or command, and no changes of code. "
            "Give config, with the values that differ from the baseline."
        )
    space, baseline = Space.from_json(study.definition["space"]), study.definition["baseline"]
    return Full(config=space.check(completed(space, sent.config or {}, baseline)))


def check_proposer(study: StudyRecord, proposer: str) -> None:
    """Raise `UsageError` for a name that nobody can be known by, or that the study uses itself."""
    if not proposer.strip() or not proposer.isprintable() or len(proposer) > _LONGEST["proposer"]:
        raise UsageError(
            f"{proposer[:80]!r} is no proposer's name. Give a printable one of 1 to {_LONGEST['proposer']} characters."
        )
    if proposer in ("baseline", study.definition["sampler"]):
        raise UsageError(f"The proposer {proposer!r} is the study's own. Name a person or program: --proposer WHO.")


def check_length(name: Literal["note", "token"], text: str) -> None:
    """Raise `UsageError` for a text that is longer than what is kept."""
    if len(text) > _LONGEST[name]:
        raise UsageError(f"The {name} has {len(text)} characters. At most {_LONGEST[name]} are kept: shorten it.")


def _said(store: Store, study: StudyRecord, item: Meant, made: Claim, proposer: str) -> str:
    if made.new:
        return _QUEUED_OPEN if stays_open(study) else "Queued. Call wait with this candidate, then result."
    whose = "You proposed" if made.proposer == proposer else f"{made.proposer} proposed"
    if judged(store, study, successor(store, study, item)):
        what = "it was judged" if stays_open(study) else "it was run"
        return f"{whose} this before, and {what}: see result. Nothing was queued."
    return f"{whose} this before; it is {item.state}. Nothing was queued: call wait with this candidate."
