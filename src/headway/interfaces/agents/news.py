"""The verdicts that came in a study that stays open since somebody looked: none twice, none missed.

A mark holds the id of the last verdict that was told, and whether the study went on then. Ids grow, and a verdict that
gives way to another gets a new one; so a mark holds as well for another server, and after the engine began anew.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

from headway.core import UsageError
from headway.interfaces.agents.answers import text_of
from headway.interfaces.agents.candidates import SHORT, sentence_json
from headway.store import Decided, Store, StudyRecord

__all__ = ["VerdictsMark", "verdicts_since"]

_MOST = 20  # verdicts of one answer
_MOST_BYTES = 3300  # that they take, so that no answer has to be cut: what was cut would never be told
_ENDED = {"finished": "f", "paused": "p"}
_FORM = re.compile(r"v(\d{1,18})([fgp])")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictsMark:
    """Hold how far somebody has seen the verdicts of a study. `text` is what a client keeps, and `read` takes back."""

    last: int
    state: str

    @classmethod
    def now(cls, store: Store, study: StudyRecord) -> Self:
        """Return the mark after all verdicts that there are."""
        return cls(last=store.verdicts.last(study.id), state=_state(store, study))

    @property
    def text(self) -> str:
        """Return the mark as a short text."""
        return f"v{self.last}{self.state}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `text` gave, or raise `UsageError`."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text[:80]!r} is no cursor of a study that stays open. Give the one that brief, propose or the last "
                "wait of this study gave, or leave it out to wait for what comes from now on."
            )
        return cls(last=int(found[1]), state=found[2])

    def tells_more_than(self, before: "VerdictsMark") -> bool:
        """Tell whether verdicts came between two marks, or the study came to an end."""
        return self.last > before.last or (self.state != before.state and self.state != "g")


def verdicts_since(store: Store, study: StudyRecord, mark: VerdictsMark) -> tuple[dict[str, Any], VerdictsMark]:
    """Return the verdicts after a mark as a part of an answer, as many as fit, and the mark of the last one told."""
    state = _state(store, study)
    told: list[dict[str, Any]] = []
    last, size = mark.last, 0
    for item in store.verdicts.since(study.id, mark.last, _MOST):
        row = _row(store, study, item)
        size += len(text_of(row).encode())
        if told and size > _MOST_BYTES:
            break
        told.append(row)
        last = item.id
    more = store.verdicts.count_since(study.id, last)
    answer: dict[str, Any] = {"verdicts": told}
    if more:
        answer["more_verdicts"] = f"{more} more: call wait with this cursor at once."
    return answer, VerdictsMark(last=last, state=state)


def _row(store: Store, study: StudyRecord, item: Decided) -> dict[str, Any]:
    verdict = item.verdict
    proposals = [] if item.number is None else store.studies.proposals(study.id, [item.number])
    return {
        "candidate": verdict.candidate[:SHORT],
        "number": item.number,
        "proposer": proposals[0].proposer if proposals else None,
        "decision": verdict.decision,
        "sentence": sentence_json(verdict),
    }


def _state(store: Store, study: StudyRecord) -> str:
    return _ENDED.get(store.studies.get(study.name).state, "g")
