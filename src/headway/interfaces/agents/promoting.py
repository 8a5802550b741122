"""`promote`: make an accepted candidate what others build on. A person confirms it, unless the study allows it."""

from typing import Any

from headway.core import UsageError
from headway.interfaces.agents.candidates import SHORT, meant, note_json, official_of, sentence_json
from headway.interfaces.agents.configurations import changes
from headway.interfaces.agents.proposing import check_length, check_proposer
from headway.interfaces.agents.whereabouts import changes_code, stays_open, store_flag, the_study
from headway.store import PromotionRecord, Store, StudyRecord, VerdictRecord, is_accepted

__all__ = ["answer_promotion", "promote", "promotion_json"]


def promote(
    store: Store, *, candidate: str, study: str | None = None, note: str = "", proposer: str = "agent"
) -> dict[str, Any]:
    """Ask for the promotion of an accepted candidate; asked again, say what was answered.

    In a study that stays open an accepted candidate is official already, so nothing is asked of anybody. Raises
    `UsageError` for a candidate that no verdict accepted: nothing is built on what may be noise.
    """
    record = the_study(store, study)
    check_proposer(record, proposer)
    check_length("note", note)
    item = meant(store, record, candidate)
    verdict = store.studies.verdict(record.id, item.claim.candidate)
    if verdict is None or not is_accepted(verdict.decision):
        raise UsageError(f"The candidate {item.short} cannot be promoted: {_why(verdict)} Only accepted ones can.")
    if stays_open(record):
        return _official(store, record, verdict)
    asked = store.promotions.ask(record.id, item.claim.candidate, proposer=proposer, note=note)
    return promotion_json(store, record, asked)


def _why(verdict: VerdictRecord | None) -> str:
    return "it has no verdict yet." if verdict is None else f"it is {verdict.decision!r}: {sentence_json(verdict)}"


def _official(store: Store, study: StudyRecord, verdict: VerdictRecord) -> dict[str, Any]:
    """Say that an accepted candidate is what others build on already, or was until a later one was accepted."""
    now = official_of(store, study)
    branch = study.definition["repository"].get("branch") if changes_code(study) else None
    where = f" It is a commit of the branch {branch}." if branch else ""
    if now == verdict.candidate:
        said = "It is official already: this study makes official what it accepts, and later ideas build on it."
    else:
        said = "It was official until a later idea, which builds on what was official then, was accepted."
    return {
        "study": study.name,
        "candidate": verdict.candidate[:SHORT],
        "state": "official" if now == verdict.candidate else "was official",
        "official": now and now[:SHORT],
        "said": f"{said}{where} Nothing is to be confirmed.",
    }


def answer_promotion(store: Store, *, candidate: str, study: str | None, promoted: bool, by: str) -> dict[str, Any]:
    """Write a person's word on a promotion, asked for or not. Not a verb of agents: the command line alone calls it."""
    record = the_study(store, study)
    item = meant(store, record, candidate)
    if stays_open(record) and not promoted:
        raise UsageError(
            f"The study {record.name!r} made official what it accepted, and later ideas were judged against it. To "
            "take it back, propose the change that undoes it."
        )
    if stays_open(record):
        return promote(store, candidate=candidate, study=record.name, proposer=by)
    if store.promotions.find(record.id, item.claim.candidate) is None:
        promote(store, candidate=candidate, study=record.name, proposer=by)
    return promotion_json(
        store, record, store.promotions.answer(record.id, item.claim.candidate, promoted=promoted, by=by)
    )


def promotion_json(store: Store, study: StudyRecord, item: PromotionRecord) -> dict[str, Any]:
    """Return a promotion: where it stands, and what is to be done."""
    config = store.studies.candidate(item.candidate).config
    short = item.candidate[:SHORT]
    answer: dict[str, Any] = {
        "study": study.name,
        "candidate": short,
        "state": item.state,
        "asked_by": item.proposer,
        "answered_by": item.answered_by,
        "changes": changes(config, study.definition["baseline"]),
    }
    match item.state:
        case "asked":
            answer["said"] = "A person decides. Nothing is promoted until then; go on with other ideas."
            answer["person_types"] = f"headway promote {study.name} {short} --confirm{store_flag(store.folder)}"
        case "promoted":
            answer["said"] = "Promoted. A study that builds on it takes this configuration as its baseline."
            answer["config"] = dict(config)
        case "refused":
            answer["said"] = "A person refused it. Do not ask again; try another idea."
    note = note_json(item.note, item.proposer)
    return answer if note is None else {**answer, "note": note}
