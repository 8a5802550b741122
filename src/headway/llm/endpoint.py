"""A model behind an OpenAI-compatible endpoint: a vendor's, a gateway's, or a server on this machine.

What may pass is sent again (`sending.py`): 408, 409, 429, 5xx and lost connections, after the time that `Retry-After`
names (up to two minutes), else after 0.5 s, doubled up to 8 s.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from headway.core import Redactor, UsageError
from headway.llm.errors import ModelError
from headway.llm.model import Completion, Model, Price, Request, tokens_of
from headway.llm.sending import Lost, Sender

__all__ = ["OpenAIModel"]

_OF_OPENAI = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}  # nobody else's business
_REFUSED = (400, 401, 403, 404, 413, 422, 429)  # never computed, so never on a bill
_SHOWN_CHARACTERS = 500

LimitName = Literal["max_tokens", "max_completion_tokens"]


class OpenAIModel(Model):
    """Ask one model at an OpenAI-compatible endpoint, such as `http://127.0.0.1:8000/v1`.

    `key_env` names the environment variable that holds the key; None sends none. `seconds` is how long the endpoint may
    stay silent, `retries` how often a failed request is sent again. `price` fills in the dollars of answers.
    `limit_name` is the field that carries `max_tokens`: OpenAI's reasoning models want `max_completion_tokens`.

    A schema is sent as `response_format`. Some endpoints ignore it, or the seed: check what comes back.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_env: str | None = None,
        price: Price | None = None,
        seconds: float = 600.0,
        retries: int = 4,
        limit_name: LimitName = "max_tokens",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        if not model:
            raise UsageError(
                "An endpoint was named without a model. Write its name after '#': http://HOST:PORT/v1#NAME."
            )
        if not seconds > 0 or retries < 0:
            raise UsageError(
                f"An endpoint got seconds={seconds}, retries={retries}. Give more than 0 s, and 0 retries or more."
            )
        host = _checked(url)
        self._url = url.rstrip("/")
        self._model = model
        self._key_env = key_env
        self._price = price
        self._seconds = seconds
        self._retries = retries
        self._limit_name: LimitName = limit_name
        headers, secrets = _headers(host, key_env, environment)
        self._redactor = Redactor(secrets)
        self._sender = Sender(f"{self._url}/chat/completions", headers=headers, seconds=seconds, retries=retries)

    @property
    def name(self) -> str:
        """Return the endpoint and the model: `URL#NAME`."""
        return f"{self._url}#{self._model}"

    def complete(self, request: Request) -> Completion:
        """Ask the endpoint. Raise `ModelError` where it has no answer."""
        began = time.perf_counter()
        # A prompt may hold what was read from a broken file: half a character is no reason to fail.
        body = json.dumps(self._body(request), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        try:
            answer = self._sender.post(body)
        except Lost as error:
            raise self._unanswered(error) from error
        if not 200 <= answer.status < 300:
            raise self._refused(answer.status, answer.body)
        return self._completion(request, answer.body, time.perf_counter() - began)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
        }
        if request.max_tokens is not None:
            body[self._limit_name] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.seed is not None:
            body["seed"] = request.seed
        if request.schema is not None:
            schema = {"name": "answer", "schema": dict(request.schema), "strict": _is_closed(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _completion(self, request: Request, body: bytes, seconds: float) -> Completion:
        answer = _parsed(body)
        choices = _field(answer, "choices")
        if not isinstance(choices, list) or not choices:
            raise self._unreadable(body)
        choice = cast("list[object]", choices)[0]
        text = _field(_field(choice, "message"), "content")
        if not isinstance(text, str):
            raise self._unreadable(body)
        used_in, used_out = _count(answer, "prompt_tokens"), _count(answer, "completion_tokens")
        tokens_in = request.tokens if used_in is None else used_in
        tokens_out = tokens_of(text) if used_out is None else used_out
        return Completion(
            text=text,
            model=str(_field(answer, "model") or self._model),
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            dollars=None if self._price is None else self._price.dollars(tokens_in, tokens_out),
            seconds=seconds,
            truncated=_field(choice, "finish_reason") == "length",
        )

    def _unreadable(self, body: bytes) -> ModelError:
        return ModelError(
            f"{self.name} answered without the text of a message: {self._shown(body)}. Expected the JSON of a chat "
            "completion. Where the answer ran out of tokens, raise max_tokens; else check that the URL ends where "
            "/chat/completions begins, as in http://HOST:PORT/v1."
        )

    def _unanswered(self, lost: Lost) -> ModelError:
        tried = f"after {self._retries + 1} tries" if self._retries else "at the only try"
        if lost.silent:
            what = f"stayed silent for {self._seconds:g} s, {tried}. Give it more time, or ask for fewer tokens."
        else:
            cause = self._shown(str(lost).encode())
            what = f"cannot be reached {tried} ({cause}). Is the server up, and the URL right?"
        return ModelError(f"{self.name} {what}", charged=lost.arrived)

    def _refused(self, status: int, body: bytes) -> ModelError:
        what = f"{self.name} refused with status {status}: {self._shown(body)}. {self._advice(status)}"
        return ModelError(what, status=status, charged=status not in _REFUSED)

    def _advice(self, status: int) -> str:
        match status:
            case 401 | 403:
                known = self._key_env is not None
                return f"Check the key in {self._key_env}." if known else "Name the variable of its key (key_env)."
            case 404:
                return f"Check the URL, and the model's name {self._model!r}."
            case 429:
                return f"Its limit held through {self._retries} retries: ask less at once, or later."
            case 500 | 502 | 503 | 504:
                return f"It failed through {self._retries} retries: try later, or look at the server's log."
            case _:
                return "Check the request against what this endpoint takes."

    def _shown(self, body: bytes) -> str:
        text = " ".join(self._redactor.text(body.decode(errors="replace")).split())
        return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} ..."


def _checked(url: str) -> str:
    """Return the host of an endpoint's URL, or say what is wrong with it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no URL ({error}). Write it as http://127.0.0.1:8000/v1.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{url!r} is no URL of an endpoint. Write it as http://127.0.0.1:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        # The message does not repeat the URL: it may hold a secret. So would every record that names the model.
        raise UsageError(
            f"The URL of the endpoint at {host} has a user, a password, a query or a fragment. Give the bare URL, and "
            "put the key into an environment variable (key_env)."
        )
    return host


def _headers(host: str, key_env: str | None, environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return what goes with each request, and which of it must never be shown."""
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "Content-Type": "application/json"}
    headers["User-Agent"] = "headway"
    secrets: list[str] = []
    if key_env is not None:
        key = _key(key_env, environment)
        headers["Authorization"] = f"Bearer {key}"
        secrets.append(key)
    if host == "api.openai.com":
        headers |= {name: environment[variable] for name, variable in _OF_OPENAI.items() if environment.get(variable)}
    for line in environment.get("OPENAI_CUSTOM_HEADERS", "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[_sendable(name.strip(), "OPENAI_CUSTOM_HEADERS")] = _sendable(
                value.strip(), "OPENAI_CUSTOM_HEADERS"
            )
            secrets.append(value.strip())
    return headers, secrets


def _key(key_env: str, environment: Mapping[str, str]) -> str:
    key = environment.get(key_env, "").strip()
    if not key:
        raise UsageError(
            f"The environment variable {key_env} is not set, and the endpoint wants a key. Type: export {key_env}=..."
        )
    return _sendable(key, key_env)


def _sendable(text: str, variable: str) -> str:
    """Return what may stand in a header; the message about what may not does not repeat it."""
    if text.isascii() and text.isprintable():
        return text
    raise UsageError(f"The environment variable {variable} has characters that no header may have. Set it anew.")


def _is_closed(schema: object) -> bool:
    """Tell whether every object of a schema names and requires all its fields: OpenAI's strict mode takes no other."""
    if isinstance(schema, Mapping):
        node = cast("Mapping[str, Any]", schema)
        fields = node.get("properties")
        if isinstance(fields, Mapping):
            names = set(cast("Mapping[str, Any]", fields))
            if node.get("additionalProperties") is not False or set(node.get("required", ())) != names:
                return False
        return all(_is_closed(item) for item in node.values())
    if isinstance(schema, list | tuple):
        return all(_is_closed(item) for item in cast("list[object]", schema))
    return True


def _parsed(body: bytes) -> object:
    """Return the JSON of a body, None where it is none: anything may come back, and from anybody in between."""
    try:
        return cast("object", json.loads(body))
    except (ValueError, RecursionError):
        return None


def _field(value: object, name: str) -> object:
    return cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None


def _count(answer: object, field: str) -> int | None:
    value = _field(_field(answer, "usage"), field)
    return value if isinstance(value, int) and value >= 0 else None
