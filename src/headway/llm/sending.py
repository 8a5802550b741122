"""Send requests to an endpoint over HTTP, and again where what failed may pass. `OpenAIModel` sends through it.

`urllib3` (extra `llm`) keeps the connections, and `truststore` checks certificates as the system does. A request costs
0.3 ms of CPU so, where the `openai` client takes 1.5 ms, and 0.5 s to import.
"""

import email.utils
import ipaddress
import math
import random
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from headway.core import MissingExtra, Redactor, UsageError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["Lost", "Response", "Sender", "wait_seconds"]

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 8.0
_JITTER = 0.25  # the share of a wait that is left to chance, so that those who were refused together part
_LONGEST_RETRY_AFTER_SECONDS = 120.0
_PASSING = (408, 409, 429)  # and 500 and more
_CONNECTIONS = 100  # kept open, of one process to one endpoint
_REDIRECTS = 10
_KEEPALIVE_SECONDS = 60  # an answer may take minutes: routers forget connections on which nothing moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Hold what an endpoint answered: the status, and the bytes of its body."""

    status: int
    body: bytes


class Lost(Exception):
    """Say why no answer came. `silent` for a time-out; `arrived` tells whether the request may have come to be read."""

    def __init__(self, cause: str, *, silent: bool, arrived: bool) -> None:
        super().__init__(cause)
        self.silent = silent
        self.arrived = arrived


class Sender:
    """Post to one URL, from any number of threads.

    `seconds` is how long the endpoint may stay silent, `retries` how often a failed request is sent again: after a lost
    connection, and the statuses 408, 409, 429 and 5xx. Proxies of the environment are used, but for this machine's own
    addresses, which none can reach. Raise `MissingExtra` where the extra is missing.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], seconds: float, retries: int) -> None:
        if any(find_spec(name) is None for name in ("urllib3", "truststore")):
            raise MissingExtra("the packages urllib3 and truststore", "llm", "Asking a model")
        self._url = url
        self._headers = headers
        self._seconds = seconds
        self._retries = retries
        self._lock = threading.Lock()
        self._post: Callable[[bytes], BaseHTTPResponse] | None = None

    def post(self, body: bytes) -> Response:
        """Return the last answer, whatever its status. Raise `Lost` where the last try brought none."""
        for tried in range(self._retries + 1):
            wait = self._try(body, tried)
            if isinstance(wait, Response):
                return wait
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _try(self, body: bytes, tried: int) -> Response | float:
        """Return an answer, or how many seconds to wait before the next try."""
        from urllib3.exceptions import HTTPError

        last = tried == self._retries
        try:
            answer = self._ready()(body)
        except HTTPError as error:
            if last:
                raise _lost(error) from error
            return wait_seconds(tried)
        wait = None if last else _wait_after(answer.status, answer.headers, tried)
        return Response(status=answer.status, body=answer.data) if wait is None else wait

    def _ready(self) -> "Callable[[bytes], BaseHTTPResponse]":
        with self._lock:
            if self._post is None:
                self._post = self._opened()
            return self._post

    def _opened(self) -> "Callable[[bytes], BaseHTTPResponse]":
        from urllib3 import Retry, Timeout

        pools = _pools(self._url)
        weakref.finalize(self, pools.clear)  # else its connections stay open until the process ends
        # Never inside of urllib3: it knows no limit for Retry-After that ends the tries.
        once = Retry(
            None,
            connect=0,
            read=0,
            status=0,
            other=0,
            redirect=_REDIRECTS,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        limit = Timeout(None if math.isinf(self._seconds) else self._seconds)
        url, headers = self._url, self._headers

        def post(body: bytes) -> "BaseHTTPResponse":
            return pools.urlopen("POST", url, body=body, headers=headers, retries=once, timeout=limit)

        return post


def wait_seconds(tried: int) -> float:
    """Return how long to wait before the next try, where nobody says: the longer, the more were in vain.

    >>> 0.375 <= wait_seconds(0) <= 0.5 and 6.0 <= wait_seconds(2000) <= 8.0
    True
    """
    wait = min(_FIRST_WAIT_SECONDS * 2.0 ** min(tried, 30), _LONGEST_WAIT_SECONDS)
    return wait * (1 - _JITTER * random.random())  # from the process's own generator: nothing is computed from it


def _wait_after(status: int, headers: Mapping[str, str], tried: int) -> float | None:
    """Return how long to wait before the request is sent again, None where that would not help."""
    asked = _asked_seconds(headers)
    if status < 400 or (asked is not None and asked > _LONGEST_RETRY_AFTER_SECONDS):
        return None
    # OpenAI's servers say so themselves where they know better than the status.
    says = headers.get("x-should-retry")
    if says == "false" or (says != "true" and status not in _PASSING and status < 500):
        return None
    return asked if asked is not None and asked > 0 else wait_seconds(tried)


def _asked_seconds(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), or what some servers send in milliseconds."""
    for name, unit_seconds in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit_seconds
        except ValueError:
            continue
        return None if math.isnan(seconds) else seconds
    try:
        return email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _pools(url: str) -> "PoolManager":
    import truststore
    from urllib3 import HTTPConnectionPool, PoolManager, ProxyManager, make_headers
    from urllib3.exceptions import ProxySchemeUnknown

    options = [*HTTPConnectionPool.ConnectionCls.default_socket_options, *_keepalive()]
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if urlsplit(url).scheme == "https" else None
    if (proxy := _proxy(url)) is None:
        return PoolManager(maxsize=_CONNECTIONS, socket_options=options, ssl_context=context)
    parts = urlsplit(proxy)
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    try:
        return ProxyManager(
            proxy,
            maxsize=_CONNECTIONS,
            socket_options=options,
            ssl_context=context,
            proxy_headers=make_headers(proxy_basic_auth=user) if user else None,
        )
    except ProxySchemeUnknown:
        raise UsageError(
            f"The environment names the proxy {Redactor().text(proxy)}. Expected one of http:// or https://: unset it, "
            f"or list {parts.hostname} in NO_PROXY."
        ) from None


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_local(host) or proxy_bypass(host):
        return None
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _keepalive() -> list[tuple[int, int, int]]:
    import socket

    known = (getattr(socket, name, None) for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"))  # macOS lacks the first
    timed = [(socket.IPPROTO_TCP, option, _KEEPALIVE_SECONDS) for option in known if option is not None]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *timed]


def _lost(error: Exception) -> Lost:
    from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError, ReadTimeoutError

    reason = error.reason if isinstance(error, MaxRetryError) and error.reason is not None else error
    never = isinstance(reason, ConnectTimeoutError | ProxyError) or _untrusted(reason)
    # A connection that was refused is a kind of time-out to urllib3.
    silent = isinstance(reason, ConnectTimeoutError | ReadTimeoutError) and not isinstance(reason, NewConnectionError)
    return Lost(str(reason), silent=silent, arrived=not never)


def _untrusted(error: Exception) -> bool:
    """Tell whether encryption was not agreed upon, which comes before the request is sent."""
    causes = cast("tuple[object, ...]", error.args)
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or (isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER")
        for cause in causes
    )
