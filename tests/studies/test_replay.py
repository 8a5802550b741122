import json
import math
from pathlib import Path

import pytest

from headway.core import UsageError
from headway.interfaces.cli.words import jsonable
from headway.studies import judge_ledger, read_ledger
from headway.validate import Noise, pairs_needed

MAR8 = Path(__file__).parents[1] / "data" / "autoresearch" / "mar8_results.tsv"
HEAD = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
SMALL = HEAD + (
    "aaaaaaa\t1.000\t44.0\tkeep\tbaseline\n"
    "bbbbbbb\t0.900\t44.0\tkeep\tlarger batch\n"
    "ccccccc\t0.000000\t0.0\tcrash\tOOM at depth 40\n"
    "ddddddd\t0.902\t44.0\tdiscard\tseed 1 -> 2\n"
    "eeeeeee\t0.899\t44.0\tkeep\tlonger warmup\n"
)


@pytest.fixture
def ledger(tmp_path):
    def make(text, **options):
        (tmp_path / "results.tsv").write_text(text)
        return read_ledger(tmp_path / "results.tsv", **options)

    return make


@pytest.fixture(scope="module")
def pointed():
    return judge_ledger(read_ledger(MAR8), nulls=["a16391b"])


def test_the_published_ledger_is_read_whole():
    found = read_ledger(MAR8)
    assert (len(found.rows), found.metric) == (126, "val_bpb")
    assert sum(row.status == "keep" for row in found.rows) == 23
    assert [row.commit for row in found.rows if row.value is None] == ["e05a87d"]


def test_the_published_ledger_reveals_its_seed_change_and_suggests_its_no_op():
    found = judge_ledger(read_ledger(MAR8))
    (null,) = found.nulls
    assert (null.commit, null.equals, round(null.difference, 6)) == ("889dbed", "aa8f408", -0.000695)
    assert found.perhaps_null == ("a16391b",)
    assert (found.noise.sd, found.noise.degrees) == (pytest.approx(0.000695 / math.sqrt(2)), 1)
    assert "1 degree of freedom" in found.notes[0]


def test_most_steps_of_the_published_ledger_cannot_be_told_from_noise(pointed):
    found = pointed
    assert [round(null.difference, 6) for null in found.nulls] == [-0.000695, -0.000365]
    assert found.noise.sd == pytest.approx(math.sqrt((0.000695**2 + 0.000365**2) / 4))
    assert found.noise.degrees == 2
    assert (len(found.improving), len(found.inside)) == (22, 19)
    assert sum(step.gain < 5e-4 for step in found.improving) == 12
    assert {step.commit for step in found.improving if not step.inside_noise} == {"bea057b", "7f2a65c", "7d047e4"}
    assert found.gain.claimed == pytest.approx(0.028214)
    assert found.gain.low < found.gain.expected < found.gain.claimed
    assert found.trials_to_know is not None
    assert found.trials_to_know > 10_000
    assert found.sentence.startswith("19 of 22 improving steps cannot be told from noise")
    assert json.loads(json.dumps(jsonable(found.to_json())))["inside_noise"] == 19


def test_noise_that_is_given_is_taken_as_known():
    found = judge_ledger(read_ledger(MAR8), noise=3.9e-4)
    assert found.threshold == pytest.approx(1.959964 * math.sqrt(2) * 3.9e-4)
    assert len(found.inside) == 18
    assert found.noise_source == "given"
    assert not any("badly" in note for note in found.notes)


def test_a_step_says_how_many_pairs_would_tell(ledger):
    found = judge_ledger(ledger(SMALL), noise=0.001)
    large, small = found.steps
    assert (large.inside_noise, small.inside_noise) == (False, True)
    assert small.pairs == pairs_needed(small.gain, Noise(0.001))
    assert small.pairs is not None
    assert found.trials_to_know == 2 * small.pairs
    assert (found.trials, found.crashes, found.kept) == (5, 1, 3)


def test_a_version_between_two_steps_runs_for_the_more_demanding_one(ledger):
    found = judge_ledger(ledger(SMALL + "fffffff\t0.8975\t44.0\tkeep\twider\n"), noise=0.002)
    _, one, other = (step.pairs for step in found.steps)
    assert one is not None
    assert other is not None
    assert found.trials_to_know == one + max(one, other) + other


@pytest.mark.parametrize(
    ("description", "is_null"),
    [
        ("random seed 42 to 137", True), ("seed 1 -> 2", True), ("different seed", True), ("no-op: move code", True),
        ("Refactor the optimizer", True), ("same as before", True), ("rerun", True), ("re-run baseline", True),
        ("learning rate 0.1 to 0.2", False), ("seed the cache with embeddings", False), ("runs longer", False),
        ("depth 4 to 8", False),
    ],
)  # fmt: skip
def test_null_experiments_are_known_by_their_words(ledger, description, is_null):
    found = judge_ledger(ledger(SMALL + f"fffffff\t0.905\t44.0\tdiscard\t{description}\n"))
    assert ("fffffff" in [null.commit for null in found.nulls]) == is_null


def test_a_description_that_misleads_is_taken_out_and_a_rerun_names_its_original(ledger):
    text = SMALL + "fffffff\t0.997\t44.0\tdiscard\trerun of aaaaaaa\nggggggg\t0.95\t44.0\tdiscard\trefactor the loss\n"
    found = judge_ledger(ledger(text), not_nulls=["ggggggg"])
    assert [(null.commit, null.equals) for null in found.nulls] == [("ddddddd", "bbbbbbb"), ("fffffff", "aaaaaaa")]
    assert found.nulls[1].difference == pytest.approx(0.003)


def test_nulls_of_one_version_share_its_luck(ledger):
    text = SMALL.replace("eeeeeee", "ddddde1\t0.904\t44.0\tdiscard\tseed 2 -> 3\neeeeeee")
    noise = judge_ledger(ledger(text)).noise
    assert (noise.sd, noise.degrees) == (pytest.approx(0.002), 2)  # the spread of .900, .902, .904


def test_a_fork_with_accuracy_and_more_columns_and_no_memory(ledger):
    found = ledger(
        "Commit\tval_acc\tStatus\tseconds\tnotes\n"
        "a1\t0.50\tKEEP\t60\tbaseline\n"
        "\n"
        "b2\t0.60\tkept\t61\twider\twith a tab\n"
        "c3\t\tcrash\t\t\n"
        "d4\t0.59\tdiscarded\t60\tseed 1 to 2\n"
    )
    assert (found.metric, found.rows[1].description) == ("val_acc", "wider\twith a tab")
    up = judge_ledger(found, direction="maximize")
    assert up.steps[0].gain == pytest.approx(0.1)
    down = judge_ledger(found)
    assert down.steps[0].gain == pytest.approx(-0.1)
    assert "pass --maximize" in down.notes[-1]


def test_the_metric_is_the_first_column_of_numbers_that_is_no_cost_unless_it_is_named(ledger):
    text = "run\tpeak_mem\tstep\tval_loss\tacc\tstatus\nx\t1\t2\t3.0\t.5\tkeep\ny\t1\t2\t2.0\t.6\tkeep\n"
    found = ledger(text)
    assert (found.metric, found.rows[0].value, found.rows[0].commit) == ("val_loss", 3.0, "x")
    assert ledger(text, metric="ACC").metric == "acc"
    with pytest.raises(UsageError, match="Did you mean 'val_loss'"):
        ledger(text, metric="val_los")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty. Expected tab-separated columns"),
        ("hello world\nmore\n", "has no column 'status'; its header is: hello world. Expected tab-separated"),
        (HEAD, "has no rows"),
        ("commit\tstatus\tdescription\na\tkeep\tx\n", "no column of numbers.*--metric COLUMN"),
        (SMALL.replace("discard", "maybe"), "Line 5 .*status 'maybe'. Expected keep, discard or crash"),
        (SMALL + "fffffff\tn/a\t44.0\tdiscard\tx\n", "no column of numbers"),
    ],
)
def test_what_is_no_ledger_is_refused_with_what_was_expected(ledger, text, says):
    with pytest.raises(UsageError, match=f"(?s){says}"):
        ledger(text)


def test_a_file_that_is_missing_or_binary_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read as a ledger"):
        read_ledger(tmp_path / "nothing.tsv")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read as a ledger"):
        read_ledger(tmp_path / "binary")


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (SMALL.replace("seed 1 -> 2", "x"), {}, "No description tells of a null experiment.*--noise SD.*--null COMMIT"),
        (SMALL.replace("0.902", "0.900"), {}, "equal to the last digit"),
        (SMALL, {"noise": -1.0}, "above 0"),
        (SMALL, {"nulls": ["fffffff"]}, "no commit 'fffffff'"),
        (SMALL, {"nulls": ["ccccccc"]}, "ccccccc crashed"),
        (SMALL, {"nulls": ["aaa"]}, "is the first run"),
        (HEAD + "a\t1.0\t4\tkeep\tx\n", {"noise": 1.0}, "1 kept runs"),
        (SMALL.replace("44.0\tkeep\tbaseline", "44.0\tdiscard\tx"), {"noise": 1.0}, "begins with no kept run"),
    ],
)
def test_what_cannot_be_judged_says_what_to_give(ledger, text, options, says):
    with pytest.raises(UsageError, match=f"(?s){says}"):
        judge_ledger(ledger(text), **options)
