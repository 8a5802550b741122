"""Be so many agents at one MCP server for so many seconds: `mcp_agents.py ADDRESS AGENTS SECONDS RESULT`.

Each proposes, waits for its end and reads what it gave; every third idea is one that all have. The result is a list:
for each agent the ideas whose end it saw, every refusal, and the largest answer in bytes.
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


class Agent:
    """Be one agent."""

    def __init__(self, address: dict[str, str], number: int, until: float) -> None:
        self._address = address
        self._number = number
        self._until = until
        self._random = random.Random(number)
        self.ideas: list[str] = []
        self.problems: list[str] = []
        self.largest = 0

    async def work(self) -> None:
        """Work until the time is over."""
        headers = {"Authorization": f"Bearer {self._address['token']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            transport = streamable_http_client(self._address["url"], http_client=http)
            async with Client(
                transport, client_info=Implementation(name=f"agent-{self._number}", version="1")
            ) as client:
                await self._ask(client, "brief")
                while time.monotonic() < self._until:
                    await self._try(client)

    async def _try(self, client: Client) -> None:
        count = len(self.ideas)
        shared = count % 3 == 2
        x = round(count / 10_000, 4) if shared else self._random.random()
        proposed = await self._ask(client, "propose", config={"x": x}, note="a guess", token=str(count))
        if proposed is None:
            return
        waited = await self._ask(client, "wait", candidate=proposed["candidate"], timeout=60)
        if waited is None or waited["timed_out"]:
            self.problems.append(f"agent {self._number} waited in vain for {proposed['candidate']}")
            return
        await self._ask(client, "result", candidate=proposed["candidate"])
        self.ideas.append(proposed["candidate"])
        if count % _RELOOK == 0:
            await self._ask(client, "status")
            await self._ask(client, "brief")
            await self._ask(client, "compare", first="baseline", second=proposed["candidate"])

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
    said = [{"ideas": item.ideas, "problems": item.problems, "largest_bytes": item.largest} for item in crowd]
    result.write_text(json.dumps(said))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
