"""Real studies whose trials really fail: grouped by cause, with the smallest configuration, figures and next steps."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import headway
from headway.store import Store
from headway.studies import QuietObserver, Study
from headway.studies.triage import brief_of, command_text, triage
from tests.studies.triage.present import some

PLANT = Path(__file__).parents[3] / "benchmarks" / "peers"
SPACE = {
    "lr": headway.Float(0.0, 1.0),
    "layers": headway.Int(1, 8),
    "optimizer": headway.Choice(["adamw", "muon"]),
    "momentum": headway.Float(0.0, 1.0, when={"optimizer": "muon"}),
}
BASELINE = {"lr": 0.1, "layers": 4, "optimizer": "adamw"}


def check(value, name):
    if value is None:
        raise ValueError(f"{name} is missing")


def first_way(config):
    check(None, "the mask")
    return config


def second_way(config):
    check(None, "the mask")
    return config


@headway.experiment(metric="loss", space=SPACE)
def train(run):
    """Fail by what the configuration says."""
    config = run.config
    if config.lr > 0.6 and config.optimizer == "muon":
        raise ValueError(f"step {config.lr} is too large in {object()}")
    if config.layers == 7:
        first_way(config)
    if config.layers == 8:
        second_way(config)
    run.report(loss=config.lr)


def candidates():
    rows = []
    for place in range(60):
        row = {"lr": place % 10 / 10 + 0.05, "layers": place % 8 + 1, "optimizer": "muon" if place % 3 else "adamw"}
        rows.append({**row, "momentum": place / 60} if place % 3 else row)
    return rows


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("triage") / ".headway"
    study = Study(train, baseline=BASELINE, candidates=candidates(), seeds=2)
    study.run(store=folder, backend="inline", observer=QuietObserver())
    with Store.open(folder) as opened:
        yield opened


def group_of(found, text):
    (group,) = [item for item in found.groups if text in item.cause.error]
    return group


def test_a_helper_that_raises_for_two_callers_is_two_causes(store):
    missing = [group for group in triage(store).groups if "the mask is missing" in group.cause.error]
    assert {some(group.rule).text for group in missing} == {"layers = 7", "layers = 8"}
    assert {some(group.cause.frame).function for group in missing} == {"check"}


def test_every_failed_trial_lies_in_one_group_and_the_costs_add_up(store):
    found = triage(store)
    numbers = [case.trial.id for group in found.groups for case in group.cause.cases]
    assert len(numbers) == len(set(numbers)) == found.failed
    assert sum(group.seconds for group in found.groups) == pytest.approx(found.failed_seconds)
    assert [group.seconds for group in found.groups] == sorted((group.seconds for group in found.groups), reverse=True)


def test_the_rule_has_its_support_and_the_probe_is_a_configuration_of_the_space(store):
    group = group_of(triage(store), "too large")
    assert some(group.rule).text in ("lr > 0.6 and optimizer = 'muon'", "optimizer = 'muon' and lr > 0.6")
    count = len(group.cause.cases)
    assert (some(group.rule).hits, some(group.rule).inside, some(group.rule).missed) == (count, count, 0)
    probe = {**BASELINE, **some(some(group.smallest).probe)}
    assert train.space.check(probe) == probe
    assert float(probe["lr"]) > 0.6


def test_ids_stay_the_same_when_the_store_grows_or_is_asked_for_less(store):
    ids = {group.id for group in triage(store).groups}
    assert ids == {group.id for group in triage(store, [store.studies.all()[0]]).groups}
    assert all(len(item) == 6 for item in ids)


def test_a_model_may_summarize_and_what_programs_printed_is_marked_as_data(store):
    briefs = []

    def model(brief):
        briefs.append(brief)
        return " Too large\n a step. "

    found = triage(store, summarize=model, summaries=2)
    assert [group.summary for group in found.groups] == ["Too large a step.", "Too large a step.", ""][
        : len(found.groups)
    ]
    assert len(briefs) == 2
    assert briefs[0] == brief_of(triage(store).groups[0])
    assert "| ValueError" in "".join(briefs)


def test_a_model_that_fails_costs_no_fact(store):
    def model(brief):
        raise ConnectionError("nobody there")

    found = triage(store, summarize=model)
    assert {group.summary_problem for group in found.groups} == {"ConnectionError: nobody there"}
    assert found.failed == triage(store).failed


def test_neighbours_that_passed_say_which_difference_is_needed(tmp_path):
    rows = [
        {"lr": 0.7, "layers": 4, "optimizer": "muon", "momentum": 0.5},
        {"lr": 0.1, "layers": 4, "optimizer": "muon", "momentum": 0.5},
        {"lr": 0.7, "layers": 4, "optimizer": "adamw"},
    ]
    study = Study(train, baseline=BASELINE, candidates=rows, seeds=2)
    study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    with Store.open(tmp_path / ".headway") as opened:
        (group,) = triage(opened).groups
        passed = {place.trial.config["lr"]: place.trial.id for place in opened.places.of_study(1) if place.number == 2}
    assert group.smallest.changes == {"lr": 0.7, "optimizer": "muon", "momentum": 0.5}
    assert group.smallest.needed == {"lr": passed[0.1]}
    assert group.rule is None
    assert group.sentences["when"].startswith("No rule: 1 configuration")


def test_a_store_in_which_nothing_failed_has_no_groups(tmp_path):
    study = Study(train, baseline=BASELINE, candidates=[{**BASELINE, "lr": 0.2}], seeds=2)
    study.run(store=tmp_path / ".headway", backend="inline", observer=QuietObserver())
    with Store.open(tmp_path / ".headway") as opened:
        found = triage(opened)
    assert (found.failed, found.groups) == (0, ())
    assert found.to_json()["groups"] == []


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Record the benchmark's study, smaller, on processes of their own: kills, limits and signals are real."""
    folder = tmp_path_factory.mktemp("planted")
    for name in ("triage_causes", "triage_data", "triage_model"):
        shutil.copy(PLANT / f"{name}.py", folder)
    shutil.copy(PLANT / "triage_study.py", folder / "study.py")
    subprocess.run(
        [sys.executable, "-m", "headway", "run", "study.py", "--workers", "2"],
        cwd=folder, env={**os.environ, "TRIAGE_TRIALS": "240"}, capture_output=True, check=True, timeout=240,
    )  # fmt: skip
    spec = importlib.util.spec_from_file_location("triage_causes", folder / "triage_causes.py")
    assert spec is not None
    assert spec.loader is not None
    truth = importlib.util.module_from_spec(spec)
    sys.modules["triage_causes"] = truth
    spec.loader.exec_module(truth)
    with Store.open(folder / ".headway", create=False) as opened:
        yield truth, triage(opened)
    del sys.modules["triage_causes"]


def by_cause(planted):
    truth, found = planted
    return [(Counter(truth.cause_of(case.config) for case in group.cause.cases), group) for group in found.groups]


def test_each_planted_cause_is_one_group_and_no_two_are_merged(planted):
    groups = by_cause(planted)
    assert all(len(causes) == 1 for causes, _ in groups)
    names = [next(iter(causes)) for causes, _ in groups]
    assert len(names) == len(set(names)) >= 14
    assert None not in names


def test_no_rule_names_a_bystander_where_the_culprit_is_known(planted):
    truth, _ = planted
    found = [(truth.CAUSES[next(iter(causes))].parameters, group.rule) for causes, group in by_cause(planted)]
    named = [(culprits, frozenset(rule.parameters)) for culprits, rule in found if rule is not None]
    assert len(named) >= 6
    assert sum(rule <= culprits for culprits, rule in named) >= len(named) - 1


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("over_the_limit", ("ended at the memory limit", "of a limit of 160 MiB")),
        ("too_much_asked", ("an allocation was refused", "of a limit of 160 MiB")),
        ("hangs", ("of a limit of 2 s", "no step was logged")),
        ("segfault", ("up to 2 attempts each",)),
    ],
)
def test_memory_time_and_signals_are_told_apart_with_their_numbers(planted, cause, words):
    (group,) = [group for causes, group in by_cause(planted) if cause in causes]
    assert all(word in group.sentences["used"] for word in words)


def test_memory_at_the_limit_advises_a_limit_above_what_was_seen(planted):
    (group,) = [group for causes, group in by_cause(planted) if "over_the_limit" in causes]
    assert group.figures.peak_memory_bytes.most > 160 * 2**20
    assert "raise limits.memory_bytes above" in group.advice[0].text


def test_commands_that_are_advised_are_quoted_for_a_shell(planted):
    _, found = planted
    commands = [command_text(item, " --store x") for group in found.groups for item in group.advice if item.command]
    assert commands
    assert all(command.startswith("headway ") and command.endswith(" --store x") for command in commands)
