"""Two agents at once, one over stdio and one over HTTP, change the code of one repository, each idea to its verdict."""

from collections.abc import Generator
from pathlib import Path

import anyio
import pytest
from mcp import Client

from headway.store import Store
from tests.interfaces.mcp.conftest import Service, answer_of, ask, end, over_stdio, refused, served
from tests.interfaces.repositories import CRASH, TRAIN, Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Repository]:
    for name in ("HEADWAY_STORE", "HEADWAY_MCP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made = Repository(tmp_path / "net")
    made.write()
    engine = made.engine("--close-after", "300")
    yield made
    end(engine)


@pytest.fixture
def web(repository: Repository) -> Generator[Service]:
    with served(repository) as serving:
        yield serving


async def work(client: Client, patches: list[str]) -> dict[str, str]:
    """Send all ideas without waiting, then wait for the verdicts; return the decision on each."""
    cursor = (await ask(client, "brief"))["cursor"]
    sent = [
        (await ask(client, "propose", patch=patch, file="train.py", note="an idea", token=str(index)))["candidate"]
        for index, patch in enumerate(patches)
    ]
    came: dict[str, str] = {}
    while not set(sent) <= came.keys():
        answer = await ask(client, "wait", since=cursor, timeout=20)
        cursor = answer["cursor"]
        came |= {item["candidate"]: item["decision"] for item in answer["verdicts"]}
    final = [(await ask(client, "wait", candidate=item, timeout=60))["verdict"] for item in sent]
    return dict(zip(sent, final, strict=True))


def shifted(amount: float) -> str:
    return TRAIN.replace("1.0 + SHIFT", f"{amount} + SHIFT")


def test_two_agents_share_one_repository_and_every_idea_gets_a_verdict(repository: Repository, web: Service):
    told: dict[str, dict[str, str]] = {}

    async def agent(name: str, client: Client, patches: list[str]) -> None:
        told[name] = await work(client, patches)

    async def main() -> None:
        async with over_stdio(repository, "anna") as anna, web.client("bob") as bob, anyio.create_task_group() as group:
            group.start_soon(agent, "anna", anna, [shifted(1.4), CRASH, shifted(0.6)])
            group.start_soon(agent, "bob", bob, [shifted(1.5), shifted(1.4), TRAIN.replace("def loss", "#\ndef loss")])

    anyio.run(main)
    anna, bob = list(told["anna"].values()), list(told["bob"].values())
    assert anna[1] == "failed"
    assert anna[2] == "accepted (as printed)"
    assert bob[0] == "rejected"
    assert anna[0] == bob[1] == "rejected"
    assert bob[2] in ("identical", "rejected")  # it stands on what was official when it ran
    assert next(iter(told["anna"])) == list(told["bob"])[1], "the same idea is one candidate"
    with Store.open(repository.store, create=False) as store:
        twice = store.database.rows("SELECT candidate FROM trials GROUP BY candidate, seed HAVING count(*) > 1")
        assert twice == []
        assert {item.proposer for item in store.studies.proposals(1)[1:]} == {"anna", "bob"}


def test_a_patch_of_400000_characters_comes_through_http(repository: Repository, web: Service):
    assert repository.has_begun()
    long = TRAIN + "#" + "ü" * (400_000 - len(TRAIN) - 1)

    async def main() -> None:
        async with web.client("anna") as client:
            answer = answer_of(await client.call_tool("propose", {"patch": long, "file": "train.py"}))
            assert answer.data["new"] is True
            assert answer.bytes < 3000
            pieces, offset = "", 0
            while offset is not None:
                part = await ask(client, "result", candidate=answer.data["candidate"], file="train.py", offset=offset)
                pieces, offset = pieces + part["text"], part.get("next_offset")
            assert pieces == long
            assert "At most 400000" in await refused(client, "propose", patch=long + "#", file="train.py")

    anyio.run(main)
