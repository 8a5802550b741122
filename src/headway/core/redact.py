"""Secrets leave texts here before anything is stored: known token shapes, assignments to secret names, known values."""

import re
from collections.abc import Iterable, Mapping

__all__ = ["Redactor"]

_MASK = "[redacted]"
_SECRET_NAME = re.compile(r"(?i)(?:^|_)(?:api_?key|key|token|secret|passw(?:or)?d|credentials?|auth)(?:_|$)")
_TOKENS = re.compile(
    r"""(?x)
      \bsk-[A-Za-z0-9_-]{16,}            # OpenAI, Anthropic
    | \bgh[pousr]_[A-Za-z0-9]{20,}       # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}         # GitLab
    | \bhf_[A-Za-z0-9]{20,}              # Hugging Face
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b      # AWS
    | \bAIza[0-9A-Za-z_-]{30,}           # Google
    | \bxox[abprs]-[A-Za-z0-9-]{10,}     # Slack
    | \beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}   # JSON Web Token
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    """
)
_ASSIGNED = re.compile(
    r"""(?ix)
    (\b[a-z0-9_]*(?:api_?key|access_?key|secret(?:_?key)?|auth_?token|access_?token|passw(?:or)?d)\b
     ["']?\s*[:=]\s*["'])                # the name, and the quote that opens its value
    ([^"'\s]{8,})(["'])
    """
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]+:)([^/\s@]+)(@)")
_SHORTEST_VALUE = 8  # shorter values of secret variables ("1", "true") would blank out ordinary text


class Redactor:
    """Replace secrets in text by `[redacted]`. `values` are literal secrets, such as those of the environment."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        known = sorted({value for value in values if len(value) >= _SHORTEST_VALUE}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, known))) if known else None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Redactor":
        """Take the values of all variables whose name says that they are secret."""
        return cls(value for name, value in environment.items() if _SECRET_NAME.search(name))

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        if self._values is not None:
            text = self._values.sub(_MASK, text)
        text = _TOKENS.sub(_MASK, text)
        text = _ASSIGNED.sub(rf"\1{_MASK}\3", text)
        return _URL_PASSWORD.sub(rf"\1{_MASK}\3", text)

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment without the values of secret variables."""
        return {name: _MASK if _SECRET_NAME.search(name) else self.text(value) for name, value in environment.items()}
