import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError
from headway.experiments import LineSplitter, OutputParser


def parse(line, **patterns):
    found = OutputParser(patterns or None).line(line)
    return None if found is None else (found.step, dict(found.values))


@pytest.mark.parametrize(
    ("line", "step", "values"),
    [
        ("loss: 0.5", None, {"loss": 0.5}),
        ("loss=0.5", None, {"loss": 0.5}),
        ("loss = .5", None, {"loss": 0.5}),
        ("loss:0.5", None, {"loss": 0.5}),
        ("val_bpb:          0.997900", None, {"val_bpb": 0.9979}),
        ("val/loss: -1.5e-3 train.acc: 97", None, {"val/loss": -0.0015, "train.acc": 97.0}),
        ("acc@5=0.25", None, {"acc@5": 0.25}),
        ("lr: 1e-5, loss: 3E+2", None, {"lr": 1e-5, "loss": 300.0}),
        ("tokens: 1,234,567 loss: 1_000.5", None, {"tokens": 1234567.0, "loss": 1000.5}),
        ("a: 1,b: 2", None, {"a": 1.0, "b": 2.0}),
        ("loss: nan", None, {"loss": math.nan}),
        ("loss: -inf, x: Infinity", None, {"loss": -math.inf, "x": math.inf}),
        ("time: 12.5s | mem: 3.2GiB | dt: 7ms", None, {"time": 12.5, "mem": 3.2, "dt": 7.0}),
        ("acc: 97.5%", None, {"acc": 97.5}),
        ("final loss: 0.5.", None, {"loss": 0.5}),
        ("step 10: loss=0.5", 10, {"loss": 0.5}),
        ("Epoch 3/10 - loss: 0.5 - acc: 0.9", 3, {"loss": 0.5, "acc": 0.9}),
        ("epoch 3 step 1,500 loss: 0.5", 1500, {"loss": 0.5}),
        ("iter=7 loss=0.5", 7, {"loss": 0.5}),
        ("{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 0.25}", None, {"loss": 0.5, "learning_rate": 5e-05}),
        ("[INFO] loss: 0.5 (best: 0.4)", None, {"loss": 0.5, "best": 0.4}),
        ("INFO:root:loss: 0.5", None, {"loss": 0.5}),
        ('{"step": 3, "loss": 0.5, "name": "x", "flag": true, "list": [1]}', 3, {"loss": 0.5}),
        ('  {"epoch": 2, "iter": 40, "loss": NaN}  ', 40, {"loss": math.nan}),
        ('{"loss": 1e999}', None, {"loss": math.inf}),
        ('{"loss": ' + "9" * 400 + "}", None, {"loss": math.inf}),
    ],
)
def test_the_usual_forms_are_read(line, step, values):
    assert repr(parse(line)) == repr((step, values))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "done",
        "12:30:45",
        "elapsed: 12:30:45",
        "eta=0:12:30",
        "at 2024-01-01T12:30:45 it began",
        "date: 2024-01-01",
        "version: 1.2.3",
        "host=127.0.0.1:8080",
        "see http://localhost:8080/loss",
        "http://example.org:80",
        "/tmp/run:12",
        "src/model.py:45: UserWarning",
        "src/model.py:45 in forward",
        "train.py:45",
        "device: cuda",
        "level: info",
        "name: nancy",
        "state: infinite",
        "speed: 5.2it/s",
        "eta: 3m20s",
        "addr: 0x7f00",
        "sha: 12abcdef",
        "  3%|#   | 30/1000",
        '{"loss": "0.5"}',
        "{}",
        "[" * 100_000,
        "step: 5",
    ],
)
def test_false_friends_are_no_metrics(line):
    assert parse(line) is None


@pytest.mark.parametrize("line", ["epoch: 0.5 loss: 1", "step 12:30 loss: 1", "steps: 5 loss: 1"])
def test_what_is_no_whole_step_is_no_step(line):
    found = parse(line)
    assert found is not None
    assert found[0] is None


def test_a_step_beyond_64_bits_is_ignored():
    assert parse("step 99999999999999999999 loss: 1") == (None, {"loss": 1.0})
    assert parse('{"step": 1e30, "loss": 1}') == (None, {"loss": 1.0})


def test_patterns_replace_the_usual_forms():
    patterns = {"loss": r"train loss ([\d.]+)", "val": r"val loss (\S+)"}
    assert parse("step 5: train loss 4.25, val loss 4.5", **patterns) == (5, {"loss": 4.25, "val": 4.5})
    assert parse("loss: 3", **patterns) is None
    assert parse("val loss N/A", **patterns) is None
    assert repr(parse("val loss nan", **patterns)) == "(None, {'val': nan})"


def test_a_pattern_may_name_the_step():
    assert parse("[40] loss 3", step=r"\[(\d+)\]", loss=r"loss (\d+)") == (40, {"loss": 3.0})
    assert parse("[40]", step=r"\[(\d+)\]", loss=r"loss (\d+)") is None


@pytest.mark.parametrize(("pattern", "why"), [("loss (", "no regular expression"), (r"loss \d+", "has no group")])
def test_a_pattern_that_cannot_work_is_refused(pattern, why):
    with pytest.raises(UsageError, match=why):
        OutputParser({"loss": pattern})


def test_a_flood_of_names_does_not_fill_the_record():
    parser = OutputParser()
    names = {name for i in range(1000) if (found := parser.line(f"name{i}: 1")) for name in found.values}
    assert len(names) == 200
    assert parser.line("name3: 5") is not None


@given(st.floats(allow_nan=False), st.sampled_from(["{}", "loss: {}", "loss={!r}, x", "loss: {:.6e}"]))
def test_numbers_come_back_as_python_prints_them(value, form):
    line = json.dumps({"loss": value}) if form == "{}" else form.format(value)
    found = parse(line)
    assert found is not None
    assert found[1]["loss"] == pytest.approx(value, rel=1e-6)


@given(st.text())
def test_no_line_breaks_the_parser(line):
    OutputParser().line(line)


def test_lines_end_at_carriage_returns_too():
    splitter = LineSplitter()
    assert [line for line in splitter.feed(b"10%: loss: 3\r20%: lo") if line] == ["10%: loss: 3"]
    assert [line for line in splitter.feed(b"ss: 2\r\ndone\n30") if line] == ["20%: loss: 2", "done"]
    assert list(splitter.finish()) == ["30"]
    assert list(splitter.finish()) == []


@given(st.lists(st.text("ab\r\nü"), max_size=8), st.integers(1, 7))
def test_where_the_bytes_are_cut_does_not_matter(lines, size):
    data = "\n".join(lines).encode()
    splitter = LineSplitter()
    pieces = [line for start in range(0, len(data), size) for line in splitter.feed(data[start : start + size])]
    pieces += splitter.finish()
    whole = data.decode().replace("\r", "\n").split("\n")
    assert [line for line in pieces if line] == [line for line in whole if line]


def test_a_line_without_end_is_cut():
    splitter = LineSplitter()
    pieces = [line for _ in range(100) for line in splitter.feed(b"x" * 4096)]
    assert len("".join(pieces)) > 300_000
    assert max(map(len, pieces)) < 100_000
