"""Talking to models: an endpoint that answers requests, and a command-line agent that edits a folder.

A loop that lets models propose wraps an endpoint as `Cached(Metered(OpenAIModel(...)))`: what was answered once costs
nothing again, and what is new stays below a ceiling. Nothing here decides what a proposal is worth.
"""

from typing import TYPE_CHECKING

from headway.core.lazy import lazily

if TYPE_CHECKING:
    from headway.llm.agent import AgentEdit, CommandAgent
    from headway.llm.cached import Cached
    from headway.llm.endpoint import OpenAIModel
    from headway.llm.errors import CeilingReached, ModelError
    from headway.llm.metered import Metered, Spending
    from headway.llm.model import Completion, Message, Model, Price, Request, tokens_of
    from headway.llm.named import model_of

__all__ = [
    "AgentEdit",
    "Cached",
    "CeilingReached",
    "CommandAgent",
    "Completion",
    "Message",
    "Metered",
    "Model",
    "ModelError",
    "OpenAIModel",
    "Price",
    "Request",
    "Spending",
    "model_of",
    "tokens_of",
]

__getattr__ = lazily(
    __name__,
    {
        "agent": ("AgentEdit", "CommandAgent"),
        "cached": ("Cached",),
        "endpoint": ("OpenAIModel",),
        "errors": ("CeilingReached", "ModelError"),
        "metered": ("Metered", "Spending"),
        "model": ("Completion", "Message", "Model", "Price", "Request", "tokens_of"),
        "named": ("model_of",),
    },
)
