"""The agents' verbs on the command line: with --json the very answers that agents get."""

import sys

import pytest

from headway.interfaces.agents.answers import text_of
from headway.interfaces.agents.verbs import VERBS, call
from headway.interfaces.cli import verbs
from headway.store import Store, StudyRecord
from tests.interfaces.cli.conftest import BASELINE, make_study

TWINS = [
    ("brief", {}, ()),
    ("result", {"candidate": "#1"}, ("1",)),
    ("explain_failure", {"candidate": "#2"}, ("#2",)),
    ("wait", {"timeout": 0}, ("--timeout", 0)),
    ("promote", {"candidate": "#1", "proposer": "person"}, ("#1",)),
]


@pytest.mark.parametrize(("verb", "arguments", "words"), TWINS)
def test_a_twin_gives_the_answer_that_an_agent_gets(ask_json, store: Store, study: StudyRecord, verb, arguments, words):
    told = ask_json(verb.replace("_", "-"), *words)
    assert text_of(told) == text_of(call(store, verb, arguments))


@pytest.mark.parametrize(("verb", "words"), [(verb, words) for verb, _, words in TWINS])
def test_a_twin_has_lines_for_people(ask, study, verb, words):
    result = ask(verb.replace("_", "-"), *words)
    assert result.exit_code == 0
    assert "study: spirals" in result.stdout


def test_brief_holds_what_an_agent_needs(ask_json, study):
    told = ask_json("brief", "spirals")
    assert told["baseline"] == BASELINE
    assert told["space"]["momentum"] == "float 0.0..0.99 when optimizer is 'sgd'"
    assert told["baseline_values"] == {"0": 0.5, "1": 0.51, "2": 0.52}
    assert told["best"][0]["changes"] == {"lr": 0.1, "width": 32, "optimizer": "adam", "momentum": None}
    assert told["verdicts"][0]["decision"] == "accepted"
    (failure,) = told["failures"]
    assert (failure["reason"], failure["count"], failure["candidates"]) == ("exception", 1, ["#2"])
    assert "| ZeroDivisionError: division by zero" in failure["message"]
    assert told["engine"]["running"] is False


def test_a_study_that_runs_is_told_to_run(ask_json, own_lease):
    assert ask_json("brief")["engine"] == {"running": True}


def test_a_candidate_that_did_not_fail_has_nothing_to_explain(ask, study):
    result = ask("explain-failure", "1")
    assert result.exit_code == 2
    assert "has not failed: it is complete" in result.stderr


def test_of_several_studies_one_has_to_be_named(ask, ask_json, store, study):
    make_study(store, "other")
    result = ask("brief")
    assert result.exit_code == 2
    assert "'spirals'" in result.stderr
    assert ask_json("result", "1", "--study", "spirals")["state"] == "complete"
    assert len(call(store, "status", {})["studies"]) == 2


def test_only_a_person_confirms_and_only_what_was_accepted(ask, ask_json, store, study, monkeypatch):
    assert ask_json("promote")["promotions"] == []
    refused = ask("promote", "2")
    assert refused.exit_code == 2
    assert "no verdict yet" in refused.stderr
    assert ask("promote", "2", "--confirm").exit_code == 2
    assert ask_json("promote", "1", "--proposer", "anna", "--note", "why")["state"] == "asked"
    monkeypatch.setattr(verbs.getpass, "getuser", lambda: "eve")
    confirmed = ask_json("promote", "1", "--confirm")
    assert (confirmed["state"], confirmed["asked_by"]) == ("promoted", "anna")
    assert confirmed["answered_by"].startswith("eve, ")
    assert "confirm" not in VERBS["promote"].schema["properties"]


def test_promote_refuses_what_does_not_go_together(ask, study):
    assert "Name it" in ask("promote", "--confirm").stderr
    assert "whole study" in ask("promote", "1", "--allow").stderr


def test_the_baseline_is_no_proposal(ask, store, study):
    result = ask("propose", "spirals")
    assert result.exit_code == 2
    assert "baseline itself" in result.stderr
    assert store.studies.waiting(study.id) == 0


def test_mcp_names_the_extra_where_the_package_is_missing(ask, study, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("headway.interfaces.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp.server.context", None)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for words in (("mcp",), ("mcp", "--http")):
        result = ask(*words)
        assert result.exit_code == 6
        assert "pip install 'headway[mcp]'" in result.stderr
