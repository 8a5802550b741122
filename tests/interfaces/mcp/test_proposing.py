"""Many agents at one study: twice the same is once, nobody holds a lock while waiting, no idea runs twice."""

import time

import anyio
import pytest
from mcp import Client

from headway.store import Store
from tests.interfaces.mcp.conftest import Project, Service, ask, end, refused

AGENTS, EACH = 6, 5


def test_a_proposal_that_is_sent_again_is_the_same_proposal(recorded: Project):
    async def main() -> None:
        async with recorded.over_stdio("anna") as client:
            first = await ask(client, "propose", config={"x": 0.1}, token="a")
            again = await ask(client, "propose", config={"x": 0.1, "y": 0.5}, token="a")
            other = await ask(client, "propose", config={"x": 0.1}, proposer="bob", token="a")
            assert [item["new"] for item in (first, again, other)] == [True, False, False]
            assert {item["candidate"] for item in (first, again, other)} == {first["candidate"]}
            assert "You proposed this before" in again["said"]
            assert "anna proposed this before" in other["said"]
            assert "belongs to another configuration" in await refused(client, "propose", config={"x": 0.2}, token="a")
            status = await ask(client, "status")
            assert status["queue"] == {"anna": 1}
            assert status["engine"]["running"] is False
            assert status["engine"]["start"].startswith("headway run ")

    anyio.run(main)
    again = recorded.json("propose", "quick", "x=0.1", "--proposer", "carl", "--token", "c")
    assert (again["new"], again["proposer"], again["waiting"]) == (False, "anna", 1)


def test_wait_returns_at_the_timeout_and_lets_others_write(recorded: Project):
    async def main() -> None:
        async with recorded.over_stdio() as client:
            with Store.open(recorded.store, create=False) as store:
                answers: list[dict] = []

                async def waiter() -> None:
                    answers.append(await ask(client, "wait", timeout=1.0))

                began = time.monotonic()
                async with anyio.create_task_group() as group:
                    group.start_soon(waiter)
                    while not answers:
                        store.studies.set_state(1, "new")  # begins IMMEDIATE: it would stand behind a lock
                        assert await ask(client, "status")
                        await anyio.sleep(0.05)
                assert answers[0]["timed_out"] is True
                assert answers[0]["ended"] == []
                assert 1.0 <= time.monotonic() - began < 5.0

    anyio.run(main)


def test_wait_tells_each_end_once_whatever_lies_between_two_calls(project: Project):
    process = project.engine()
    seen: list[tuple] = []

    async def main() -> None:
        async with project.over_stdio() as client:
            since, state = {"since": "0~0~~g"}, ""
            while state != "finished":
                answer = await ask(client, "wait", timeout=30, **since)
                assert answer["timed_out"] is False
                assert "left_out" not in answer
                seen.extend((item["candidate"], item["seed"]) for item in answer["ended"])
                since, state = {"since": answer["cursor"]}, answer["state"]
                await anyio.sleep(0.1)

    anyio.run(main)
    end(process)
    with Store.open(project.store, create=False) as store:
        recorded = [(place.candidate[:12], place.seed) for place in store.places.standing(1)]
    assert sorted(seen) == sorted(recorded)


@pytest.mark.usefixtures("endless", "engine")
def test_a_crowd_of_clients_shares_one_study_and_no_idea_runs_twice(service: Service, project: Project):
    done: dict[str, list[str]] = {}

    async def agent(number: int) -> None:
        name = f"agent-{number}"
        async with service.client(name) as client:
            await ask(client, "brief")
            for index in range(EACH):
                # Every second idea is the same for all: only one of them may run.
                x = index / 100 if index % 2 else (number * EACH + index) / 1000 + 0.2
                proposed = await ask(client, "propose", config={"x": x}, token=str(index))
                waited = await ask(client, "wait", candidate=proposed["candidate"], timeout=60)
                assert waited["timed_out"] is False
                result = await ask(client, "result", candidate=proposed["candidate"])
                assert result["state"] == "complete"
                done.setdefault(name, []).append(proposed["candidate"])

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(AGENTS):
                group.start_soon(agent, number)

    anyio.run(main)
    assert {name: len(items) for name, items in done.items()} == {f"agent-{number}": EACH for number in range(AGENTS)}
    with Store.open(project.store, create=False) as store:
        twice = store.database.rows("SELECT candidate FROM trials GROUP BY candidate, seed HAVING count(*) > 1")
        assert twice == []
        ideas = {candidate for _, candidate, proposer in store.studies.proposed(1) if proposer.startswith("agent-")}
        assert len(ideas) == AGENTS * 3 + 2
        assert {candidate[:12] for candidate in ideas} == {item for items in done.values() for item in items}


def test_a_study_that_allows_it_promotes_without_a_person(recorded: Project):
    with Store.open(recorded.store) as store:
        study = store.studies.get("quick")
        baseline = store.studies.add_candidate(study.experiment, study.definition["baseline"])
        store.studies.propose(study.id, 0, baseline, "baseline")
        config = {"x": 0.3, "y": 0.5, "mode": "plain"}
        better = store.studies.add_candidate(study.experiment, config)
        store.studies.propose(study.id, 1, better, "anna")
        store.studies.decide(study.id, better, baseline, "accepted", "It is lower.", {"effect": 0.1})
    assert recorded.json("promote", "--allow")["allowed_by_the_study"] is True

    async def main(client: Client) -> None:
        promoted = await ask(client, "promote", candidate="#1")
        assert (promoted["state"], promoted["answered_by"]) == ("promoted", "the study")
        assert promoted["config"] == config

    async def over_stdio() -> None:
        async with recorded.over_stdio() as client:
            await main(client)

    anyio.run(over_stdio)
    assert recorded.json("promote", "1", "--refuse")["state"] == "refused"
