"""A model behind an OpenAI-compatible endpoint: a vendor's, a gateway's, or a server on this machine.

The `openai` client (extra `llm`) sends, and retries what may pass: 408, 409, 429, 5xx and lost connections, after the
time that `Retry-After` names (up to two minutes), else after 0.5 s, doubled up to 8 s.
"""

import ipaddress
import os
import threading
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from headway.core import MissingExtra, Redactor, UsageError
from headway.llm.errors import ModelError
from headway.llm.model import Completion, Model, Price, Request, tokens_of

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["OpenAIModel"]

_NO_KEY = "none"  # the client insists on one; servers without keys ignore it
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
        self._host = _checked(url)
        self._url = url.rstrip("/")
        self._model = model
        self._key_env = key_env
        self._key = _key(key_env, environment)
        self._price = price
        self._seconds = seconds
        self._retries = retries
        self._limit_name: LimitName = limit_name
        self._redactor = Redactor([self._key, *([environment[key_env]] if key_env else [])])
        self._lock = threading.Lock()
        self._made: OpenAI | None = None
        _require()

    @property
    def name(self) -> str:
        """Return the endpoint and the model: `URL#NAME`."""
        return f"{self._url}#{self._model}"

    def complete(self, request: Request) -> Completion:
        """Ask the endpoint. Raise `ModelError` where it has no answer."""
        from openai import OpenAIError

        began = time.perf_counter()
        try:
            answer = self._ask(self._body(request))
        except OpenAIError as error:
            raise self._explained(error) from error
        except (ValueError, TypeError, AttributeError) as error:  # what the client makes of a body that is no JSON
            raise self._unreadable(repr(error)) from error
        return self._completion(request, answer, time.perf_counter() - began)

    def _ask(self, body: dict[str, Any]) -> object:
        return cast("object", self._client().chat.completions.create(**body))

    def _client(self) -> "OpenAI":
        with self._lock:
            if self._made is None:
                self._made = self._make()
                weakref.finalize(self, self._made.close)  # else its connections stay open until the process ends
            return self._made

    def _make(self) -> "OpenAI":
        from openai import DefaultHttpxClient, OpenAI

        client = OpenAI(
            api_key=self._key,
            base_url=self._url,
            timeout=self._seconds,
            max_retries=self._retries,
            # A proxy cannot reach this machine's own address.
            http_client=DefaultHttpxClient(trust_env=False) if _is_local(self._host) else None,
        )
        if self._host != "api.openai.com":
            client.organization = client.project = None  # read from OPENAI_ORG_ID and so on: nobody else's business
        return client

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

    def _completion(self, request: Request, answer: object, seconds: float) -> Completion:
        # The client builds its objects without checks, so anything may be missing or of another type.
        choices = cast("object", getattr(answer, "choices", None))
        if not isinstance(choices, list) or not choices:
            raise self._unreadable(str(answer))
        choice = cast("list[object]", choices)[0]
        text = getattr(getattr(choice, "message", None), "content", None)
        if not isinstance(text, str):
            raise self._unreadable(str(choice))
        used_in, used_out = _count(answer, "prompt_tokens"), _count(answer, "completion_tokens")
        tokens_in = request.tokens if used_in is None else used_in
        tokens_out = tokens_of(text) if used_out is None else used_out
        return Completion(
            text=text,
            model=str(getattr(answer, "model", None) or self._model),
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            dollars=None if self._price is None else self._price.dollars(tokens_in, tokens_out),
            seconds=seconds,
            truncated=getattr(choice, "finish_reason", None) == "length",
        )

    def _unreadable(self, seen: str) -> ModelError:
        return ModelError(
            f"{self.name} answered without the text of a message: {self._shown(seen)}. Expected the JSON of a chat "
            "completion. Where the answer ran out of tokens, raise max_tokens; else check that the URL ends where "
            "/chat/completions begins, as in http://HOST:PORT/v1."
        )

    def _explained(self, error: Exception) -> ModelError:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        tried = f"after {self._retries + 1} tries" if self._retries else "at the only try"
        match error:
            case APITimeoutError():
                return ModelError(
                    f"{self.name} stayed silent for {self._seconds:g} s, {tried}. Give it more time, or ask for fewer "
                    "tokens."
                )
            case APIConnectionError():
                cause = self._shown(str(error.__cause__ or error))
                what = f"{self.name} cannot be reached {tried} ({cause}). Is the server up, and the URL right?"
                return ModelError(what, charged=not _never_connected(error))
            case APIStatusError():
                status = error.status_code
                what = f"{self.name} refused with status {status}: {self._shown(str(error))}. {self._advice(status)}"
                return ModelError(what, status=status, charged=status not in _REFUSED)
            case _:
                return self._unreadable(repr(error))

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

    def _shown(self, text: str) -> str:
        text = " ".join(self._redactor.text(text).split())
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


def _key(key_env: str | None, environment: Mapping[str, str]) -> str:
    if key_env is None:
        return _NO_KEY
    key = environment.get(key_env, "").strip()
    if not key:
        raise UsageError(
            f"The environment variable {key_env} is not set, and the endpoint wants a key. Type: export {key_env}=..."
        )
    return key


def _require() -> None:
    from importlib.util import find_spec

    if find_spec("openai") is None:
        raise MissingExtra("the package openai", "llm", "Asking a model")


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


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _count(answer: object, field: str) -> int | None:
    value = getattr(getattr(answer, "usage", None), field, None)
    return value if isinstance(value, int) and value >= 0 else None


def _never_connected(error: Exception) -> bool:
    """Tell whether no byte of the request can have arrived."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")
