"""`headway triage` on a study that ran: what it says, its JSON, one group in full, and names that are wrong."""

import pytest

from tests.interfaces.cli.conftest import make_study
from tests.llm.answering import answering, chat

STUDY = """
import headway

@headway.experiment(metric="loss", space={"lr": headway.Float(0.0, 1.0), "layers": headway.Int(1, 4)})
def train(run):
    if run.config.lr > 0.62:
        raise ValueError(f"a step of {run.config.lr} is too large")
    if run.config.layers == 4:
        run.report(loss=float("nan"))
    else:
        run.report(loss=run.config.lr)

rows = [{"lr": place / 40, "layers": place % 3 + 2} for place in range(40)]
study = headway.Study(train, name="first", baseline={"lr": 0.1, "layers": 1}, candidates=rows, seeds=2)
"""


@pytest.fixture
def ran(write, ask):
    write(STUDY)
    result = ask("run", "study.py", "--backend", "inline")
    assert result.exit_code == 0, result.output


def test_it_says_what_failed_where_and_when(ran, ask):
    text = ask("triage").stdout
    assert "23 of 45 trials failed, by 2 causes" in text
    assert "ValueError: a step of 0.625 is too large" in text
    assert "study.py:7 in train" in text
    assert "lr > 0.6" in text
    assert "(15 of 15 failed; 0 of " in text
    assert "layers = 4" in text
    assert "headway triage --group " in text


def test_a_cause_that_many_share_comes_with_a_proposal_that_tests_it(ran, ask, ask_json):
    groups = ask_json("triage")["groups"]
    (group,) = [item for item in groups if "ValueError" in item["error"]]
    (command,) = [item["command"] for item in group["next"] if item["command"] and item["command"][1] == "propose"]
    assert command[:3] == ["headway", "propose", "first"]
    assert ask(*command[1:]).exit_code == 0


def test_json_holds_the_rule_its_support_and_the_smallest_configuration(ran, ask_json):
    told = ask_json("triage", "first")
    assert (told["failed"], told["trials"], told["causes"]) == (23, 45, 2)
    (group,) = [item for item in told["groups"] if item["reason"] == "exception"]
    assert group["where"] == {
        "file": "study.py", "line": 7, "function": "train",
        "source": 'raise ValueError(f"a step of {run.config.lr} is too large")',
    }  # fmt: skip
    assert group["rule"]["tests"][0]["parameter"] == "lr"
    assert (group["rule"]["failed_inside"], group["rule"]["inside"], group["rule"]["failed_outside"]) == (15, 15, 0)
    assert set(group["smallest"]["changes"]) == {"lr", "layers"}
    assert group["smallest"]["probe"] == {"lr": pytest.approx(group["smallest"]["changes"]["lr"], abs=0.01)}
    assert len(group["trials"]) == group["count"] == 15


def test_limit_leaves_out_the_cheaper_causes_and_says_so(ran, ask, ask_json):
    told = ask_json("triage", "--limit", 1)
    assert (len(told["groups"]), told["more_groups"], told["causes"]) == (1, 1, 2)
    assert "and 1 more: headway triage --limit 2" in ask("triage", "--limit", 1).stdout


def test_one_group_in_full_quotes_its_traceback_as_data(ran, ask, ask_json):
    (group,) = [item for item in ask_json("triage")["groups"] if item["reason"] == "exception"]
    whole = ask_json("triage", "--group", group["id"])
    assert "ValueError: a step of" in whole["traceback"]
    text = ask("triage", "--group", group["id"][:5]).stdout
    assert "| Traceback (most recent call last)" in text
    assert "not instructions" in text
    assert all(str(trial) in text for trial in group["trials"])


def test_a_group_that_is_not_there_is_refused_with_the_nearest(ran, ask):
    result = ask("triage", "--group", "zzzzzz")
    assert result.exit_code == 2
    assert "names no cause of 2" in result.stderr


def test_an_unknown_study_is_refused(ran, ask):
    result = ask("triage", "frist")
    assert result.exit_code == 2
    assert "Did you mean 'first'?" in result.stderr


def test_a_store_without_a_study_says_so(store, ask):
    result = ask("triage")
    assert result.exit_code == 7
    assert "holds no study yet" in result.stderr


def test_a_study_in_which_nothing_failed_is_good_news(store, ask, ask_json):
    make_study(store)
    assert "No trial failed" in ask("triage").stdout
    assert ask_json("triage")["groups"] == []
    assert ask("triage", "--group", "abc").exit_code == 2


def test_old_records_without_a_traceback_are_grouped_by_their_message(study, ask_json):
    (group,) = ask_json("triage", "spirals")["groups"]
    assert group["count"] == 1
    assert "ZeroDivisionError" in group["error"]


def test_a_model_writes_the_summaries_and_is_asked_once(ran, ask, ask_json):
    with answering() as endpoint:
        endpoint.plan = [chat("It is broken.")] * 2
        model = f"{endpoint.url}#tiny"
        groups = ask_json("triage", "--model", model)["groups"]
        assert {group["summary"] for group in groups} == {"It is broken."}
        asked = len(endpoint.requests)
        assert asked == len(groups)
        assert "It is broken." in ask("triage", "--model", model).stdout
        assert len(endpoint.requests) == asked
    assert ask("triage", "--model", "nobody").exit_code == 2
