"""The report on real stores: what it shows, what it escapes, and that it stands alone."""

import base64
import hashlib
import html
import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headway.studies.report as report_package
from headway.core import Choice, Direction, Float, Int, Reason, Role, Space, TrialState
from headway.store import Curve, Point, RunLog, Store
from headway.studies.report import write_report
from headway.studies.report.markup import Html, join, tag
from headway.studies.report.scale import Scale
from headway.studies.report.traces import thin
from headway.studies.summary import summarize
from headway.validate import compare_paired

SPACE = Space.of(
    {
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "layers": Int(2, 12),
        "optimizer": Choice(["adamw", "muon", "sgd"]),
        "warmup": Float(0.0, 0.2),
        "steps": 400,
    }
)
BASELINE = {"learning_rate": 3e-3, "layers": 6, "optimizer": "adamw", "warmup": 0.05, "steps": 400}


class FixedClock:
    def now(self):
        return 1_760_000_000.0

    def monotonic(self):
        return 0.0


class Recorder:
    """Write a study as the engine would, without running anything."""

    def __init__(self, store, name="tiny-gpt", metric="val_loss", direction: Direction = "minimize"):
        self.store, self.metric = store, metric
        self.direction: Direction = direction
        self.study = store.studies.create(
            name=name,
            definition={
                "experiment": {"name": "train"}, "direction": direction, "space": SPACE.to_json(), "baseline": BASELINE,
                "sampler": "tpe", "scheduler": "asha", "seeds": 4, "finalists": 2, "seed": 0, "level": 0.95,
            },
            settings={"budget": {"trials": 48, "seconds": 7200.0}},
            source="examples/study.py",
            experiment="e" * 20,
            metric=metric,
            direction=direction,
        )  # fmt: skip
        self.candidates = {}

    def propose(self, number, config, proposer="tpe", parents=()):
        self.candidates[number] = self.store.studies.add_candidate("e" * 20, config)
        self.store.studies.propose(self.study.id, number, self.candidates[number], proposer, parents)

    def trial(
        self, number, seed, role, *, state=TrialState.COMPLETE, value=None, points=(), wall=20.0, reused=False, **end
    ):
        trial = self.store.trials.create(self.candidates[number], seed)
        self.store.places.add(self.study.id, trial, role, number, reused=reused)
        if state == TrialState.QUEUED:
            return trial
        attempt = self.store.trials.begin(trial, self.study.id, f"runs/{trial}/1", {})
        self.store.curves.fold(trial, attempt, points)
        if state != TrialState.RUNNING:
            self.store.trials.end_attempt(
                attempt, str(state), wall_seconds=wall, cpu_seconds=wall * 1.5, peak_memory_bytes=3 << 28
            )
            self.store.trials.end(trial, state, value=value, **end)
        return trial

    def decide(self, number, finalists=1):
        by_seed = {}
        for place in self.store.places.of_study(self.study.id):
            if place.role != Role.SEARCH and place.trial.seed > 0 and place.trial.value is not None:
                by_seed.setdefault(place.number, {})[place.trial.seed] = place.trial.value
        found = compare_paired(
            by_seed[number], by_seed[0], metric=self.metric, direction=self.direction, comparisons=finalists
        )
        data = found.to_json()
        decision, sentence = data.pop("decision"), data.pop("sentence")
        self.store.studies.decide(
            self.study.id, self.candidates[number], self.candidates[0], str(decision), sentence,
            data | {"seeds": sorted(by_seed[number].keys() & by_seed[0].keys())},
        )  # fmt: skip

    def write(self):
        path = write_report(self.store, self.summary().study, clock=FixedClock())
        return path.read_text(encoding="utf-8")

    def summary(self):
        return summarize(self.store, self.store.studies.get(self.study.name))


def training(draw, final, horizon=400, until=400):
    points = []
    for step in range(0, until, 2):
        loss = final + 7.5 * math.exp(-step / 12) + 0.9 * math.exp(-step / 110) + draw.gauss(0, 0.012)
        points.append(Point("val_loss", step, loss, step * 0.05))
        points.append(Point("train_loss", step, loss - 0.08 + draw.gauss(0, 0.05), step * 0.05))
        points.append(Point("lr", step, 3e-3 * (1 - step / horizon), step * 0.05))
        points.append(Point("grad_norm", step, math.exp(draw.gauss(0, 0.4)) + (40 if step == 4 else 0), step * 0.05))
    return points


def final_of(config, draw):
    lr = math.log10(config["learning_rate"] / 9e-3)
    tilt = {"adamw": 0.0, "muon": -0.06, "sgd": 0.25}[config["optimizer"]]
    return 3.2 + 0.16 * lr * lr - 0.012 * (config["layers"] - 6) + tilt + draw.gauss(0, 0.006)


class Rich:
    """Record a study with all that there can be: verdicts, early stops, crashes, NaN, identical and running trials."""

    def __init__(self, store):
        self.store, self.draw, self.study = store, random.Random(3), Recorder(store)
        self.noise = {seed: self.draw.gauss(0, 0.02) for seed in range(5)}
        self.complete = []

    def run(self, number, config, seed, role, **more):
        value = final_of(config, self.draw) + self.noise[seed]
        points = training(self.draw, value)
        self.study.trial(number, seed, role, value=value, points=points, step=400, horizon=400, **more)

    def search(self, number, config):
        if number in (5, 11, 17):
            self.crash(number)
        elif number == 14:
            self.diverge(number)
        elif number % 4 == 2:
            self.stop(number, config)
        else:
            self.run(number, config, 0, Role.SEARCH)
            self.complete.append((final_of(config, random.Random(0)), number, config))

    def stop(self, number, config):
        value = final_of(config, self.draw) + 0.4
        self.study.trial(
            number, 0, Role.SEARCH, state=TrialState.STOPPED, reason=Reason.SCHEDULER, value=value, wall=6.0,
            message="at step 100 it was 14th of 17", step=100, horizon=400,
            points=training(self.draw, value, until=100),
        )  # fmt: skip

    def crash(self, number):
        message = f"OutOfMemoryError: tried to allocate {number}.2 GiB on a device with 8 GiB"
        self.study.trial(
            number, 0, Role.SEARCH, state=TrialState.FAILED, reason=Reason.EXCEPTION, wall=3.0,
            fingerprint="a41f09c3d2e1", message=message + '\n  File "train.py", line 41, in step\n    loss.backward()',
        )  # fmt: skip

    def diverge(self, number):
        points = training(self.draw, 3.4, until=160)
        points += [Point("val_loss", 160 + i, math.nan if i else math.inf, 9.0) for i in range(4)]
        self.study.trial(
            number, 0, Role.SEARCH, state=TrialState.FAILED, reason=Reason.NOT_FINITE, wall=8.0,
            message="val_loss is nan at step 161", points=points, step=163, horizon=400,
        )  # fmt: skip

    def confirm(self):
        finalists = [item[1:] for item in sorted(self.complete, key=lambda item: item[0])[:3]]
        finalists.append(next((number, config) for value, number, config in self.complete if value > 3.35))
        for number, config in finalists:
            for seed in range(1, 5):
                self.run(number, config, seed, Role.CONFIRM)
        for number, _ in finalists:
            self.study.decide(number, len(finalists))


def rich(store):
    made = Rich(store)
    study, draw = made.study, made.draw
    study.propose(0, BASELINE, "baseline")
    for seed in range(5):
        made.run(0, BASELINE, seed, Role.BASELINE, reused=seed == 3)
    for number in range(1, 25):
        config = SPACE.at([draw.random() for _ in SPACE.parameters])
        study.propose(number, config, "queue" if number == 9 else "tpe", (study.candidates[0],))
        made.search(number, config)
    study.propose(25, {**BASELINE, "warmup": 0.06}, "agent:claude")
    same = study.summary().candidates[0].value
    study.trial(25, 0, Role.SEARCH, value=same, points=training(draw, same), step=400, horizon=400)
    study.propose(26, {**BASELINE, "layers": 8}, "agent:claude")
    study.trial(26, 0, Role.SEARCH, state=TrialState.RUNNING, points=training(draw, 3.2, until=60))
    study.propose(27, {**BASELINE, "layers": 9}, "agent:claude")
    study.trial(27, 0, Role.SEARCH, state=TrialState.QUEUED)
    made.confirm()
    sentence = "Identical: with seed 0 it gives the baseline's curves, bit for bit."
    store.studies.decide(study.study.id, study.candidates[25], study.candidates[0], "identical", sentence, {})
    for kind, amount in (("trials", 39), ("seconds", 430.0), ("slot seconds", 860.0), ("busy slot seconds", 790.0)):
        store.studies.charge(study.study.id, kind, amount)
    store.studies.set_state(study.study.id, "finished")
    return study


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / ".headway") as opened:
        yield opened


class Outline(HTMLParser):
    """Read a page as a browser does: which elements it has, with which attributes, and whether they all close."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)

    def all(self, tag, **wanted):
        names = {key.rstrip("_").replace("_", "-"): value for key, value in wanted.items()}
        return [had for name, had in self.elements if name == tag and names.items() <= had.items()]

    def lines(self):
        return [had for had in self.all("path") if "line" in had["class"].split() and "data-c" in had]


def test_the_title_is_the_verdict_and_every_part_is_there(store):
    study = rich(store)
    page = study.write()
    outline = Outline(page)
    sentence = study.summary().sentence
    assert "accepted" in sentence
    assert f"<h1>{html.escape(sentence)}</h1>" in page
    sections = {had["id"] for had in outline.all("section")}
    assert sections == {"figures", "verdicts", "curves", "candidates", "varied", "failures"}
    for words in ("Trials per hour", "Idea to verdict", "Idle", "Wasted", "Saved", "7 min 10 s", "of 2 h 00 min"):
        assert words in outline.text
    best = study.summary().best
    assert best is not None
    assert f"headway reproduce {best.trials[0].trial.id}" in page
    assert "headway export tiny-gpt" in page
    assert "2025-10-09 08:53 UTC" in page


def test_the_effect_is_written_with_the_digits_of_its_interval(store):
    study = rich(store)
    verdict = study.summary().verdicts[0]
    (estimate,) = re.findall(r"by (\S+ ± \S+)", verdict.sentence)
    effect = f"{'' if verdict.data['effect'] > 0 else '−'}{estimate}"
    assert f">{effect}</text>" in study.write()


def test_losing_stopped_failed_and_waiting_candidates_stay_in_the_table(store):
    study = rich(store)
    outline = Outline(study.write())
    assert sorted(int(row["data-c"]) for row in outline.all("tr") if "data-c" in row) == list(range(28))
    shown = {"accepted": "●", "identical": "=", "running": "▶", "stopped": "▽", "failed": "!", "queued": "○"}
    for word, shape in shown.items():
        assert outline.all("span", class_=f"mark {word}")
        assert shape in outline.words


def test_a_stopped_trial_is_not_compared_with_a_whole_one(store):
    page = rich(store).write()
    (row,) = re.findall(r'<tr id="c2" .*?</tr>', page, re.DOTALL)
    assert "at step 100" in row
    assert "worse" not in row
    assert "better" not in row


def test_the_page_fetches_nothing_and_runs_only_its_own_script(store):
    page = rich(store).write()
    outline = Outline(page)
    policy = outline.all("meta", http_equiv="Content-Security-Policy")[0]["content"]
    assert policy.startswith("default-src 'none'")
    (script,), (style,) = (re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL) for name in ("script", "style"))
    for text in (script, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    for _, had in outline.elements:
        assert "style" not in had
        assert "src" not in had
        assert not any(name.startswith("on") for name in had)
        assert had.get("href", "#").startswith(("#", "data:,"))
    assert not re.search(r"https?://|@import|url\((?!#)", page)


def test_the_page_names_no_folder_of_the_machine(store):
    study = rich(store)
    root = store.folder.parent
    study.propose(30, {**BASELINE, "layers": 3}, "tpe")
    study.trial(30, 0, Role.SEARCH, state=TrialState.FAILED, reason=Reason.EXCEPTION,
                message=f"FileNotFoundError: '{root}/data/train.bin', '{Path.home()}/tokens.bin'")  # fmt: skip
    page = study.write()
    assert str(root) not in page
    assert str(Path.home()) not in page
    assert "&#x27;data/train.bin&#x27;" in page


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)> \"'&\x00"


def test_whatever_a_trial_or_a_proposer_wrote_is_escaped(store):
    study = Recorder(store, metric=EVIL, name="fine")
    study.propose(0, {**BASELINE, EVIL: EVIL}, EVIL)
    study.trial(0, 0, Role.BASELINE, value=1.0, points=[Point(EVIL, 0, 1.0, 0.0), Point(f"b{EVIL}", 1, 1.0, 0.0)])
    study.propose(1, {**BASELINE, "optimizer": EVIL}, EVIL)
    study.trial(1, 0, Role.SEARCH, state=TrialState.FAILED, reason=Reason.EXCEPTION, message=EVIL, fingerprint=EVIL)
    store.studies.decide(study.study.id, study.candidates[1], study.candidates[0], EVIL, EVIL,
                         {"effect": 1.0, "low": 0.5, "high": 1.5, "pairs": EVIL, "seeds": [1]})  # fmt: skip
    page = study.write()
    outline = Outline(page)
    assert len(outline.all("script")) == 1
    assert not outline.all("img")
    assert "<img" not in page


def test_a_message_with_lone_surrogates_can_be_written(store):
    study = Recorder(store)
    study.propose(0, BASELINE, "baseline")
    study.trial(0, 0, Role.BASELINE, state=TrialState.FAILED, reason=Reason.EXCEPTION, message="no file t\udcc3ta")
    assert "no file" in study.write()


def test_a_study_without_trials_says_what_to_type(store):
    page = Recorder(store).write()
    outline = Outline(page)
    assert "No verdict yet." in outline.text
    assert "headway run examples/study.py" in outline.text
    assert "run.log(step, val_loss=...)" in outline.text
    assert not outline.all("section", id="failures")


def test_a_study_of_failures_groups_them_by_fingerprint(store):
    study = Recorder(store)
    for number in range(5):
        study.propose(number, {**BASELINE, "layers": 2 + number}, "tpe")
        study.trial(number, 0, Role.BASELINE if number == 0 else Role.SEARCH, state=TrialState.FAILED,
                    reason=Reason.EXCEPTION, message=f"ValueError: {number}", wall=2.0,
                    fingerprint="aaaaaaaaaaaa" if number < 4 else "bbbbbbbbbbbb")  # fmt: skip
    outline = Outline(study.write())
    assert "Failures: 5 trials, 2 causes" in outline.text
    assert "8.0 s lost" in outline.text
    assert len(outline.all("article")) == 2


@pytest.mark.parametrize(
    "values",
    [
        [math.nan] * 5,
        [math.inf, -math.inf],
        [1.0, math.nan, 2.0, math.inf, 3.0],
        [1e308, -1e308, 0.0],
        [5e-324, 0.0],
        [7.0],
        [2.0] * 10,
    ],
)
def test_curves_of_any_values_are_drawn_with_finite_coordinates(store, values):
    study = Recorder(store)
    study.propose(0, BASELINE, "baseline")
    study.trial(0, 0, Role.BASELINE, value=1.0, points=[Point("val_loss", 3 * i, v, 0.0) for i, v in enumerate(values)])
    outline = Outline(study.write())
    for line in outline.lines():
        assert re.fullmatch(r"(M-?[\d.]+ -?[\d.]+(L-?[\d.]+ -?[\d.]+)+)*", line["d"])
    if not all(math.isfinite(value) for value in values) and any(math.isfinite(value) for value in values):
        assert "not finite at step" in outline.text


def y_axis(page):
    low, high, *_ = re.findall(r'data-y="([^"]+)"', page)[0].split()
    return float(low), float(high)


def test_an_early_spike_does_not_rule_the_axis_and_the_page_says_so(store):
    study = Recorder(store)
    study.propose(0, BASELINE, "baseline")
    values = [1e6 if step == 3 else 3.0 + math.exp(-step / 100) for step in range(1000)]
    study.trial(0, 0, Role.BASELINE, value=3.0, points=[Point("val_loss", i, v, 0.0) for i, v in enumerate(values)])
    page = study.write()
    low, high = y_axis(page)
    assert 2.5 < low < high < 5
    assert "as far as 1e+06" in page


def test_the_last_value_of_the_baseline_is_never_cut_off(store):
    study = Recorder(store)
    for number in range(12):
        study.propose(number, {**BASELINE, "layers": number + 2}, "tpe")
        end = 50.0 if number == 0 else 1.0
        points = [Point("val_loss", step, end + step / 1e6, 0.0) for step in range(100)]
        study.trial(number, 0, Role.SEARCH if number else Role.BASELINE, value=end, points=points)
    low, high = y_axis(study.write())
    assert low < 1.0 < 50.0 < high


def test_a_running_trial_shows_what_it_logged_so_far(store):
    study = Recorder(store)
    study.propose(0, BASELINE, "baseline")
    trial = study.trial(0, 0, Role.BASELINE, state=TrialState.RUNNING)
    folder = store.folder / "runs" / str(trial) / "1"
    folder.mkdir(parents=True)
    log = RunLog(folder / "main.runlog")
    for step in range(20):
        log.point("val_loss", step, 3.0 - step / 100)
    log.close()
    assert len(Outline(study.write()).lines()) == 1


def test_only_the_eight_commonest_metrics_are_drawn(store):
    study = Recorder(store)
    study.propose(0, BASELINE, "baseline")
    points = [Point(f"layer{index}.norm", step, step * 1.0, 0.0) for index in range(30) for step in range(3)]
    study.trial(0, 0, Role.BASELINE, value=1.0, points=[*points, Point("val_loss", 0, 1.0, 0.0)])
    outline = Outline(study.write())
    figures = outline.all("figure", class_="curves")
    assert len(figures) == 8
    assert figures[0]["data-metric"] == "val_loss"
    assert "hidden" not in figures[0]
    assert all("hidden" in figure for figure in figures[1:])
    assert "23 rarer metrics not shown" in outline.text


def test_a_parameter_needs_six_complete_trials_before_it_is_drawn(store):
    study = Recorder(store)
    study.propose(0, BASELINE, "baseline")
    study.trial(0, 0, Role.BASELINE, value=3.0)
    for number in range(1, 7):
        study.propose(number, {**BASELINE, "layers": 2 + number, "optimizer": "sgd"}, "tpe")
        assert not [
            svg for svg in Outline(study.write()).all("svg") if svg.get("aria-label") == "val_loss against layers"
        ]
        study.trial(number, 0, Role.SEARCH, value=3.0 + number / 10)
    labels = [svg.get("aria-label") for svg in Outline(study.write()).all("svg")]
    assert [label for label in labels if label and "against" in label and "step" not in label] == [
        f"val_loss against {name}" for name in sorted(SPACE.parameters)
    ]


def test_a_verdict_without_numbers_is_told_in_words(store):
    study = Recorder(store)
    for number in (0, 1):
        study.propose(number, {**BASELINE, "layers": 5 + number}, "tpe")
        study.trial(number, 0, Role.SEARCH if number else Role.BASELINE, value=3.0)
    sentence = "Undecided: fewer than two pairs of fresh seeds ran to their end."
    store.studies.decide(study.study.id, study.candidates[1], study.candidates[0], "undecided", sentence, {"pairs": 1})
    outline = Outline(study.write())
    assert sentence in outline.words
    assert not outline.all("figure", class_="forest")


def test_higher_is_better_where_the_study_maximizes(store):
    study = Recorder(store, direction="maximize", metric="accuracy")
    for number in (0, 1):
        study.propose(number, {**BASELINE, "layers": 6 + number}, "tpe")
        for seed in range(4):
            role = Role.BASELINE if number == 0 else Role.CONFIRM if seed else Role.SEARCH
            study.trial(number, seed, role, value=0.7 + 0.1 * number + 0.001 * seed * (1 + number))
    study.decide(1)
    outline = Outline(study.write())
    assert "↑ higher is better" in outline.text
    assert "+0.1000" in outline.text.replace("  ", " ") or "+0.100" in outline.text
    assert " better " in f" {outline.text} "
    assert outline.all("span", class_="mark accepted")


@pytest.mark.parametrize("name", ["../../escape", "a/b", ".hidden", "a b", "x" * 300, "ü-study", "", "con\n"])
def test_a_study_name_never_leaves_the_reports_folder(store, name):
    path = store.report_path(name)
    assert path.parent == store.folder / "reports"
    assert re.fullmatch(r"[\w.+ -]{1,110}", path.name)
    assert not path.name.startswith(".")
    study = Recorder(store, name=name)
    study.write()
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_names_that_differ_only_in_what_is_replaced_keep_apart(store):
    assert store.report_path("a/b") != store.report_path("a:b")
    assert store.report_path("plain-name_1.2").name == "plain-name_1.2.html"


def test_an_interrupted_write_leaves_the_old_report(store, monkeypatch):
    study = Recorder(store)
    path = write_report(store, study.summary().study, clock=FixedClock())
    before = path.read_bytes()
    study.propose(0, BASELINE, "baseline")

    def broken(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(OSError, match="No space left"):
        write_report(store, study.summary().study, clock=FixedClock())
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_equal_records_give_equal_bytes(store):
    study = rich(store)
    assert study.write() == study.write()


def test_a_thousand_candidates_stay_within_a_few_megabytes(store):
    study = Recorder(store)
    draw = random.Random(0)
    with store.database.write():
        for number in range(1000):
            study.propose(number, {**BASELINE, "learning_rate": 1e-4 * 1.005**number, "layers": 2 + number % 11}, "tpe")
            points = [Point("val_loss", step, draw.random(), 0.0) for step in range(100)]
            study.trial(number, 0, Role.SEARCH if number else Role.BASELINE, value=draw.random(), points=points)
    assert len(study.write()) < 4_000_000


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=900), st.integers(10, 200))
def test_thinning_keeps_ends_extremes_and_breaks(values, limit):
    steps, kept = thin(Curve(range(len(values)), values), limit)
    assert len(kept) <= max(limit * 3 / 2, 3)
    assert [values[step] for step in steps] == pytest.approx(kept, nan_ok=True, abs=0, rel=0)
    assert steps[0] == 0
    assert steps[-1] == len(values) - 1
    assert list(steps) == sorted(set(steps))
    finite, all_finite = ([value for value in some if math.isfinite(value)] for some in (kept, values))
    assert (min(finite, default=0), max(finite, default=0)) == (min(all_finite, default=0), max(all_finite, default=0))
    assert all(map(math.isfinite, kept)) == all(map(math.isfinite, values))


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.booleans(), st.integers(2, 9))
def test_ticks_are_few_different_and_on_the_axis(one, other, log, wanted):
    scale = Scale.over(one, other, 0.0, 100.0, log=log)
    ticks = scale.ticks(wanted)
    assert len(ticks) <= 3 * wanted + 2
    for value, _ in ticks:
        assert -1 <= scale.at(value) <= 101
    assert all(math.isfinite(scale.at(value)) for value in (one, other, 0.0, math.inf, -math.inf))


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (0.0, 1.0, False, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 12_000, False, ["0", "5k", "10k"]),
        (-0.03, 0.05, False, ["−0.02", "0.00", "0.02", "0.04"]),
        (1e-4, 1e-1, True, ["1e−4", "0.001", "0.01", "0.1"]),
        (1e-3, 1e-2, True, ["0.001", "0.003", "0.01"]),
    ],
)
def test_ticks_read_as_people_write_them(low, high, log, texts):
    wanted = 3 if high == 12_000 else 5
    assert [text for _, text in Scale.over(low, high, 0, 100, log=log).ticks(wanted)] == texts


def test_markup_escapes_all_but_markup():
    assert tag("b", "<", Html("<i/>")) == "<b>&lt;<i/></b>"
    assert tag("a", title='"', data_x="<", hidden=None) == '<a title="&quot;" data-x="&lt;"></a>'
    assert join(["<", Html("<br/>")], between="&") == "&lt;&amp;<br/>"


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_colour_has_the_contrast_that_reading_needs(dark):
    style = (Path(report_package.__file__).parent / "report.css").read_text(encoding="utf-8")
    light_tokens, dark_tokens = style.split("@media (prefers-color-scheme: dark)")
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light_tokens))
    if dark:
        tokens |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark_tokens.split("* {")[0]))
    for ground in ("paper", "card", "hot", "better"):
        for ink in ("ink", "soft", "accent", "accepted", "rejected", "undecided", "failed", "running"):
            assert contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)


def test_the_style_keeps_to_three_type_sizes_and_no_colour_outside_the_tokens():
    style = (Path(report_package.__file__).parent / "report.css").read_text(encoding="utf-8")
    rules = style.split("* {", 1)[1]
    assert set(re.findall(r"font-size: ([^;]+);", rules)) <= {"var(--small)", "var(--text)", "var(--large)"}
    assert not re.search(r"#[0-9a-f]{3,6}\b(?!\s*\{)", rules)
