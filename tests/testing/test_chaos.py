"""The chaos harness itself: schedules are decided by a seed, cases survive their files, and what is broken is found."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest

from headway.core import UsageError
from headway.testing.chaos import (
    Case,
    ClockJump,
    Corrupt,
    Kill,
    Moment,
    Schedule,
    Strike,
    lay_out,
    make_schedule,
    parse_wishes,
    torment,
    undisturbed,
)
from headway.testing.chaos.conductor import needs_disk
from headway.testing.chaos.faults import Whom, fault_from_json, fault_to_json
from headway.testing.chaos.invariants import finished_twice, lost, take_snapshot, unclean
from headway.testing.chaos.plan import FAULTS
from headway.testing.chaos.verdict import differences

EVERYTHING = dict.fromkeys(FAULTS, 3)


def kill(sign, count=1, seconds=0.0, whom: Whom = "engine"):
    return Strike(moment=Moment(sign=sign, count=count, seconds=seconds), fault=Kill(whom=whom))


# schedules


def test_a_seed_decides_the_schedule():
    assert make_schedule(7, EVERYTHING) == make_schedule(7, EVERYTHING)
    assert make_schedule(7, EVERYTHING) != make_schedule(8, EVERYTHING)


def test_a_schedule_has_every_fault_that_was_wished_for():
    schedule = make_schedule(3, {"kill": 50, "clock-jump": 2})
    assert sum(isinstance(strike.fault, Kill) for strike in schedule.strikes) == 50
    assert sum(isinstance(strike.fault, ClockJump) for strike in schedule.strikes) == 2


def test_kills_fall_into_the_whole_life_of_a_session():
    strikes = make_schedule(1, {"kill": 50}).strikes
    assert {strike.moment.sign for strike in strikes} == {"start", "import", "trial", "commit", "closing"}
    assert {strike.fault for strike in strikes} == {Kill(whom="engine"), Kill(whom="engine+template")}


def test_a_schedule_comes_back_from_its_json():
    schedule = make_schedule(11, EVERYTHING)
    assert Schedule.from_json(json.loads(json.dumps(schedule.to_json()))) == schedule


def test_only_disk_faults_need_a_disk():
    assert needs_disk(make_schedule(0, {"kill": 2, "read-only": 1}))
    assert not needs_disk(make_schedule(0, {"kill": 2, "corrupt-database": 1}))


def test_wishes_are_read_and_added_up():
    assert parse_wishes("kill:50, freeze:3,kill") == {"kill": 51, "freeze": 3}
    with pytest.raises(UsageError, match="Did you mean 'freeze'"):
        parse_wishes("freez:3")
    with pytest.raises(UsageError, match="NAME:COUNT"):
        parse_wishes("kill:many")


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ({"fault": "kil"}, "Did you mean 'kill'"),
        ({"fault": "kill", "who": "engine"}, "Did you mean 'whom'"),
        ({"fault": "kill", "whom": "engines"}, "Did you mean 'engine'"),
        ({}, "There are: kill"),
    ],
)
def test_an_unknown_fault_is_answered_with_the_nearest(data, hint):
    with pytest.raises(UsageError, match=hint):
        fault_from_json(data)


def test_every_fault_comes_back_from_its_json_and_says_what_it_is():
    faults = [strike.fault for strike in make_schedule(5, EVERYTHING).strikes]
    assert [fault_from_json(fault_to_json(fault)) for fault in faults] == faults
    assert "clock backwards by 2.0 h" in str(ClockJump(seconds=-7200))
    assert "checkpoint" in str(Corrupt(piece="checkpoint"))


def test_a_case_comes_back_from_its_file(tmp_path):
    case = Case(study="walk", schedule=make_schedule(2, EVERYTHING), options=("--workers", "2"))
    case.write(tmp_path / "case.json", ["trial 3 is no more"])
    assert Case.read(tmp_path / "case.json") == case
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UsageError, match="no case of this Headway"):
        Case.read(tmp_path / "other.json")


# a study through faults


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Lay out the walks with 12 trials, and run them once without faults: their file, the answer, the folder."""
    folder = tmp_path_factory.mktemp("short")
    file = lay_out("walk", folder)
    text = file.read_text().replace('"200 trials"', '"12 trials"').replace("finalists=2", "finalists=1")
    file.write_text(text)
    return file, undisturbed(file, folder), folder


def test_a_study_that_is_killed_three_times_comes_to_the_same_verdict(short, tmp_path):
    file, reference, _ = short
    strikes = (kill("trial", 3, 0.005), kill("commit", 4, whom="engine+template"), kill("import", 1, 0.02))
    began = time.monotonic()
    outcome = torment(file, Schedule(seed=0, strikes=strikes), tmp_path, reference=reference)
    assert outcome.broken == []
    assert (len(outcome.struck), outcome.missed, outcome.sessions, outcome.trials) == (3, [], 4, 12)
    assert outcome.sentence == reference.sentence
    assert outcome.seconds <= time.monotonic() - began


def test_strikes_that_find_no_moment_are_told(short, tmp_path):
    file, reference, _ = short
    schedule = Schedule(seed=0, strikes=(kill("checkpoint", 10_000),))
    outcome = torment(file, schedule, tmp_path, reference=reference)
    assert outcome.broken == []
    assert (len(outcome.struck), len(outcome.missed)) == (0, 1)


def test_a_schedule_that_wants_a_disk_says_where_it_can_run(short, tmp_path):
    file, reference, _ = short
    with pytest.raises(UsageError, match="mount namespace"):
        torment(file, make_schedule(0, {"fill-disk": 1}), tmp_path, reference=reference)


# what is broken is found


@pytest.fixture
def ended(short, tmp_path):
    """Give a copy of the finished store, and what it said."""
    before = take_snapshot(short[2] / "store")
    (tmp_path / "store.sqlite").write_bytes((short[2] / "store" / "store.sqlite").read_bytes())
    assert len(before.ended) == 12
    assert lost(before, before) == finished_twice(before) == list(before.problems) == []
    return tmp_path, before


def change(store, sql):
    with closing(sqlite3.connect(store / "store.sqlite")) as connection:
        connection.execute(sql)
        connection.commit()
    return take_snapshot(store)


def test_a_trial_that_is_run_again_was_lost(ended):
    store, before = ended
    (text,) = lost(before, change(store, "UPDATE trials SET state = 'queued' WHERE id = 5"))
    assert "trial 5 had ended" in text


def test_a_value_that_changes_is_seen(ended):
    store, before = ended
    (text,) = lost(before, change(store, "UPDATE trials SET value = 1.5 WHERE id = 5"))
    assert "trial 5 ended anew: value changed" in text


def test_a_trial_that_is_run_after_its_end_is_seen(ended):
    store, _ = ended
    again = "INSERT INTO attempts (trial, study, directory, started) VALUES (7, 1, 'x', 0)"
    after = change(store, again)
    assert "trial 7 was run again after it was complete" in finished_twice(after)[0]
    assert "trial 7 has an attempt without an end" in unclean(after, store)


def test_the_same_candidate_and_seed_twice_is_seen(ended):
    _, before = ended
    twice = replace(before, ended={**before.ended, 99: before.ended[5]})
    assert "trials 5 and 99 are the same" in finished_twice(twice)[0]


def test_a_database_that_is_damaged_is_seen(ended):
    store, _ = ended
    with (store / "store.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(bytes(8192))
    assert take_snapshot(store).problems


def test_what_is_left_lying_is_seen(ended):
    store, before = ended
    assert unclean(before, store) == []
    (store / "checkpoints" / "1").mkdir(parents=True)
    (store / "checkpoints" / "1" / "0001.ckpt").touch()
    assert unclean(before, store) == ["checkpoints/1/0001.ckpt is left"]


def test_another_verdict_or_value_is_seen(short):
    reference = short[1]
    assert differences(reference, reference, verdict=True) == []
    key = min(reference.trials)
    other = replace(reference, trials={**reference.trials, key: {**reference.trials[key], "value": 1.0}})
    assert len(differences(other, reference, verdict=False)) == 1
    assert len(differences(replace(reference, sentence="no"), reference, verdict=True)) == 1
    assert differences(replace(reference, sentence="no"), reference, verdict=False) == []


# the clock


def test_a_process_sees_the_clock_jump_and_its_durations_do_not(tmp_path):
    from headway.testing.chaos.project import Project

    project = Project(file=tmp_path / "x.py", store=tmp_path, scratch=tmp_path, mark="m")
    project.set_clock(0.0)
    code = "import time\nfor _ in range(2): print(time.time(), time.time_ns(), time.monotonic()); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=project.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = list(map(float, process.stdout.readline().split()))
        project.set_clock(-7200.0)
        process.stdin.write("\n\n")
        process.stdin.flush()
        second = list(map(float, process.stdout.readline().split()))
    assert abs(first[0] - time.time()) < 60
    assert second[0] - first[0] == pytest.approx(-7200, abs=60)
    assert (second[1] - first[1]) / 1e9 == pytest.approx(-7200, abs=60)
    assert 0 < second[2] - first[2] < 60


# the command line


def test_the_command_line_runs_a_schedule_and_answers_in_json(short):
    words = [sys.executable, "-m", "headway.testing.chaos", "run", str(short[0]), "--faults", "kill:1", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["broken"], answer["replay"], answer["trials"]) == ([], None, 12)


def test_the_command_line_refuses_an_unknown_fault():
    words = [sys.executable, "-m", "headway.testing.chaos", "run", "walk", "--faults", "killl:1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean 'kill'" in done.stderr
