"""The lineage of a study: what is read of it, what is shown of a large one, and what a node changes."""

import random
import re
import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import Direction, NotFound, Reason, Role, TrialState
from headway.store import FOLDER, Store
from headway.studies.lineage import Changes, Lineage, Node, fold, lineage_of
from headway.studies.report import write_report


class Recorder:
    """Write a study as an engine would, without running anything."""

    def __init__(self, store, direction="maximize", rule="evolve"):
        self.store = store
        self.study = store.studies.create(
            name="night", definition={"baseline": {"x": 0}, "rule": rule}, settings={}, source="", experiment="e" * 20,
            metric="score", direction=direction,
        )  # fmt: skip
        self.ids = {}

    def propose(self, number, *parents, note="", proposer="model"):
        self.ids[number] = self.store.studies.add_candidate("e" * 20, {"x": number})
        self.store.studies.propose(
            self.study.id, number, self.ids[number], proposer, [self.ids.get(name, name) for name in parents], note
        )
        return self

    def run(self, number, value=None, *, seed=0, role=Role.SEARCH, state=TrialState.COMPLETE, reused=False, **end):
        trial = self.store.trials.create(self.ids[number], seed)
        self.store.places.add(self.study.id, trial, role, number, reused=reused)
        attempt = self.store.trials.begin(trial, self.study.id, f"runs/{trial}/1", {})
        if state != TrialState.RUNNING:
            self.store.trials.end_attempt(attempt, str(state), wall_seconds=2.0, cpu_seconds=1.0, peak_memory_bytes=1)
            self.store.trials.end(trial, state, value=value, **end)
        return self

    def decide(self, number, decision, effect=0.0):
        self.store.studies.decide(
            self.study.id, self.ids[number], self.ids[0], decision, f"said of {number}", {"effect": effect}
        )
        return self

    def read(self):
        return lineage_of(self.store, self.study)


@pytest.fixture
def recorder(tmp_path):
    with Store.open(tmp_path / FOLDER) as store:
        yield Recorder(store)


def node(number, parent, value=None, state="complete", decision=None):
    return Node(
        number=number, candidate=f"{number:020x}", proposer="p", parents=() if parent is None else (parent,),
        children=(), depth=0, note="", config={}, changes_code=False, state=state, reason="", decision=decision,
        sentence="", mean=value, value=value, runs=int(value is not None), fresh=0, trials=1, seconds=1.0,
    )  # fmt: skip


def tree(parents, values, direction: Direction = "maximize", decisions=None):
    """Make a lineage of numbers: the parent of each, its value, what was decided."""
    nodes = {}
    for number, (parent, value) in enumerate(zip(parents, values, strict=True)):
        nodes[number] = node(number, parent, value, decision=(decisions or {}).get(number))
        if parent is not None:
            above = nodes[parent]
            nodes[parent] = replace(above, children=(*above.children, number))
            nodes[number] = replace(nodes[number], depth=above.depth + 1)
    return Lineage(study="s", metric="m", direction=direction, nodes=nodes, spent={})


def test_children_stand_below_their_first_parent_and_tell_of_the_second(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 0).propose(3, 2, 1)
    read = recorder.read()
    assert [read.nodes[number].parents for number in range(4)] == [(), (0,), (0,), (2, 1)]
    assert read.nodes[2].children == (3,)
    assert read.nodes[1].children == ()
    assert [item.number for item in read.path(3)] == [0, 2, 3]
    assert read.nodes[3].depth == 2
    assert read.branched


@pytest.mark.parametrize("stranger", ["f" * 20, 2])
def test_whose_parent_is_unknown_or_came_later_descends_from_the_baseline(recorder, stranger):
    recorder.propose(0).propose(1, *([stranger] if isinstance(stranger, str) else []))
    recorder.propose(2, 1)
    assert recorder.read().nodes[1].parents == (0,)


def test_a_candidate_that_was_proposed_twice_stands_where_it_was_first(recorder):
    recorder.propose(0).propose(1, 0)
    recorder.store.studies.propose(recorder.study.id, 2, recorder.ids[1], "other", [recorder.ids[0]], "again")
    recorder.propose(3, 1)
    read = recorder.read()
    assert list(read.nodes) == [0, 1, 3]
    assert read.nodes[3].parent == 1


def test_fresh_runs_are_the_best_that_is_known_and_the_lucky_one_that_chose_it_is_not(recorder):
    recorder.propose(0).propose(1, 0).run(0, 1.0, role=Role.BASELINE)
    recorder.run(1, 2.0).run(1, 1.5, seed=1, role=Role.CONFIRM).run(1, 1.7, seed=2, role=Role.CONFIRM)
    found = recorder.read().nodes[1]
    assert found.value == pytest.approx(1.6)
    assert found.mean == pytest.approx(5.2 / 3)
    assert (found.runs, found.fresh, found.trials, found.seconds) == (3, 2, 3, 6.0)


def test_what_was_answered_from_the_record_costs_nothing(recorder):
    recorder.propose(0).run(0, 1.0).run(0, 1.1, seed=1, reused=True)
    found = recorder.read().nodes[0]
    assert (found.runs, found.trials, found.seconds) == (2, 1, 2.0)


def test_states_are_those_of_the_runs_and_failures_say_why(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 0).propose(3, 0)
    recorder.run(0, 1.0).run(0, state=TrialState.RUNNING, seed=1)
    recorder.run(1, state=TrialState.FAILED, reason=Reason.EXCEPTION, message="ValueError: no")
    recorder.run(2, state=TrialState.FAILED, reason=Reason.LOST, message="gone").run(2, 3.0, seed=1)
    nodes = recorder.read().nodes
    assert [nodes[number].state for number in range(4)] == ["running", "failed", "complete", "queued"]
    assert [nodes[number].reason for number in (1, 2)] == ["exception: ValueError: no", ""]


def test_the_best_is_what_was_accepted_with_the_largest_effect(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 1).propose(3, 2)
    recorder.run(0, 1.0).run(1, 2.0).run(2, 1.9).run(3, 9.0)
    recorder.decide(2, "accepted (as printed)", 0.9).decide(1, "accepted", 0.4)
    best = recorder.read().best
    assert best is not None
    assert best.number == 2
    assert best.accepted


def test_the_best_of_a_stream_is_what_was_accepted_last(tmp_path):
    with Store.open(tmp_path / FOLDER) as store:
        recorder = Recorder(store, rule="stream").propose(0).propose(1, 0).propose(2, 1)
        best = recorder.decide(1, "accepted", 0.9).decide(2, "accepted", 0.1).read().best
    assert best is not None
    assert best.number == 2


def test_without_a_verdict_the_best_has_the_best_value_that_is_believed(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 1).run(0, 1.0).run(1, 2.0).run(2, 1e9).decide(2, "flagged")
    best = recorder.read().best
    assert best is not None
    assert best.number == 1


def test_gains_are_positive_where_a_node_is_better_than_its_parent(tmp_path):
    with Store.open(tmp_path / FOLDER) as store:
        read = Recorder(store, direction="minimize").propose(0).propose(1, 0).run(0, 3.0).run(1, 2.5).read()
    assert read.gain(read.nodes[1]) == pytest.approx(0.5)
    assert read.gain(read.nodes[0]) is None


def test_the_dust_of_floating_point_is_no_gain(recorder):
    read = recorder.propose(0).propose(1, 0).run(0, 0.3).run(1, 0.1 + 0.2).read()
    assert read.nodes[1].value != read.nodes[0].value
    assert read.gain(read.nodes[1]) == 0.0


def test_the_uncertainty_of_a_value_comes_from_runs_that_differ_by_seed_alone(recorder):
    recorder.propose(0).propose(1, 0)
    for seed, value in enumerate((1.0, 1.2, 1.4)):
        recorder.run(0, value, seed=seed)
    recorder.run(1, 5.0)
    read = recorder.read()
    assert read.noise_sd == pytest.approx(0.2)
    assert read.half_width(read.nodes[1]) == pytest.approx(0.2)
    assert read.half_width(read.nodes[0]) == pytest.approx(0.2 / 3**0.5)


def test_an_unknown_number_says_which_there_are(recorder):
    read = recorder.propose(0).propose(1, 0).read()
    with pytest.raises(NotFound, match=r"has no candidate #7\. They go from 0, the baseline, to 1"):
        read.node(7)


def test_json_tells_the_tree_and_the_way_to_the_best(recorder):
    recorder.propose(0).propose(1, 0, note="wider").propose(2, 1).run(0, 1.0).run(1, 2.0).run(2, 3.0)
    told = recorder.decide(2, "accepted").read().to_json()
    assert (told["best"], told["best_lineage"], told["accepted"]) == (2, [0, 1, 2], [2])
    assert told["nodes"][1] | {"note": "wider", "children": (2,), "parents": (0,)} == told["nodes"][1]


def test_ten_thousand_nodes_are_read_and_folded_in_a_second(recorder):
    draw = random.Random(5)
    with recorder.store.database.write():
        for number in range(10_000):
            recorder.propose(number, *([draw.randrange(max(0, number - 50), number)] if number else []))
            trial = recorder.store.trials.create(recorder.ids[number], 0)
            recorder.store.places.add(recorder.study.id, trial, Role.SEARCH, number, reused=False)
            recorder.store.trials.end(trial, TrialState.COMPLETE, value=draw.random() + number / 1e4)
    began = time.process_time()
    folded = fold(recorder.read(), 40)
    assert time.process_time() - began < 1.0
    assert folded is not None
    assert counted(folded) == 10_000


def counted(folded):
    hidden = [*folded.skipped.values(), *folded.beside.values()]
    return len(folded.shown) + sum(item.count + item.generations for item in hidden)


@st.composite
def lineages(draw):
    size = draw(st.integers(1, 60))
    parents = [None, *(draw(st.integers(0, number - 1)) for number in range(1, size))]
    values = [draw(st.none() | st.integers(-5, 5).map(float)) for _ in range(size)]
    decided = draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from(["accepted", "rejected"]), max_size=5))
    return tree(parents, values, decisions=decided)


@given(lineages(), st.integers(3, 40))
def test_no_node_is_lost_by_folding_and_none_is_shown_twice(lineage, limit):
    folded = fold(lineage, limit)
    assert folded is not None
    below = [child for children in folded.children.values() for child in children]
    assert sorted([folded.first, *below]) == folded.shown
    skipped = sum(item.count for item in folded.skipped.values())
    between = {
        above.number for number in folded.shown for above in lineage.path(number) if above.number not in folded.children
    }
    beside = sum(item.count for item in folded.beside.values())
    assert len(folded.shown) + len(between) + skipped + beside == len(lineage)


@given(lineages())
def test_without_a_limit_everything_is_shown(lineage):
    folded = fold(lineage, None)
    assert folded is not None
    assert folded.shown == list(lineage.nodes)
    assert not folded.skipped
    assert not folded.beside


def test_the_way_to_the_best_is_shown_in_full_and_the_rest_is_counted_with_its_best():
    parents = [None, *range(10), *([3] * 50), *([5] * 50)]
    values = [float(number) for number in range(11)] + [2.0 + number / 100 for number in range(100)]
    folded = fold(tree(parents, values), 14)
    assert folded is not None
    assert set(range(11)) <= set(folded.shown)
    assert sum(item.count for item in folded.beside.values()) == 111 - len(folded.shown)
    best = folded.beside[5].best
    assert best is not None
    assert best.value == max(values[number] for number in range(61, 111) if number not in folded.shown)


def test_a_way_of_hundreds_of_generations_keeps_its_ends_and_its_largest_steps():
    values = [number / 1000 + (1.0 if number >= 217 else 0.0) for number in range(400)]
    folded = fold(tree([None, *range(399)], values), 30)
    assert folded is not None
    assert {0, 217, 399} <= set(folded.shown)
    assert len(folded.shown) + len(folded.skipped) <= 34
    assert counted(folded) == 400


def test_lines_fork_as_rarely_as_the_logarithm_allows():
    """Who has most below goes on its parent's line: a comb of 500 teeth needs one fork at a time, not 500."""
    parents: list[int | None] = [None]
    spine = 0
    for number in range(1, 1000, 2):
        parents += [spine, spine]
        spine = number
    folded = fold(tree(parents, [None] * len(parents)), None)
    assert folded is not None
    forks = {folded.first: 0}
    for number in folded.shown:
        for place, child in enumerate(folded.children[number]):
            forks[child] = forks[number] + (place > 0)
    assert max(forks.values()) == 1


def test_a_wanted_node_is_shown_with_the_way_to_it():
    parents = [None, *([0] * 200), 77, 201, 202]
    folded = fold(tree(parents, [1.0, *([5.0] * 200), 0.0, 0.0, 0.0]), 10, wanted=[203])
    assert folded is not None
    assert {0, 77, 201, 202, 203} <= set(folded.shown)


def test_the_part_around_a_node_is_its_ancestors_and_descendants(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 1).propose(3, 1).propose(4, 2).propose(5, 0)
    part = recorder.read().around(2)
    assert list(part.nodes) == [0, 1, 2, 4]
    assert part.nodes[1].children == (2,)


def test_an_idea_is_the_turned_knobs_and_the_proposers_words_made_plain(recorder):
    recorder.propose(0).propose(1, 0, note="wider \x1b[31mred\x1b[0m\nand deeper")
    read = recorder.read()
    changes = Changes(recorder.store, recorder.study, read)
    assert changes.idea(read.nodes[0]) == "the baseline"
    assert changes.idea(read.nodes[1]) == "x 0 → 1 (wider [31mred [0m and deeper)"


def test_values_that_four_digits_cannot_tell_apart_are_written_longer(recorder):
    ids = [recorder.store.studies.add_candidate("e" * 20, {"lr": lr}) for lr in (0.0100001, 0.0100002)]
    recorder.store.studies.propose(recorder.study.id, 0, ids[0], "baseline")
    recorder.store.studies.propose(recorder.study.id, 1, ids[1], "p", [ids[0]])
    read = recorder.read()
    assert Changes(recorder.store, recorder.study, read).idea(read.nodes[1]) == "lr 0.0100001 → 0.0100002"


# in the report


def section_of(recorder):
    text = write_report(recorder.store, recorder.store.studies.get("night")).read_text(encoding="utf-8")
    found = re.search(r'<section id="lineage">.*?</section>', text, re.DOTALL)
    return "" if found is None else found[0]


def test_the_report_of_a_plain_study_has_no_lineage(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 0).run(0, 1.0).run(1, 2.0).run(2, 3.0)
    assert section_of(recorder) == ""


def test_the_report_draws_every_candidate_and_tells_the_way_to_the_best(recorder):
    recorder.propose(0).propose(1, 0, note="wider & deeper").propose(2, 1, note="slower").propose(3, 1, note="worse")
    recorder.propose(4, 2).run(0, 1.0).run(1, 2.0).run(2, 2.5).run(3, 0.5)
    recorder.run(4, state=TrialState.FAILED, reason=Reason.EXCEPTION, message="no").decide(2, "accepted").decide(
        3, "rejected"
    )
    section = section_of(recorder)
    ElementTree.fromstring(section)  # well formed
    assert sorted(re.findall(r'class="point node ([^"]+)" data-c="(\d)"', section)) == [
        ("accepted on", "2"), ("complete on", "1"), ("first on", "0"), ("rejected", "3"),
    ]  # fmt: skip
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", section, re.DOTALL)[1:]
    shown = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    assert [row[0] for row in shown] == ["0", "1", "2"]
    assert "wider &amp; deeper" in rows[1]
    assert "+0.5" in shown[2]
    assert "accepted" in shown[2]
    assert 'class="tick"' in section


def test_what_has_no_better_child_yet_is_drawn_without_a_way(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 1).run(0, 9.0).run(1, 2.0).run(2, 2.5)
    section = section_of(recorder)
    ElementTree.fromstring(section)
    assert "Nothing is better than the baseline" in section
    assert "<table" not in section


def test_a_score_that_is_not_believed_does_not_stretch_the_axis(recorder):
    recorder.propose(0).propose(1, 0).propose(2, 1).run(0, 1.0).run(1, 2.0).run(2, 1e9).decide(2, "flagged")
    labels = re.findall(r'text-anchor="end">([^<]+)</text>', section_of(recorder))
    assert "2.0" in labels


def test_thousands_of_candidates_stay_a_small_picture(recorder):
    draw = random.Random(2)
    with recorder.store.database.write():
        for number in range(3000):
            recorder.propose(number, *([draw.randrange(max(0, number - 30), number)] if number else []))
            trial = recorder.store.trials.create(recorder.ids[number], 0)
            recorder.store.places.add(recorder.study.id, trial, Role.SEARCH, number, reused=False)
            recorder.store.trials.end(trial, TrialState.COMPLETE, value=draw.random() + number / 1e3)
    section = section_of(recorder)
    ElementTree.fromstring(section)
    assert len(section) < 150_000
    assert 'class="crowd"' in section


def test_the_table_of_candidates_stays_the_one_that_sorts(recorder):
    """The page's script takes the first table of the class `candidates`, and a button in each of its headers."""
    recorder.propose(0).propose(1, 0).propose(2, 1).run(0, 1.0).run(1, 2.0).run(2, 3.0)
    assert not re.search(r'class="[^"]*\bcandidates\b', section_of(recorder))
