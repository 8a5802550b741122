"""The lineage in the report: the picture of who came from whom, and the way to the best as a table.

Only where a study has one: where something was built on anything but the baseline.
"""

from headway.store import Store
from headway.studies.lineage import Changes, Lineage, Node, fold, lineage_of
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.states import mark
from headway.studies.report.tree import EACH, MARKED, decimals_of, picture, value_words
from headway.studies.report.view import View
from headway.studies.report.words import plural, signed, span

__all__ = ["lineage_section"]

_ROWS = 30
_LONGEST_IDEA = 120


def lineage_section(store: Store, view: View) -> Html:
    """Draw the tree and list the way to the best; nothing where all candidates descend from the baseline."""
    if not _branched(view):
        return EMPTY
    lineage = lineage_of(store, view.summary.study)
    best = lineage.best
    if best is None:
        return EMPTY
    way = EMPTY if best.parent is None else _table(view, lineage, best, Changes(store, view.summary.study, lineage))
    return tag(
        "section",
        tag("h2", "Lineage"),
        tag(
            "figure",
            tag("div", picture(lineage, best), class_="scroll"),
            tag("figcaption", _caption(lineage, best)),
            class_="tree",
        ),
        way,
        id="lineage",
    )


def _branched(view: View) -> bool:
    """Tell whether a candidate of interest was made from another one: without a look at all of them."""
    if view.baseline is None:
        return False
    start = view.baseline.candidate
    return any(parent != start for row in view.summary.candidates for parent in row.parents)


def _caption(lineage: Lineage, best: Node) -> Html:
    what = "what was accepted" if best.accepted else "the best so far, noise included"
    way = f"Strong line: from the baseline (diamond) to {what}."
    if best.parent is None:
        way = "Nothing is better than the baseline (diamond) so far."
    few = len(lineage) <= EACH
    lines = "Thin lines: parent to child." if few else "Thin lines: the ways to the best and to what was decided."
    standings = {node.standing for node in lineage.nodes.values()}
    failed = " Below the axis: what failed." if "failed" in standings else ""
    words = (
        f"Each dot a candidate, at its place in the order of proposals and its mean {lineage.metric}; a triangle lies "
        f"beyond the axis.{failed} {lines} {way}"
    )
    return join([words, *(mark(state) for state in MARKED if state in standings)], " ")


def _table(view: View, lineage: Lineage, best: Node, changes: Changes) -> Html:
    """List the way from the baseline to the best; of a long one its largest steps."""
    way = lineage.only({node.number for node in lineage.path(best.number)})
    folded = fold(way, _ROWS)
    assert folded is not None
    rows: list[Html] = []
    for number in folded.shown:
        if (skipped := folded.skipped.get(number)) is not None:
            words = f"⋮ {plural(skipped.generations, 'generation')} between"
            rows.append(tag("tr", tag("td", words, colspan="7", class_="soft")))
        rows.append(_row(view, lineage, way.nodes[number], changes))
    names = ("#", "idea", "proposer", lineage.metric, "gain", "verdict", "time")
    kinds = {"#": "number", "idea": "idea", lineage.metric: "number", "gain": "number", "time": "number"}
    head = tag("tr", *(tag("th", name, scope="col", class_=kinds.get(name)) for name in names))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="generations")
    note = f"The way to candidate {best.number}: what each generation changed, and its gain over its parent"
    noise = "" if lineage.noise_sd is not None else "; how far runs differ by chance was not measured"
    return join([tag("p", f"{note} (noise included{noise}).", class_="soft"), tag("div", table, class_="scroll")])


def _row(view: View, lineage: Lineage, node: Node, changes: Changes) -> Html:
    idea = view.without_paths(changes.idea(node))
    short = idea if len(idea) <= _LONGEST_IDEA else f"{idea[: _LONGEST_IDEA - 1]}…"
    name = str(node.number)
    if view.row(node.candidate) is not None:
        name = tag("a", name, href=f"#c{name}")
    verdict = mark(node.decision) if node.decision else mark("baseline" if node.parent is None else node.state)
    return tag(
        "tr",
        tag("td", name, class_="number"),
        tag("td", short, class_="idea"),
        tag("td", "" if node.parent is None else node.proposer),
        tag("td", value_words(lineage, node), class_="number value"),
        tag("td", _gain(lineage, node), class_="number"),
        tag("td", verdict),
        tag("td", span(node.seconds) if node.trials else "", class_="number"),
        class_="base" if node.parent is None else None,
    )


def _gain(lineage: Lineage, node: Node) -> str:
    gain = lineage.gain(node)
    if gain is None or node.parent is None:
        return ""
    return signed(gain, decimals_of([lineage.half_width(node), lineage.half_width(lineage.nodes[node.parent])]))
