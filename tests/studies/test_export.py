"""Tables of real stores, read back with polars and the standard library."""

import csv
import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import MissingExtra, NothingToDo, Reason, Role, TrialState
from headway.store import Point, RunLog, Store
from headway.studies.export import export_curves, export_study
from headway.studies.report.replacing import replacing
from headway.studies.summary import summarize

FIRST = [
    "study", "number", "role", "trial", "candidate", "seed", "state", "reason", "message", "value", "step", "horizon",
    "wall_seconds", "cpu_seconds", "peak_memory_bytes", "proposer", "parents", "decision", "reused", "created",
    "started", "ended",
]  # fmt: skip
CONFIGS = [
    {"lr": 0.1, "layers": 4, "norm": "rms", "size": 8, "mixed": 3, "flag": True, "shape": [1, 2]},
    {"lr": 1, "layers": 6, "norm": "layer", "size": 0.5, "mixed": "auto", "flag": False, "shape": [3]},
    {"lr": 0.3, "layers": 6, "norm": None, "size": 2, "mixed": 2.5, "flag": True, "extra": "only, \"here\"\n"},
]  # fmt: skip


class StepClock:
    def __init__(self):
        self.seconds = 1_760_000_000.0

    def now(self):
        self.seconds += 0.25
        return self.seconds

    def monotonic(self):
        return self.seconds


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / ".headway", clock=StepClock()) as opened:
        yield opened


def create(store, name="tiny"):
    return store.studies.create(
        name=name, definition={"baseline": CONFIGS[0], "space": {"parameters": {}, "constants": {}}, "seed": 0},
        settings={}, source="study.py", experiment="e" * 20, metric="loss", direction="minimize",
    )  # fmt: skip


@pytest.fixture
def study(store):
    """A baseline with two seeds, one of them reused; a crash; a running trial that has logged but was not folded."""
    made = create(store)
    candidates = [store.studies.add_candidate("e" * 20, config) for config in CONFIGS]
    for number, candidate in enumerate(candidates):
        parents = candidates[:number]
        store.studies.propose(made.id, number, candidate, "baseline" if number == 0 else "tpe", parents)
    for seed in (0, 1):
        trial = store.trials.create(candidates[0], seed)
        store.places.add(made.id, trial, Role.BASELINE, 0, reused=seed == 1)
        attempt = store.trials.begin(trial, made.id, f"runs/{trial}/1", {})
        values = [2.0, math.nan, math.inf, -math.inf, 1.5]
        points = [Point("loss", 10 * i, v, 0.0) for i, v in enumerate(values)] + [Point("acc", 40, 0.9, 0.0)]
        store.curves.fold(trial, attempt, points)
        store.trials.end_attempt(attempt, "complete", wall_seconds=4.0, cpu_seconds=7.5, peak_memory_bytes=1 << 33)
        store.trials.end(trial, TrialState.COMPLETE, value=1.5, metrics={"loss": 1.5, "acc": 0.9}, step=50, horizon=50)
    crashed = store.trials.create(candidates[1], 0)
    store.places.add(made.id, crashed, Role.SEARCH, 1, reused=False)
    store.trials.begin(crashed, made.id, f"runs/{crashed}/1", {})
    store.trials.end(crashed, TrialState.FAILED, reason=Reason.EXCEPTION, message='a "b",\nc')
    running = store.trials.create(candidates[2], 0)
    store.places.add(made.id, running, Role.SEARCH, 2, reused=False)
    store.trials.begin(running, made.id, f"runs/{running}/1", {})
    folder = store.run_folder(running) / "1"
    folder.mkdir(parents=True)
    log = RunLog(folder / "main.runlog")
    log.point("loss", 0, 2.5)
    log.close()
    store.studies.decide(made.id, candidates[1], candidates[0], "rejected", "It crashed.", {})
    return made


def summary(store, study):
    return summarize(store, store.studies.get(study.name))


def test_csv_has_one_row_a_trial_and_one_column_a_fact(store, study, tmp_path):
    export_study(store, summary(store, study), tmp_path / "t.csv", "csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *FIRST, "metric_acc", "metric_loss", "config_extra", "config_flag", "config_layers", "config_lr",
        "config_mixed", "config_norm", "config_shape", "config_size",
    ]  # fmt: skip
    assert [(row["number"], row["seed"], row["state"], row["reused"]) for row in rows] == [
        ("0", "0", "complete", "false"), ("0", "1", "complete", "true"), ("1", "0", "failed", "false"),
        ("2", "0", "running", "false"),
    ]  # fmt: skip
    assert rows[0]["created"].startswith("2025-10-09T08:53:2")
    assert datetime.fromisoformat(rows[0]["created"]) == datetime.fromtimestamp(store.trials.get(1).created, UTC)
    assert rows[2]["message"] == 'a "b",\nc'
    assert rows[2]["decision"] == "rejected"
    assert rows[3]["ended"] == rows[3]["value"] == ""
    assert rows[3]["parents"].split() == [rows[0]["candidate"], rows[2]["candidate"]]
    assert [row["config_mixed"] for row in rows] == ["3", "3", "auto", "2.5"]


def test_parquet_gives_every_column_one_type(store, study, tmp_path):
    export_study(store, summary(store, study), tmp_path / "t.parquet", "parquet")
    table = polars.read_parquet(tmp_path / "t.parquet")
    assert table.height == 4
    kinds = dict(table.schema)
    names = ("lr", "layers", "norm", "size", "mixed", "flag", "shape", "extra")
    assert [kinds[f"config_{name}"] for name in names] == [
        polars.Float64, polars.Int64, polars.String, polars.Float64, polars.String, polars.Boolean, polars.String,
        polars.String,
    ]  # fmt: skip
    assert kinds["number"] == kinds["seed"] == kinds["step"] == kinds["peak_memory_bytes"] == polars.Int64
    assert table["config_mixed"].to_list() == ["3", "3", "auto", "2.5"]
    assert table["config_shape"].to_list() == ["[1, 2]", "[1, 2]", "[3]", None]
    assert table["config_lr"].to_list() == [0.1, 0.1, 1.0, 0.3]
    assert table["config_norm"].to_list() == ["rms", "rms", "layer", None]
    assert table["peak_memory_bytes"].max() == 1 << 33
    assert table["metric_acc"].to_list() == [0.9, 0.9, None, None]
    assert table["reused"].to_list() == [False, True, False, False]
    assert table["message"].to_list()[2] == 'a "b",\nc'


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_text_that_is_no_unicode_does_not_stop_an_export(store, tmp_path, kind):
    made = create(store)
    candidate = store.studies.add_candidate("e" * 20, {"file": "t\udcc3ta"})
    store.studies.propose(made.id, 0, candidate, "baseline")
    store.places.add(made.id, store.trials.create(candidate, 0), Role.BASELINE, 0, reused=False)
    export_study(store, summary(store, made), tmp_path / "t", kind)
    assert (tmp_path / "t").stat().st_size > 100


def test_the_three_formats_hold_the_same(store, study, tmp_path):
    for kind in ("csv", "json", "parquet"):
        export_study(store, summary(store, study), tmp_path / f"t.{kind}", kind)
    records = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    table = polars.read_parquet(tmp_path / "t.parquet")
    assert records == table.to_dicts()
    text = polars.read_csv(tmp_path / "t.csv", schema=table.schema)
    assert text.equals(table)


def test_curves_are_a_long_table_in_the_order_of_logging(store, study, tmp_path):
    export_curves(store, summary(store, study), tmp_path / "c.parquet", "parquet")
    table = polars.read_parquet(tmp_path / "c.parquet")
    assert table.schema == {
        "trial": polars.Int64, "metric": polars.String, "step": polars.Int64, "value": polars.Float64,
    }  # fmt: skip
    loss = table.filter((polars.col("trial") == 1) & (polars.col("metric") == "loss"))
    assert loss["step"].to_list() == [0, 10, 20, 30, 40]
    assert loss["value"].to_list() == pytest.approx([2.0, math.nan, math.inf, -math.inf, 1.5], nan_ok=True)
    assert table.filter(polars.col("trial") == 4)["value"].to_list() == [2.5]


def test_json_has_null_where_it_has_no_word(store, study, tmp_path):
    export_curves(store, summary(store, study), tmp_path / "c.json", "json")
    points = json.loads((tmp_path / "c.json").read_text(), parse_constant=pytest.fail)
    assert [point["value"] for point in points if point["trial"] == 1 and point["metric"] == "loss"] == [
        2.0, None, None, None, 1.5,
    ]  # fmt: skip


def test_csv_keeps_what_is_not_finite(store, study, tmp_path):
    export_curves(store, summary(store, study), tmp_path / "c.csv", "csv")
    values = polars.read_csv(tmp_path / "c.csv").filter((polars.col("trial") == 1) & (polars.col("metric") == "loss"))
    assert values["value"].to_list() == pytest.approx([2.0, math.nan, math.inf, -math.inf, 1.5], nan_ok=True)


def test_many_points_go_in_groups(store, tmp_path, monkeypatch):
    monkeypatch.setattr("headway.studies.export._ROWS_A_GROUP", 1000)
    made = create(store)
    candidate = store.studies.add_candidate("e" * 20, CONFIGS[0])
    store.studies.propose(made.id, 0, candidate, "baseline")
    trial = store.trials.create(candidate, 0)
    store.places.add(made.id, trial, Role.BASELINE, 0, reused=False)
    attempt = store.trials.begin(trial, made.id, "runs/1/1", {})
    store.curves.fold(trial, attempt, [Point("loss", step, step / 7, 0.0) for step in range(3500)])
    export_curves(store, summary(store, made), tmp_path / "c.parquet", "parquet")
    table = polars.read_parquet(tmp_path / "c.parquet")
    assert table["value"].to_list() == [step / 7 for step in range(3500)]


@pytest.mark.parametrize("export", [export_study, export_curves])
def test_nothing_to_export_is_said_and_leaves_no_file(store, tmp_path, export):
    made = create(store)
    with pytest.raises(NothingToDo, match="tiny"):
        export(store, summary(store, made), tmp_path / "t.csv", "csv")
    assert not (tmp_path / "t.csv").exists()


def test_parquet_without_pyarrow_names_the_extra(store, study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'headway\[parquet\]'"):
        export_study(store, summary(store, study), tmp_path / "t.parquet", "parquet")
    assert [item.name for item in tmp_path.iterdir()] == [".headway"]


def test_a_failed_export_leaves_the_old_file(store, study, tmp_path, monkeypatch):
    target = tmp_path / "c.csv"
    export_curves(store, summary(store, study), target, "csv")
    before = target.read_bytes()
    read = store.curves.read

    def failing(trial, metric=None, live=()):
        if trial == 2:
            raise OSError(28, "No space left on device")
        return read(trial, metric, live)

    monkeypatch.setattr(store.curves, "read", failing)
    with pytest.raises(OSError, match="No space left"):
        export_curves(store, summary(store, study), target, "csv")
    assert target.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == [".headway", "c.csv"]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    with replacing(Path("/dev/null")) as temporary:
        temporary.write_text("x")
    assert Path("/dev/null").is_char_device()


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.lists(st.dictionaries(st.text(max_size=3), scalars, max_size=4), min_size=1, max_size=4))
def test_any_configurations_go_to_parquet(tmp_path_factory, configs):
    folder = tmp_path_factory.mktemp("any")
    with Store.open(folder / ".headway") as store:
        made = create(store)
        for number, config in enumerate(configs):
            candidate = store.studies.add_candidate("e" * 20, {**config, "number": number})
            store.studies.propose(made.id, number, candidate, "any")
            store.places.add(made.id, store.trials.create(candidate, 0), Role.SEARCH, number, reused=False)
        export_study(store, summary(store, made), folder / "t.parquet", "parquet")
        export_study(store, summary(store, made), folder / "t.json", "json")
    table = polars.read_parquet(folder / "t.parquet")
    assert table.height == len(configs)
    assert table.to_dicts() == json.loads((folder / "t.json").read_text(encoding="utf-8"))
