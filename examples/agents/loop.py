"""What both scripted agents do: propose, go on while ideas run, wait for verdicts, follow an idea that was rebased."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from ideas import Idea, patch_of

__all__ = ["Call", "run"]

Call = Callable[..., Awaitable[dict[str, Any]]]
"""Ask a verb with its arguments; the answer is its document, `{"error": ...}` where it was refused."""

AT_ONCE = 4  # proposals without a verdict
WAIT_SECONDS = 20


async def run(call: Call, study: str, ideas: Sequence[Idea], proposer: str) -> None:
    """Bring all ideas to their verdicts, and print each."""
    source = Path("train.py").read_text()
    waiting: dict[str, Idea] = {}
    left = list(ideas)
    brief = await call("brief", study=study)
    print(f"{proposer}: {brief.get('question', brief)}", flush=True)
    while left or waiting:
        while left and len(waiting) < AT_ONCE:
            idea = left.pop(0)
            answer = await call(
                "propose", study=study, patch=patch_of(idea, source), file="train.py", note=idea.note, proposer=proposer
            )
            if "error" in answer:
                print(f"{idea.kind:8} {idea.note}: not proposed: {answer['error']['message']}", flush=True)
            else:
                waiting[answer["candidate"][:12]] = idea
        if waiting:
            await call("wait", study=study, candidate=next(iter(waiting)), timeout=WAIT_SECONDS)
        for candidate, idea in list(waiting.items()):
            answer = await call("result", study=study, candidate=candidate)
            verdict = answer.get("verdict")
            if not isinstance(verdict, dict):
                continue
            del waiting[candidate]
            if verdict["decision"] == "rebased":
                waiting[verdict["as"][:12]] = idea
            else:
                print(f"{idea.kind:8} {idea.note}: {verdict['decision']}: {verdict['sentence']}", flush=True)
