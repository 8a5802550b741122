"""`headway evolve` as it is typed: what it refuses and how, what it shows, its exit codes."""

import json

import pytest

from tests.studies.evolving.evolutions import laid_out


@pytest.fixture(scope="module")
def evolution(tmp_path_factory):
    return laid_out(tmp_path_factory.mktemp("evolve"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Nobody proposes. Name who does: --model openai:NAME"),
        (["--model", "gpt"], "names no model"),
        (["--model", "opnai:gpt"], "openai"),
        (["--model", "http://127.0.0.1:9/v1"], "names no model"),
        (["--model", ""], "names no proposer"),
        (["--agent", "no-such-agent -p"], "was not found"),
        (["--agent", "'"], "cannot be split"),
        (["--function", "model.py"], "Write function:FILE.py:NAME"),
        (["--function", "gone.py:complete"], "There is no file 'gone.py'"),
        (["--function", "evaluator.py:gone"], "has no function 'gone'"),
        (["--function", "evaluator.py:evaluate", "--tune"], "no constants that a sampler could search"),
        (["--function", "evaluator.py:evaluate", "--most-dollars", "1"], "needs the price of tokens: --price 1.25/10"),
        (["--function", "evaluator.py:evaluate", "--price", "cheap"], "is no price. Give dollars of a million tokens"),
        (["--function", "evaluator.py:evaluate", "--price", "-1/2"], "Give dollars, 0 or more"),
        (["--function", "evaluator.py:evaluate", "--most-tokens", "0"], "--most-tokens"),
        (["--function", "evaluator.py:evaluate", "--seeds", "1"], "--seeds"),
        (["--function", "evaluator.py:evaluate", "--budget", "3 trials"], "Give at least"),
        (["--function", "evaluator.py:evaluate", "--budget", "soon"], "budget"),
        (["--function", "evaluator.py:evaluate", "--tag", "a b/c"], "cannot be part of a branch's name"),
    ],
)
def test_bad_input_is_refused_in_words_that_help(evolution, words, said):
    told = evolution.type("evolve", ".", *words)
    assert told.returncode == 2, told.stderr
    assert said in " ".join(told.stderr.split())
    assert "Traceback" not in told.stderr


def test_a_folder_without_a_layout_is_refused(evolution, tmp_path):
    told = evolution.type("evolve", str(tmp_path), "--function", "m.py:f")
    assert told.returncode == 2
    assert "layout" in told.stderr


def test_a_function_file_that_breaks_is_named(tmp_path):
    evolution = laid_out(tmp_path)
    evolution.model.write_text("import no_such_package_at_all\n")
    told = evolution.evolve()
    assert told.returncode == 2
    assert "model.py cannot be loaded: ModuleNotFoundError" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_dry_run_shows_the_study_and_runs_nothing(tmp_path):
    evolution = laid_out(tmp_path)
    told = evolution.evolve("--dry-run")
    assert told.returncode == 0, told.stderr
    assert "combined_score" in told.stdout
    shown = evolution.evolve("--dry-run", "--json")
    assert json.loads(shown.stdout)["studies"][0]
    with pytest.raises(Exception, match=r"no study|There is no"):
        evolution.trials()


def test_json_is_one_document(tmp_path):
    evolution = laid_out(tmp_path)
    told = evolution.evolve("--json", budget="12 trials")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["studies"][0]["study"]


def test_a_study_goes_on_with_its_own_proposers_and_settings(tmp_path):
    evolution = laid_out(tmp_path)
    assert evolution.evolve(budget="10 trials").returncode == 0
    again = ["evolve", ".", "--study", "e", "--plain"]
    others = evolution.type(*again, "--function", "evaluator.py:evaluate")
    assert others.returncode == 2
    assert "Leave yours out to go on with it" in others.stderr
    seeds = evolution.type(*again, "--seeds", "9")
    assert seeds.returncode == 2
    assert "has begun: --seeds would make another one of it" in seeds.stderr
    same = evolution.type(*again, "--budget", "12 trials")
    assert same.returncode == 0, same.stderr


def test_a_study_of_another_kind_is_not_taken_over(tmp_path):
    evolution = laid_out(tmp_path)
    assert evolution.type(
        "run", ".", "--study", "e", "--plain", "--close-after", "0", "--budget", "30 trials"
    ).returncode in (0, 10)
    told = evolution.evolve()
    assert told.returncode == 2
    assert "is no evolution. Name this one otherwise: --study NAME" in told.stderr


def test_a_first_program_that_fails_has_an_exit_code_of_its_own(tmp_path):
    evolution = laid_out(tmp_path, program="# EVOLVE-BLOCK-START\nX = 1 / 0\n# EVOLVE-BLOCK-END\n")
    told = evolution.evolve()
    assert told.returncode == 10
    assert "The baseline failed" in told.stdout


def test_help_names_exit_codes_and_every_flag(evolution):
    told = evolution.type("evolve", "--help").stdout
    assert "Exit codes" in told
    for flag in (
        "--model",
        "--agent",
        "--function",
        "--tune",
        "--most-dollars",
        "--most-tokens",
        "--price",
        "--dry-run",
    ):
        assert flag in told
