"""A ceiling on what may be spent, over a ledger that outlives the process.

Before a request goes out, the most that it can cost is set aside in the ledger, by the statement that checks the
ceiling, so that threads and processes together stay below it. When the answer is there, what it did cost takes its
place. Where none comes and the request may be on the bill (a time-out, a process that was killed), the most stays
spent.

Each change is one statement, and so one transaction: a thread that asks hands Python over at every call of SQLite, and
would wait for the engine to hand it back. Sums are kept by triggers, since a ledger grows with each request; in whole
numbers, since what is added to a float and taken away leaves a trace.
"""

import contextlib
import math
import sqlite3
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from headway.core import StoreError, UsageError
from headway.llm.errors import CeilingReached, ModelError
from headway.llm.model import Completion, Model, Price, Request
from headway.store import own_writes

__all__ = ["Metered", "Spending"]

_BUSY_SECONDS = 60.0
_DOLLAR = 10**12  # the unit of the sums is a millionth of a millionth: a token can cost less than a millionth
_TABLE = """CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, dollars REAL)"""
_SUMS_TABLE = """CREATE TABLE IF NOT EXISTS sums (
    requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    picodollars INTEGER NOT NULL, unanswered INTEGER NOT NULL)"""
_PICODOLLARS = f"CAST(round(coalesce({{row}}dollars, 0.0) * {_DOLLAR}) AS INTEGER)"
_FIRST_SUMS = f"""INSERT INTO sums SELECT * FROM (
        SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
        coalesce(sum({_PICODOLLARS.format(row="")}), 0), count(*) FILTER (WHERE state = 'asked') FROM requests
    ) WHERE NOT EXISTS (SELECT 1 FROM sums)"""


def _trigger(event: str, terms: dict[str, str]) -> str:
    """Return a trigger that adds to the sums what an event puts into the table, and takes away what it removes."""
    changes = [f"requests = requests {' '.join(f'{sign} 1' for sign in terms.values())}"]
    for sums, value in (
        ("input_tokens", "{row}input_tokens"),
        ("output_tokens", "{row}output_tokens"),
        ("picodollars", _PICODOLLARS),
        ("unanswered", "({row}state = 'asked')"),
    ):
        parts = (f"{sign} {value.format(row=f'{row}.')}" for row, sign in terms.items())
        changes.append(f"{sums} = {sums} {' '.join(parts)}")
    return (
        f"CREATE TRIGGER IF NOT EXISTS sums_after_{event} AFTER {event} ON requests BEGIN "
        f"UPDATE sums SET {', '.join(changes)}; END"
    )


_SCHEMA = (
    _TABLE,
    _SUMS_TABLE,
    _FIRST_SUMS,
    _trigger("INSERT", {"new": "+"}),
    _trigger("UPDATE", {"new": "+", "old": "-"}),
    _trigger("DELETE", {"old": "-"}),
)
_SET_ASIDE = """INSERT INTO requests (at, model, state, input_tokens, output_tokens, dollars)
    SELECT :at, :model, 'asked', :input, :output, :dollars FROM sums
    WHERE (:most_tokens IS NULL OR input_tokens + output_tokens + :input + :output <= :most_tokens)
    AND (:most_picodollars IS NULL OR picodollars + :picodollars <= :most_picodollars)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Hold what the ledger says: requests, tokens, dollars. `unanswered` requests count with the most they can cost."""

    requests: int
    input_tokens: int
    output_tokens: int
    dollars: float
    unanswered: int

    @property
    def tokens(self) -> int:
        """Return the tokens of prompts and answers together."""
        return self.input_tokens + self.output_tokens


class Metered(Model):
    """Ask `model` as long as the ledger stays below `dollars` and `tokens`, else raise `CeilingReached`.

    Without either it only counts. `ledger` is a SQLite file; who shares it shares the ceiling, whichever models they
    ask. A ceiling in dollars needs a `price`. A request without `max_tokens` gets `max_tokens`, since the most that it
    can cost must be known. A prompt is estimated at 3 bytes a token before it is sent, and counted as the endpoint did
    afterwards: text with fewer bytes a token can pass the ceiling by that difference. Retries of the client below are
    one request here.

    Put `Cached` around it, not inside: then what was answered before does not come here at all.
    """

    def __init__(
        self,
        model: Model,
        ledger: Path,
        *,
        dollars: float | None = None,
        tokens: int | None = None,
        price: Price | None = None,
        max_tokens: int = 8192,
    ) -> None:
        _check(dollars, tokens, price, max_tokens)
        self._model = model
        self._ledger = ledger
        self._dollars = dollars
        self._tokens = tokens
        self._price = price
        self._max_tokens = max_tokens
        self._lock = threading.Lock()
        self._connection = _opened(ledger)

    @property
    def name(self) -> str:
        """Return the name of the model that is asked."""
        return self._model.name

    @property
    def spending(self) -> Spending:
        """Return what was spent so far by all who share the ledger."""
        with self._connected() as connection:
            return _spending(connection)

    def complete(self, request: Request) -> Completion:
        """Ask, where the ceiling leaves room for the most that this request can cost."""
        bounded = replace(request, max_tokens=request.max_tokens or self._max_tokens)
        number = self._set_aside(bounded)
        try:
            completion = self._model.complete(bounded)
        except ModelError as error:
            self._close(number, charged=error.charged)
            raise
        if completion.cached:
            self._close(number, charged=False)
        else:
            self._settle(number, completion)
        return completion

    def close(self) -> None:
        """Close the ledger."""
        with self._lock:
            self._connection.close()

    def _set_aside(self, request: Request) -> int:
        tokens_in, tokens_out = request.tokens, request.max_tokens or self._max_tokens
        dollars = self._cost(tokens_in, tokens_out)
        values = {
            "at": time.time(),
            "model": self._model.name,
            "input": tokens_in,
            "output": tokens_out,
            "dollars": dollars,
            "picodollars": _picodollars(dollars or 0.0),
            "most_tokens": self._tokens,
            "most_picodollars": None if self._dollars is None else _picodollars(self._dollars),
        }
        while True:
            with self._connected() as connection:
                done = connection.execute(_SET_ASIDE, values)
                if done.rowcount:
                    return done.lastrowid or 0
                spent = _spending(connection)
            self._refuse(spent, tokens_in + tokens_out, dollars or 0.0)  # it passes where room was made just now

    def _refuse(self, spent: Spending, tokens: int, dollars: float) -> None:
        where = f"Raise the ceiling to go on ({self._ledger} is the ledger); what was answered stays in the cache."
        if self._dollars is not None and _picodollars(spent.dollars) + _picodollars(dollars) > _picodollars(
            self._dollars
        ):
            raise CeilingReached(
                f"The next request can cost up to ${dollars:.4f}, and ${spent.dollars:.4f} of the ceiling of "
                f"${self._dollars:.4f} are spent{_set_aside_by(spent)}. {where}"
            )
        if self._tokens is not None and spent.tokens + tokens > self._tokens:
            raise CeilingReached(
                f"The next request can take up to {tokens:,} tokens, and {spent.tokens:,} of the ceiling of "
                f"{self._tokens:,} are spent{_set_aside_by(spent)}. {where}"
            )

    def _settle(self, number: int, completion: Completion) -> None:
        dollars = completion.dollars
        if dollars is None:
            dollars = self._cost(completion.input_tokens, completion.output_tokens)
        with self._connected() as connection:
            connection.execute(
                "UPDATE requests SET state = 'answered', input_tokens = ?, output_tokens = ?, dollars = ? WHERE id = ?",
                (completion.input_tokens, completion.output_tokens, dollars, number),
            )

    def _close(self, number: int, *, charged: bool) -> None:
        with self._connected() as connection:
            if charged:
                connection.execute("UPDATE requests SET state = 'failed' WHERE id = ?", (number,))
            else:
                connection.execute("DELETE FROM requests WHERE id = ?", (number,))

    def _cost(self, tokens_in: int, tokens_out: int) -> float | None:
        return None if self._price is None else self._price.dollars(tokens_in, tokens_out)

    @contextlib.contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        with self._lock, _explained(self._ledger):
            yield self._connection


def _check(dollars: float | None, tokens: int | None, price: Price | None, max_tokens: int) -> None:
    for name, value in (("dollars", dollars), ("tokens", tokens)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"The ceiling is {value} {name}. Give a finite number above 0.")
    if dollars is not None and price is None:
        raise UsageError("A ceiling in dollars needs the price of tokens. Give the price, or a ceiling in tokens.")
    if max_tokens < 1:
        raise UsageError(f"max_tokens is {max_tokens}, expected 1 or more.")


def _opened(ledger: Path) -> sqlite3.Connection:
    with own_writes(ledger):
        ledger.parent.mkdir(parents=True, exist_ok=True)
    with _explained(ledger):
        connection = sqlite3.connect(ledger, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            # Without a sync a power cut may lose the last entries; a killed process loses none.
            connection.execute("PRAGMA synchronous = OFF")
            _into_wal(connection)
            _laid_out(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _into_wal(connection: sqlite3.Connection) -> None:
    """Let a change cost two writes, where the ledger's disk can; elsewhere it takes a journal file of its own."""
    with contextlib.suppress(sqlite3.OperationalError):  # also where somebody writes just now: the next session will
        connection.execute("PRAGMA journal_mode = WAL")


def _laid_out(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


@contextlib.contextmanager
def _explained(ledger: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"The ledger {ledger} cannot be read or written ({error}). Nothing is asked without it: free its disk, "
            "make it writable, or name another file."
        ) from error


def _spending(connection: sqlite3.Connection) -> Spending:
    requests, tokens_in, tokens_out, picodollars, unanswered = connection.execute("SELECT * FROM sums").fetchone()
    return Spending(
        requests=requests,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        dollars=picodollars / _DOLLAR,
        unanswered=unanswered,
    )


def _picodollars(dollars: float) -> int:
    return round(dollars * _DOLLAR)


def _set_aside_by(spent: Spending) -> str:
    return f" or set aside by {spent.unanswered} requests without an answer yet" if spent.unanswered else ""
