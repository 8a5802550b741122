"""A model by the text that names it, on a command line or in a file.

| text | endpoint | key |
|---|---|---|
| `http://127.0.0.1:8000/v1#NAME` | that one | the variable that `key_env` names, if any |
| `openai:NAME` | OpenAI | OPENAI_API_KEY |
| `anthropic:NAME` | Anthropic, by its OpenAI-compatible endpoint | ANTHROPIC_API_KEY |
| `gemini:NAME` | Google, by its OpenAI-compatible endpoint | GEMINI_API_KEY |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from headway.core import UsageError, hint
from headway.llm.endpoint import LimitName, OpenAIModel
from headway.llm.model import Model, Price

__all__ = ["PROVIDERS", "Provider", "model_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Hold where a vendor's endpoint is, and which environment variable holds the key."""

    url: str
    key_env: str
    limit_name: LimitName = "max_tokens"


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(url="https://api.openai.com/v1", key_env="OPENAI_API_KEY", limit_name="max_completion_tokens"),
    "anthropic": Provider(url="https://api.anthropic.com/v1", key_env="ANTHROPIC_API_KEY"),
    "gemini": Provider(url="https://generativelanguage.googleapis.com/v1beta/openai", key_env="GEMINI_API_KEY"),
}

_EXAMPLES = "Write for example http://127.0.0.1:8000/v1#NAME, openai:NAME, anthropic:NAME or gemini:NAME."


def model_of(
    text: str,
    *,
    key_env: str | None = None,
    price: Price | None = None,
    seconds: float = 600.0,
    retries: int = 4,
    environment: Mapping[str, str] = os.environ,
) -> Model:
    """Return the model that a text names: `URL#NAME`, or `PROVIDER:NAME`. Raise `UsageError` where it names none.

    `key_env` names the environment variable with the key; a provider has one of its own.
    """
    text = text.strip()
    if "://" in text:
        url, _, name = text.partition("#")
        provider = Provider(url=url, key_env=key_env or "")
    else:
        provider, name = _provider(text)
    if not name:
        raise UsageError(f"The text {_bare(text)!r} names no model. {_EXAMPLES}")
    return OpenAIModel(
        url=provider.url,
        model=name,
        key_env=key_env or provider.key_env or None,
        price=price,
        seconds=seconds,
        retries=retries,
        limit_name=provider.limit_name,
        environment=environment,
    )


def _provider(text: str) -> tuple[Provider, str]:
    word, colon, name = text.partition(":")
    if not colon:
        raise UsageError(f"The text {text!r} names no model. {_EXAMPLES}")
    if word not in PROVIDERS:
        raise UsageError(f"There is no provider {word!r}. {hint(word, PROVIDERS)}{_EXAMPLES}")
    return PROVIDERS[word], name.strip()


def _bare(url: str) -> str:
    """Return a URL without the user and password that it may hold."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
