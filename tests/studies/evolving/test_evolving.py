import collections

import pytest

from headway.core import TrialState
from tests.studies.evolving.evolutions import EVALUATOR, PROGRAM, laid_out


def whole(evolution):
    """Check what holds of each evolution, and return its proposals."""
    proposals = evolution.proposals()
    assert [item.number for item in proposals] == list(range(len(proposals)))
    seen = set()
    for item in proposals:
        assert item.candidate not in seen
        assert set(item.parents) <= seen
        assert item.parents or not item.number
        seen.add(item.candidate)
    ran = collections.Counter((place.trial.candidate, place.trial.seed) for place in evolution.trials())
    assert set(ran.values()) == {1}
    return proposals


def test_it_improves_and_the_best_is_judged_on_fresh_seeds(tmp_path):
    evolution = laid_out(tmp_path)
    ended = evolution.evolve()
    assert ended.returncode == 0, ended.stderr
    assert "accepted (as printed)" in ended.stdout
    assert "X = " in ended.stderr  # the ideas, and not "as the baseline"
    assert "as the baseline" not in ended.stderr
    proposals = whole(evolution)
    assert len({item.note for item in proposals}) > 5
    trials = evolution.trials()
    assert len(trials) == 30
    verdict = evolution.summary().verdicts[0]
    assert verdict.data["effect"] > 3
    confirming = {place.trial.seed for place in trials if place.role == "confirm"}
    searching = {place.trial.seed for place in trials if place.role == "search"}
    assert confirming == {1, 2, 3}
    assert not confirming & searching


def test_the_same_program_in_other_words_does_not_run_twice(tmp_path):
    evolution = laid_out(
        tmp_path,
        model="""
def complete(prompt, seed):
    old = parent_of(prompt)
    comment = "" if seed % 2 else f"  # try {seed}"
    return block(f"X = {old}", f"X = {min(int(old.split('#')[0]) + 1, 4)}{comment}")
""",
    )
    ended = evolution.evolve(budget="200 trials")
    assert ended.returncode == 0, ended.stderr
    programs = [evolution.program(item.candidate) for item in whole(evolution)[1:]]
    assert len(programs) <= 5  # 1 to 4, and nothing else
    assert "brought no new program" in ended.stderr
    assert "It is the same program as #" in ended.stderr or "changes nothing" in ended.stderr  # the last one's reason


@pytest.mark.slow
def test_what_does_not_compile_costs_no_trial(tmp_path):
    evolution = laid_out(
        tmp_path,
        model="""
def complete(prompt, seed):
    old = parent_of(prompt)
    assert seed % 3 or True
    return block(f"X = {old}", [f"X = = {seed}", f"X = {seed}", "X = '\\\\d' if 1 is 1 else ("][seed % 3])
""",
    )
    ended = evolution.evolve(budget="15 trials")
    assert ended.returncode == 0, ended.stderr
    assert "Warning" not in ended.stderr
    whole(evolution)
    assert not [place for place in evolution.trials() if place.trial.state == TrialState.FAILED]


def test_a_crash_is_evaluated_once_and_told(tmp_path):
    evolution = laid_out(
        tmp_path,
        model="""
def complete(prompt, seed):
    old = parent_of(prompt)
    if seed % 2:
        return block(f"X = {old}", f"X = 1 / 0  # {seed}")
    assert seed % 1_000_003 < 12 or "ZeroDivisionError" in prompt, prompt
    return block(f"X = {old}", f"X = {seed % 1_000_003}")
""",
    )
    ended = evolution.evolve(budget="24 trials")
    assert ended.returncode == 0, ended.stderr
    whole(evolution)
    failed = [place for place in evolution.trials() if place.trial.state == TrialState.FAILED]
    assert len(failed) == 1


@pytest.mark.slow
def test_after_a_program_that_hangs_the_next_ones_run(tmp_path):
    evolution = laid_out(
        tmp_path,
        model="""
def complete(prompt, seed):
    old, number = parent_of(prompt), seed % 1_000_003
    if number == 2:
        return block(f"X = {old}", "import time; X = 9; time.sleep(600)")
    return block(f"X = {old}", f"X = {number}")
""",
        config="evaluator:\n  timeout: 1\n",
    )
    ended = evolution.evolve(budget="16 trials")
    assert ended.returncode == 0, ended.stderr
    whole(evolution)
    trials = sorted(evolution.trials(), key=lambda place: place.trial.id)
    states = [str(place.trial.state) for place in trials if place.role == "search"]
    assert states.count("failed") == 1
    assert states[states.index("failed") + 1 :].count("complete") >= 5


@pytest.mark.slow
def test_two_proposers_take_turns_and_the_record_says_who(tmp_path):
    program = PROGRAM.replace("X = 0\n", "X = 0\nRATE = 0.25\n")
    other = "\n\ndef other(prompt, seed):\n    return complete(prompt, 7 * seed + 5)\n"  # not what its fellow says next
    evolution = laid_out(tmp_path, model=other, program=program)
    ended = evolution.evolve(
        "--function", f"{evolution.model}:complete", "--function", f"{evolution.model}:other", "--tune"
    )
    assert ended.returncode == 0, ended.stderr
    counts = collections.Counter(item.proposer.rpartition(":")[2] for item in whole(evolution)[1:])
    assert set(counts) == {"complete", "other", "near"}
    assert min(counts.values()) >= 3


@pytest.mark.slow
def test_knobs_alone_are_tuned(tmp_path):
    program = PROGRAM.replace("X = 0\n", "X = 0.5\nRATE = 0.25\n").replace("return X", "return -abs(RATE - 0.7)")
    evolution = laid_out(tmp_path, program=program)
    ended = evolution.evolve("--tune", budget="40 trials")
    assert ended.returncode == 0, ended.stderr
    assert {item.proposer for item in whole(evolution)[1:]} == {"near"}
    assert "RATE" in ended.stderr
    assert "->" in evolution.proposals()[1].note


def test_another_budget_goes_on_where_it_stopped(tmp_path):
    evolution = laid_out(tmp_path)
    assert evolution.evolve(budget="12 trials").returncode == 0
    first = evolution.proposals()
    more = evolution.type("evolve", ".", "--study", "e", "--plain", "--budget", "25 trials")
    assert more.returncode == 0, more.stderr
    proposals = whole(evolution)
    assert proposals[: len(first)] == first
    assert len(proposals) > len(first)
    assert len(evolution.trials()) <= 25
    told = evolution.type("resume", "e", "--budget", "32 trials", "--plain")
    assert told.returncode == 7
    assert f"headway evolve {evolution.folder} --study e --budget TEXT" in told.stderr


def test_a_budget_that_reaches_no_verdict_is_refused(tmp_path):
    evolution = laid_out(tmp_path)
    told = evolution.evolve(budget="7 trials")
    assert told.returncode == 2
    assert "4 for the baseline, one to search, 3 to confirm. Give at least 8" in told.stderr


@pytest.mark.slow
def test_a_budget_of_time_ends_it_with_a_verdict(tmp_path):
    evolution = laid_out(tmp_path)
    ended = evolution.evolve(budget="3 seconds")
    assert ended.returncode == 0, ended.stderr
    whole(evolution)
    assert evolution.summary().verdicts


@pytest.mark.slow
def test_more_seeds_are_more_pairs(tmp_path):
    evolution = laid_out(tmp_path)
    assert evolution.evolve(seeds=5).returncode == 0
    assert evolution.summary().verdicts[0].data["seeds"] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_where_no_seed_reaches_the_program_the_best_is_named_and_not_accepted(tmp_path):
    evaluator = EVALUATOR.replace("{os.environ.get('HEADWAY_SEED')}", "")
    evolution = laid_out(tmp_path, evaluator=evaluator)
    ended = evolution.evolve(budget="20 trials")
    assert ended.returncode == 0, ended.stderr
    whole(evolution)
    assert "Undecided" in ended.stdout or "undecided" in ended.stdout
    best = max(place.trial.value or 0 for place in evolution.trials())
    assert best > 3


CHEAT = """
def complete(prompt, seed):
    old, number = parent_of(prompt), seed % 1_000_003
    if number == 2:
        return block(f"X = {old}", "import sys; sys.modules['evaluator'].evaluate = lambda p: {'combined_score': 1e9}; X = 5")
    if number == 4:
        return block(f"X = {old}", "import os; X = 1e9 if os.environ.get('HEADWAY_SEED') == '0' else 1")
    return block(f"X = {old}", f"X = {(number % 7) / 2}")
"""  # noqa: E501


def test_a_cheat_is_flagged_is_nobodys_parent_and_does_not_win(tmp_path):
    evolution = laid_out(tmp_path, model=CHEAT)
    ended = evolution.evolve(budget="30 trials")
    assert ended.returncode == 0, ended.stderr
    proposals = whole(evolution)
    cheats = [item.candidate for item in proposals if "1e9" in evolution.program(item.candidate)]
    assert len(cheats) == 2
    verdicts = {item.candidate: item for item in evolution.summary().verdicts}
    patched = [name for name in cheats if "evaluate" in evolution.program(name)]
    if any(
        place.trial.state == TrialState.COMPLETE for place in evolution.trials() if place.trial.candidate in patched
    ):
        assert verdicts[patched[0]].decision == "flagged"
    assert not [item for item in proposals if patched[0] in item.parents]
    accepted = [name for name, item in verdicts.items() if item.decision.startswith("accepted")]
    assert not set(accepted) & set(cheats)


@pytest.mark.slow
def test_what_a_worker_is_sent_does_not_grow_with_the_population(tmp_path, monkeypatch):
    import headway.engine.launcher as launcher
    from headway.engine import EngineSettings
    from headway.engine.spec import AttemptSpec
    from headway.studies.from_folder import repository_study
    from headway.studies.session import run_study

    sizes = []

    class Measured(AttemptSpec):
        def __init__(self, **given):
            super().__init__(**given)
            sizes.append(len(str(self.to_json())))

    monkeypatch.setattr(launcher, "AttemptSpec", Measured)
    evolution = laid_out(tmp_path)
    proposer = f"function:{evolution.model}:complete"
    study = repository_study(
        evolution.folder, evolution.store, name="e", budget="300 trials", proposers=[proposer], seeds=3
    )
    run_study(study, evolution.store, EngineSettings(workers=2))
    assert len(sizes) >= 100
    early, late = sizes[10:30], sizes[-30:]
    assert max(late) < 1.2 * max(early)


@pytest.mark.parametrize("command", ["trials e", "show e", "show 12", "status", "status e", "report e", "brief e", "lineage e", "triage e",  # noqa: E501
                                     "export e --to e.csv", "plan power e", "compare 1 12"])  # fmt: skip
def test_other_commands_read_an_evolution(finished, command):
    told = finished.type(*command.split())
    assert told.returncode == 0, told.stdout + told.stderr
    assert "Traceback" not in told.stderr


def test_tables_show_ideas(finished):
    told = finished.type("trials", "e").stdout
    assert " for X = " in told
    assert told.count("as the baseline") <= 1
    number = next(place.trial.id for place in finished.trials() if place.number == 1)
    assert " for X = " in finished.type("show", str(number)).stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    evolution = laid_out(tmp_path_factory.mktemp("finished"))
    assert evolution.evolve().returncode == 0
    return evolution
