"""Be so many agents at one MCP server for so many seconds: `mcp_agents.py ADDRESS AGENTS SECONDS RESULT`.

Each keeps two changes of the code under way, waits for the verdict on the older one and reads why; every third idea is
one that all have. The result is a list: for each agent the ideas whose verdict it read, the verdicts that its cursor
told, its first and its last cursor, every refusal, and the largest answer in bytes.
"""

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation, TextContent

_RELOOK = 10  # ideas, after which an agent reads the board again
_UNDER_WAY = 2
_LINE = "    return base + 0.0"
_PATCH = "<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


class Agent:
    """Be one agent."""

    def __init__(self, address: dict[str, str], number: int, until: float) -> None:
        self._address = address
        self._number = number
        self._until = until
        self._random = random.Random(number)
        self._under_way: list[str] = []
        self._sent = 0
        self.first = self.cursor = ""
        self.told: list[str] = []
        self.ideas: list[str] = []
        self.problems: list[str] = []
        self.largest = 0

    async def work(self) -> None:
        """Work until the time is over."""
        headers = {"Authorization": f"Bearer {self._address['token']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            transport = streamable_http_client(self._address["url"], http_client=http)
            name = f"agent-{self._number}"
            async with Client(transport, client_info=Implementation(name=name, version="1")) as client:
                brief = await self._ask(client, "brief")
                self.first = self.cursor = brief["cursor"] if brief else ""
                while time.monotonic() < self._until:
                    await self._try(client)

    async def _try(self, client: Client) -> None:
        while len(self._under_way) < _UNDER_WAY:
            await self._propose(client)
        candidate = self._under_way.pop(0)
        waited = await self._ask(client, "wait", candidate=candidate, timeout=100)
        if waited is None or waited["timed_out"]:
            self.problems.append(f"agent {self._number} waited in vain for {candidate}: {waited}")
            return
        await self._ask(client, "result", candidate=candidate)
        self.ideas.append(candidate)
        if len(self.ideas) % _RELOOK == 1:
            await self._look(client, candidate)

    async def _propose(self, client: Client) -> None:
        """Send a change of the baseline's code. One of fifty helps; every third is one that all agents have."""
        shared = self._sent % 3 == 2
        amount = round(self._sent / 1000, 6) if shared else round(self._random.uniform(-0.02, 1.0), 6)
        new = f"    return base + {amount}"
        self._sent += 1
        proposed = await self._ask(
            client,
            "propose",
            patch=_PATCH.format(old=_LINE, new=new),
            file="train.py",
            parent="baseline",
            note=f"add {amount}",
            token=str(self._sent),
        )
        self._under_way += [] if proposed is None else [proposed["candidate"]]

    async def _look(self, client: Client, candidate: str) -> None:
        """Read the board, the code, and all verdicts that came since the last look."""
        await self._ask(client, "status")
        await self._ask(client, "brief")
        await self._ask(client, "compare", first="baseline", second=candidate)
        await self._ask(client, "result", candidate="official", file="train.py")
        while (news := await self._ask(client, "wait", since=self.cursor, timeout=0)) is not None:
            self.cursor = news["cursor"]
            self.told += [item["candidate"] for item in news["verdicts"]]
            if not news["verdicts"]:
                break

    async def _ask(self, client: Client, verb: str, **arguments: Any) -> dict[str, Any] | None:
        result = await client.call_tool(verb, arguments)
        content = result.content[0]
        assert isinstance(content, TextContent)
        self.largest = max(self.largest, len(content.text.encode()))
        if result.is_error:
            self.problems.append(f"{verb}: {content.text[:300]}")
            return None
        return json.loads(content.text)


async def main(address: Path, agents: int, seconds: float, result: Path) -> None:
    """Let all work at once, and write what came of it."""
    where = json.loads(address.read_text())
    crowd = [Agent(where, number, time.monotonic() + seconds) for number in range(agents)]
    async with anyio.create_task_group() as group:
        for agent in crowd:
            group.start_soon(agent.work)
    said = [
        {
            "ideas": item.ideas,
            "told": item.told,
            "first": item.first,
            "last": item.cursor,
            "problems": item.problems,
            "largest_bytes": item.largest,
        }
        for item in crowd
    ]
    result.write_text(json.dumps(said))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
