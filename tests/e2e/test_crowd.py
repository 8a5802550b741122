"""Many at one store: two engines, people who look, and people and scripts that feed the queues."""

import pytest

from benchmarks._crowd import Crowd, gather, rush

pytestmark = pytest.mark.slow

LONGEST_SECONDS = 2.0
CROWD = Crowd(readers=6, feeders=4, each=20, seconds=5)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return gather(tmp_path_factory.mktemp("crowd"), CROWD)


def test_nobody_in_a_crowd_sees_an_error(outcome):
    assert outcome.problems == []
    assert outcome.looks >= CROWD.readers


def test_each_candidate_that_a_crowd_feeds_is_run_once(outcome):
    assert outcome.fed == CROWD.feeders * CROWD.each
    assert outcome.lost == []
    assert outcome.run_twice == []


def test_nobody_in_a_crowd_stands_still_for_long(outcome):
    # Only the time for which a call was blocked: on a busy machine, a crowd also waits for a core.
    assert {call: max(times.still) for call, times in outcome.calls.items() if max(times.still) > LONGEST_SECONDS} == {}


def test_writers_without_a_rest_all_get_their_turn(tmp_path):
    found = rush(tmp_path, writers=8, seconds=3)
    assert found.problems == []
    assert max(found.waits) < LONGEST_SECONDS
    assert min(found.transactions) > max(found.transactions) / 10
