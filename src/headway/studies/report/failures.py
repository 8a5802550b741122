"""What failed, equal crashes together: how often, what it cost, and the message."""

from headway.store import Failure, Store
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.states import mark
from headway.studies.report.view import View
from headway.studies.report.words import plural, span

__all__ = ["failures_section"]

_MOST_NAMED = 12
_MOST_CAUSES = 50


def failures_section(store: Store, view: View) -> Html:
    """Group failed trials by the fingerprint of their crash, or else by reason and message; the most frequent first."""
    failures = store.places.failures(view.summary.study.id)
    if not failures:
        return EMPTY
    total = sum(item.count for item in failures)
    head = f"Failures: {plural(total, 'trial')}, {plural(len(failures), 'cause')}"
    more = len(failures) - _MOST_CAUSES
    rest = tag("p", f"and {plural(more, 'rarer cause')}", class_="soft") if more > 0 else EMPTY
    groups = [_group(store, view, item) for item in failures[:_MOST_CAUSES]]
    return tag("section", tag("h2", head), *groups, rest, id="failures")


def _group(store: Store, view: View, failure: Failure) -> Html:
    first = store.trials.get(failure.trial)
    message = view.without_paths(first.message).strip() or "No message."
    numbers = store.places.numbers_of_failure(view.summary.study.id, failure.trial, _MOST_NAMED + 1)
    links = [
        tag("a", "baseline" if number == 0 else f"candidate {number}", href=f"#c{number}")
        for number in numbers[:_MOST_NAMED]
    ]
    more = " and more" if len(numbers) > _MOST_NAMED else ""
    crash = tag("code", first.fingerprint) if first.fingerprint else EMPTY
    facts = [mark("failed", str(first.reason or "failed")), tag("span", plural(failure.count, "trial")),
             tag("span", f"{span(failure.seconds)} lost"), crash]  # fmt: skip
    return tag(
        "article",
        tag("p", *(join([fact, " "]) for fact in facts if fact), class_="facts"),
        tag("pre", message),
        tag("p", join(links, ", "), more, " · ", tag("code", f"headway logs {first.id}"), class_="soft"),
        class_="failure",
    )
