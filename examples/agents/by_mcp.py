"""Scripted agents that work through the MCP server (`headway mcp`), each with a client and a server of its own.

    headway run . --workers 2 &        # the engine, in a copy of examples/autoresearch that git knows
    python by_mcp.py STUDY             # in the same folder: two agents share the ideas

Usage: python by_mcp.py STUDY [--agents N]
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from ideas import IDEAS
from loop import run
from mcp import Client, StdioServerParameters
from mcp_types import TextContent


async def agent(study: str, part: int, parts: int) -> None:
    """Be one agent, with every `parts`-th idea."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "headway", "mcp"], cwd=Path.cwd())
    async with Client(server) as client:

        async def call(verb: str, **arguments: Any) -> dict[str, Any]:
            (content,) = (await client.call_tool(verb, arguments)).content
            assert isinstance(content, TextContent)
            answer: dict[str, Any] = json.loads(content.text)
            return answer

        await run(call, study, IDEAS[part::parts], f"agent {part + 1}")


async def agents(study: str, count: int) -> None:
    """Run all agents at once."""
    async with asyncio.TaskGroup() as group:
        for part in range(count):
            group.create_task(agent(study, part, count))


def main() -> None:
    """Propose all ideas, and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--agents", type=int, default=2)
    arguments = parser.parse_args()
    asyncio.run(agents(arguments.study, arguments.agents))


if __name__ == "__main__":
    main()
