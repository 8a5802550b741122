"""A ceiling: never passed, by threads, processes and restarts together, and told before anything is asked."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core import HeadwayError, StoreError, UsageError
from headway.llm import (
    Cached,
    CeilingReached,
    Completion,
    Message,
    Metered,
    Model,
    ModelError,
    OpenAIModel,
    Price,
    Request,
)
from tests.llm.answering import chat

PRICE = Price(input_dollars=1.0, output_dollars=10.0)


def asking(text="abc", **changes):
    return Request(messages=(Message(role="user", text=text),), **changes)


def model(endpoint, **changes):
    given: dict[str, Any] = {"url": endpoint.url, "model": "small", "retries": 0, **changes}
    return OpenAIModel(**given)


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def metered(endpoint, ledger):
    made = []

    def make(**changes):
        made.append(Metered(model(endpoint), ledger, **changes))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_request_that_could_pass_the_ceiling_is_not_sent(endpoint, metered):
    meter = metered(tokens=300)
    assert meter.complete(asking(max_tokens=100)).text == "cba"  # 110 tokens by the endpoint's count
    meter.complete(asking(max_tokens=100))
    with pytest.raises(CeilingReached, match=r"up to 109 tokens, and 220 of the ceiling of 300 are spent\.") as caught:
        meter.complete(asking(max_tokens=100))
    assert isinstance(caught.value, HeadwayError)
    assert len(endpoint.requests) == 2
    meter.complete(asking(max_tokens=71))  # 9 + 71 just fit
    assert len(endpoint.requests) == 3


def test_dollars_have_a_ceiling_too(endpoint, metered):
    meter = metered(dollars=0.0012, price=PRICE)
    meter.complete(asking(max_tokens=100))
    assert meter.spending.dollars == pytest.approx(100e-6 + 100e-6)
    with pytest.raises(CeilingReached, match=r"up to \$0\.0020, and \$0\.0002 of the ceiling of \$0\.0012 are spent"):
        meter.complete(asking(max_tokens=200))
    assert len(endpoint.requests) == 1


def test_the_ceiling_holds_after_a_restart(endpoint, metered):
    metered(tokens=150).complete(asking(max_tokens=50))
    with pytest.raises(CeilingReached):
        metered(tokens=150).complete(asking(max_tokens=50))
    metered(tokens=1000).complete(asking(max_tokens=50))
    assert len(endpoint.requests) == 2


def test_a_request_without_a_limit_gets_one(endpoint, metered):
    metered(tokens=10_000, max_tokens=321).complete(asking())
    assert endpoint.requests[0]["max_tokens"] == 321


def test_what_was_refused_costs_nothing_and_what_timed_out_may_have(endpoint, ledger):
    endpoint.plan = [429, 401, "hang"]
    meter = Metered(model(endpoint, seconds=0.3), ledger, tokens=1000)
    for _ in range(2):
        with pytest.raises(ModelError):
            meter.complete(asking(max_tokens=100))
    assert meter.spending.tokens == 0
    with pytest.raises(ModelError):
        meter.complete(asking(max_tokens=100))
    assert (meter.spending.tokens, meter.spending.requests) == (109, 1)
    meter.close()


def test_a_cache_around_a_meter_answers_beyond_the_ceiling(metered, tmp_path):
    cached = Cached(metered(tokens=150), tmp_path / "answers")
    cached.complete(asking(max_tokens=50))
    assert cached.complete(asking(max_tokens=50)).cached
    with pytest.raises(CeilingReached):
        cached.complete(asking("new", max_tokens=50))


def test_a_meter_without_a_ceiling_counts(metered):
    meter = metered()
    meter.complete(asking())
    spent = meter.spending
    assert (spent.requests, spent.input_tokens, spent.output_tokens, spent.dollars) == (1, 100, 10, 0.0)


def test_a_meter_around_a_cache_charges_nothing_for_what_was_kept(endpoint, ledger, tmp_path):
    priced = Cached(model(endpoint, price=PRICE), tmp_path / "answers")
    meter = Metered(priced, ledger, dollars=1.0, price=PRICE)
    for _ in range(3):
        meter.complete(asking(max_tokens=50))
    assert meter.spending.dollars == pytest.approx(200e-6)
    assert (meter.spending.requests, meter.spending.tokens) == (1, 110)
    meter.close()


def test_many_threads_stay_below_the_ceiling(endpoint, metered):
    meter, refused = metered(tokens=2000), []

    def ask(number):
        try:
            meter.complete(asking(f"{number:03}", max_tokens=150))
        except CeilingReached:
            refused.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 10 <= len(endpoint.requests) == 40 - len(refused)
    assert meter.spending.tokens == 110 * len(endpoint.requests) <= 2000
    assert meter.spending.unanswered == 0


ASKER = """
import sys
from pathlib import Path
from headway.llm import CeilingReached, Message, Metered, OpenAIModel, Request
meter = Metered(OpenAIModel(url=sys.argv[1], model="small", retries=0), Path(sys.argv[2]), tokens=int(sys.argv[3]))
try:
    while True:
        meter.complete(Request(messages=(Message(role="user", text="abc"),), max_tokens=150))
except CeilingReached:
    print("refused")
"""


def test_processes_share_a_ceiling(endpoint, metered, ledger):
    command = [sys.executable, "-c", ASKER, endpoint.url, str(ledger), "2000"]
    askers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [asker.communicate(timeout=60)[0].strip() for asker in askers] == ["refused"] * 3
    spent = metered(tokens=2000).spending
    assert 2000 - 160 - 110 < spent.tokens <= 2000
    assert spent.requests == len(endpoint.requests)


def test_a_process_that_is_killed_while_it_asks_has_spent_the_most(endpoint, metered, ledger):
    endpoint.plan = ["hang"]
    asker = subprocess.Popen([sys.executable, "-c", ASKER, endpoint.url, str(ledger), "2000"])
    while not endpoint.requests:
        assert asker.poll() is None
    asker.kill()
    asker.wait()
    spent = metered(tokens=2000).spending
    assert (spent.tokens, spent.unanswered) == (159, 1)
    with pytest.raises(CeilingReached, match="or set aside by 1 requests without an answer yet"):
        metered(tokens=200).complete(asking(max_tokens=50))


def test_a_ledger_of_an_earlier_release_goes_on_with_what_it_counted(endpoint, metered, ledger):
    before = sqlite3.connect(ledger)
    before.execute(
        "CREATE TABLE requests (id INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL, "
        "input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, dollars REAL)"
    )
    rows = [(0, "m", "answered", 100, 10, 0.1), (0, "m", "asked", 20, 30, None), (0, "m", "failed", 5, 5, 0.2)]
    before.executemany("INSERT INTO requests VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
    before.commit()
    spent = metered(tokens=400).spending
    assert (spent.requests, spent.tokens, spent.unanswered) == (3, 170, 1)
    assert spent.dollars == 0.3
    before.execute("UPDATE requests SET state = 'answered', output_tokens = 40 WHERE state = 'asked'")
    before.commit()  # the earlier release, beside this one
    before.close()
    assert (metered().spending.tokens, metered().spending.unanswered) == (180, 0)
    metered(tokens=400).complete(asking(max_tokens=200))
    with pytest.raises(CeilingReached, match="290 of the ceiling of 300"):
        metered(tokens=300).complete(asking(max_tokens=2))


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["answer", "charge", "refuse"]), st.integers(1, 900)), max_size=25))
def test_the_sums_are_those_of_the_table(tmp_path_factory, steps):
    place = tmp_path_factory.mktemp("ledger") / "l.sqlite"
    meter = Metered(Moody(), place, dollars=1.0, price=Price(input_dollars=0.0371, output_dollars=0.15))
    for how, limit in steps:
        with contextlib.suppress(ModelError):
            meter.complete(asking(how, max_tokens=limit))
    with sqlite3.connect(place) as table:
        rows = table.execute("SELECT input_tokens, output_tokens, dollars, state FROM requests").fetchall()
    table.close()
    spent = meter.spending
    meter.close()
    assert spent.requests == len(rows) == sum(how != "refuse" for how, _ in steps)
    assert (spent.input_tokens, spent.output_tokens) == (sum(row[0] for row in rows), sum(row[1] for row in rows))
    assert spent.dollars == pytest.approx(sum(row[2] for row in rows), abs=1e-11)
    assert spent.unanswered == 0


class Moody(Model):
    """Answer, or fail charged or not, as the request says."""

    @property
    def name(self):
        return "moody"

    def complete(self, request):
        how = request.messages[0].text
        if how != "answer":
            raise ModelError(how, charged=how == "charge")
        return Completion(text="", model="moody", input_tokens=7, output_tokens=3, dollars=None, seconds=0)


def test_a_dollar_that_was_set_aside_and_given_back_leaves_no_trace(endpoint, metered):
    tenth = Price(input_dollars=0.0, output_dollars=100_000.0)  # a token costs ten cents
    meter = metered(dollars=0.3, price=tenth)
    endpoint.plan = [429, 429, 429] + [chat("x", tokens=(0, 1))] * 3
    for _ in range(3):
        with pytest.raises(ModelError):
            meter.complete(asking(max_tokens=3))
    assert meter.spending.dollars == 0.0
    for _ in range(3):
        meter.complete(asking(max_tokens=1))  # 0.1 + 0.1 + 0.1 is not more than 0.3
    assert meter.spending.dollars == 0.3


def test_an_answer_that_took_more_than_was_estimated_counts_as_it_was(endpoint, metered):
    endpoint.plan = [chat("x", tokens=(500, 60))]
    meter = metered(tokens=600)
    meter.complete(asking(max_tokens=60))
    assert meter.spending.tokens == 560
    with pytest.raises(CeilingReached):
        meter.complete(asking(max_tokens=60))


class Counting(Model):
    """Use as many tokens as the request allows, and count them."""

    def __init__(self):
        self.tokens = 0

    @property
    def name(self):
        return "counting"

    def complete(self, request):
        assert request.max_tokens is not None
        self.tokens += request.tokens + request.max_tokens
        return Completion(
            text="",
            model="counting",
            input_tokens=request.tokens,
            output_tokens=request.max_tokens,
            dollars=None,
            seconds=0,
        )


@settings(max_examples=25, deadline=None)
@given(ceiling=st.integers(1, 5000), limits=st.lists(st.integers(1, 900), max_size=20))
def test_no_order_of_requests_passes_the_ceiling(tmp_path_factory, ceiling, limits):
    inner = Counting()
    meter = Metered(inner, tmp_path_factory.mktemp("ledger") / "l.sqlite", tokens=ceiling)
    for limit in limits:
        left = ceiling - inner.tokens
        request = asking(max_tokens=limit)
        if request.tokens + limit <= left:
            meter.complete(request)
        else:
            with pytest.raises(CeilingReached):
                meter.complete(request)
    assert meter.spending.tokens == inner.tokens <= ceiling
    meter.close()


def test_bad_ceilings_are_refused(endpoint, ledger):
    bad: list[tuple[dict[str, Any], str]] = [
        ({"dollars": 1.0}, "needs the price"),
        ({"dollars": float("nan"), "price": PRICE}, "above 0"),
        ({"tokens": 0}, "above 0"),
        ({"tokens": 1, "max_tokens": 0}, "1 or more"),
    ]
    for changes, says in bad:
        with pytest.raises(UsageError, match=says):
            Metered(model(endpoint), ledger, **changes)
    assert not ledger.exists()
    with pytest.raises(UsageError, match="Give dollars, 0 or more"):
        Price(input_dollars=-1, output_dollars=0)


def test_a_ledger_that_is_none_stops_everything(endpoint, ledger):
    ledger.write_text("this is no database, but it is long enough to be taken for one" * 20)
    with pytest.raises(StoreError, match="Nothing is asked without it"):
        Metered(model(endpoint), ledger, tokens=100)
    ledger.unlink()
    meter = Metered(model(endpoint), ledger, tokens=1000)
    other = sqlite3.connect(ledger)
    other.execute("DROP TABLE requests")
    other.close()
    with pytest.raises(StoreError):
        meter.complete(asking(max_tokens=5))
    assert endpoint.requests == []
    meter.close()
