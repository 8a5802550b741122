"""Whole studies through faults: nothing that ended is lost or ends twice, and the verdict is as if nothing happened.

A case that does not hold leaves its schedule in a file, and the failure names the command that replays it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from headway.testing.chaos import (
    Case,
    ClockJump,
    Freeze,
    Kill,
    Moment,
    Schedule,
    Strike,
    lay_out,
    make_schedule,
    replay_command,
    torment,
    undisturbed,
)
from headway.testing.chaos.endings import run_nasty_workers

pytestmark = pytest.mark.slow

SKIPPED = 7
HOURS = 3600.0


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Lay out 200 short walks and run them without faults."""
    folder = tmp_path_factory.mktemp("walk")
    file = lay_out("walk", folder)
    return file, undisturbed(file, folder)


@pytest.fixture
def hold(walk, tmp_path):
    """Run the walks through a schedule, and let the test fail where anything did not hold."""

    def play(schedule):
        file, reference = walk
        outcome = torment(file, schedule, tmp_path, reference=reference)
        if outcome.broken:
            kept = Path(tempfile.mkdtemp(prefix="headway-chaos-"))  # pytest removes its own folders after three runs
            shutil.copytree(tmp_path, kept, dirs_exist_ok=True)
            broken = list(map(str, outcome.broken))
            Case(study="walk", schedule=schedule).write(kept / "case.json", broken)
            pytest.fail("\n".join([*broken, replay_command(kept / "case.json")]))
        assert outcome.trials == 200
        return outcome

    return play


def test_a_study_whose_engine_is_killed_fifty_times_comes_to_the_same_verdict(hold):
    assert len(hold(make_schedule(7, {"kill": 56})).struck) >= 50  # the study may end before the last of them


def test_templates_and_workers_may_die_and_anybody_may_freeze_or_be_slow(hold):
    wishes = {"kill-template": 14, "kill-worker": 6, "freeze": 2, "delay": 1, "kill": 3}
    assert len(hold(make_schedule(4, wishes)).struck) >= 18


@pytest.mark.parametrize("hours", [-2, 5])
def test_a_clock_that_jumps_costs_nothing(hold, hours):
    jumps = [Moment(sign="start"), Moment(sign="trial", count=8), Moment(sign="commit", count=20)]
    faults = [ClockJump(seconds=hours * HOURS), ClockJump(seconds=-hours * HOURS), ClockJump(seconds=hours * HOURS)]
    strikes = [Strike(moment=moment, fault=fault) for moment, fault in zip(jumps, faults, strict=True)]
    killed = Strike(moment=Moment(sign="trial", count=20), fault=Kill())
    right = Strike(moment=Moment(sign="start"), fault=ClockJump(seconds=-hours * HOURS))
    assert len(hold(Schedule(seed=0, strikes=(*strikes, killed, right))).struck) == 5


def test_who_ended_while_nobody_looked_did_not_pass_a_limit(tmp_path):
    file = lay_out("walk", tmp_path)
    limits = 'metric="loss",\n    limits=headway.Limits(wall_seconds=3, idle_seconds=3),'
    file.write_text(file.read_text().replace("200 trials", "24 trials").replace('metric="loss",', limits))
    moment = Moment(sign="trial", count=4, seconds=0.01)
    frozen = tuple(Strike(moment=moment, fault=Freeze(whom=whom, seconds=4.5)) for whom in ("engine", "template"))
    outcome = torment(file, Schedule(seed=0, strikes=frozen), tmp_path)
    assert outcome.broken == []
    assert len(outcome.struck) == 2


@pytest.mark.parametrize("piece", ["log", "checkpoint", "database"])
def test_damaged_files_harm_nothing_else(hold, piece):
    assert len(hold(make_schedule(1, {f"corrupt-{piece}": 2})).struck) == 2


@pytest.mark.parametrize("fault", ["fill-disk", "read-only"])
def test_a_disk_that_fails_is_a_clear_error_and_loses_nothing(fault, tmp_path):
    file = lay_out("walk", tmp_path)
    file.write_text(file.read_text().replace('"200 trials"', '"40 trials"'))
    words = [sys.executable, "-m", "headway.testing.chaos", "run", str(file), "--faults", f"{fault}:3", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    assert answer["broken"] == [], answer["replay"]
    assert (len(answer["struck"]), answer["trials"]) == (3, 40)


def test_workers_that_misbehave_end_within_their_limits_and_harm_nobody(tmp_path):
    endings = run_nasty_workers(tmp_path)
    assert endings.broken == ()
    assert (len(endings.nasty), len({item.what for item in endings.healthy})) == (17, 12)


@pytest.mark.parametrize("whom", ["template", "engine+template"])
def test_what_trials_started_is_ended_whoever_watched_over_them_is_killed(whom, tmp_path):
    moment = Moment(sign="trial", count=3, seconds=0.1)
    strikes = tuple(Strike(moment=moment, fault=fault) for fault in (Kill(whom=whom), Kill(whom=whom)))
    outcome = torment(lay_out("brood", tmp_path), Schedule(seed=0, strikes=strikes), tmp_path)
    assert outcome.broken == []
    assert len(outcome.struck) == 2
