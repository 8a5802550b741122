"""What failed, equal crashes together: how often, what it cost, and the message."""

from collections.abc import Sequence

from headway.core import TrialState
from headway.store import StudyTrial
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.states import mark
from headway.studies.report.view import View
from headway.studies.report.words import plural, span

__all__ = ["failures_section"]

_MOST_NAMED = 12


def failures_section(view: View) -> Html:
    """Group failed trials by the fingerprint of their crash, or else by reason and message; the costliest first."""
    groups: dict[str, list[StudyTrial]] = {}
    for place in view.summary.trials:
        if place.trial.state == TrialState.FAILED:
            groups.setdefault(place.trial.fingerprint or f"{place.trial.reason}: {place.trial.message}", []).append(
                place
            )
    if not groups:
        return EMPTY
    ordered = sorted(groups.values(), key=lambda group: (-len(group), -_cost(group)))
    total = sum(len(group) for group in ordered)
    head = f"Failures: {plural(total, 'trial')}, {plural(len(ordered), 'cause')}"
    return tag("section", tag("h2", head), *(_group(view, group) for group in ordered), id="failures")


def _cost(group: Sequence[StudyTrial]) -> float:
    return sum(place.trial.wall_seconds for place in group if not place.reused)


def _group(view: View, group: Sequence[StudyTrial]) -> Html:
    first = group[0].trial
    message = view.without_paths(first.message).strip() or "No message."
    numbers = sorted({place.number for place in group})
    links = [
        tag("a", "baseline" if number == 0 else f"candidate {number}", href=f"#c{number}")
        for number in numbers[:_MOST_NAMED]
    ]
    more = f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else ""
    crash = tag("code", first.fingerprint) if first.fingerprint else EMPTY
    facts = [mark("failed", str(first.reason or "failed")), tag("span", plural(len(group), "trial")),
             tag("span", f"{span(_cost(group))} lost"), crash]  # fmt: skip
    return tag(
        "article",
        tag("p", *(join([fact, " "]) for fact in facts if fact), class_="facts"),
        tag("pre", message),
        tag("p", join(links, ", "), more, " · ", tag("code", f"headway logs {first.id}"), class_="soft"),
        class_="failure",
    )
