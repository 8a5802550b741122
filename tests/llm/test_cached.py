"""Answers that were given before: found again by all that they depend on, and whole whatever happened to the writer."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core import DiskError
from headway.llm import Cached, Message, ModelError, OpenAIModel, Price, Request
from tests.llm.answering import chat


def asking(text="abc", **changes):
    return Request(messages=(Message(role="user", text=text),), **changes)


def model(endpoint, name="small"):
    return OpenAIModel(url=endpoint.url, model=name, retries=0)


def test_an_answer_is_kept_for_the_next_process_and_costs_nothing(endpoint, tmp_path):
    first = Cached(model(endpoint), tmp_path).complete(asking())
    again = Cached(model(endpoint), tmp_path).complete(asking())
    assert len(endpoint.requests) == 1
    assert (first.cached, again.cached) == (False, True)
    assert (again.text, again.input_tokens, again.output_tokens) == (first.text, 100, 10)
    assert again.dollars is None


def test_a_kept_answer_costs_no_dollars(endpoint, tmp_path):
    priced = OpenAIModel(url=endpoint.url, model="small", price=Price(input_dollars=1, output_dollars=1))
    cached = Cached(priced, tmp_path)
    assert [cached.complete(asking()).dollars, cached.complete(asking()).dollars] == [pytest.approx(110e-6), 0.0]


def test_all_that_an_answer_depends_on_tells_requests_apart(endpoint, tmp_path):
    requests = [
        asking(),
        asking("abd"),
        asking(max_tokens=5),
        asking(temperature=0.0),
        asking(temperature=1.0),
        asking(seed=1),
        asking(seed=2),
        asking(schema={"type": "object"}),
        Request(messages=(Message(role="system", text="abc"),)),
        Request(messages=(Message(role="user", text="ab"), Message(role="user", text="c"))),
    ]
    cached, other = Cached(model(endpoint), tmp_path), Cached(model(endpoint, "other"), tmp_path)
    for request in requests * 2:
        cached.complete(request)
    assert len(endpoint.requests) == len(requests)
    other.complete(asking())
    assert len(endpoint.requests) == len(requests) + 1


@settings(max_examples=50)
@given(texts=st.lists(st.text(), min_size=1, max_size=4), seed=st.none() | st.integers())
def test_equal_requests_have_one_digest(texts, seed):
    def made():
        return Request(messages=tuple(Message(role="user", text=text) for text in texts), seed=seed)

    assert made().digest() == made().digest()
    longer = Request(messages=(*made().messages, Message(role="user", text="")), seed=seed)
    assert longer.digest() != made().digest()


def test_any_text_comes_back_as_it_was(endpoint, tmp_path):
    text = 'quote " zero \0 line \n\r\u2028 \ud800 \U0001f600 é'
    endpoint.plan = [chat(text)]
    cached = Cached(model(endpoint), tmp_path)
    assert cached.complete(asking()).text == text
    assert cached.complete(asking()).text == text
    assert len(endpoint.requests) == 1


def test_threads_that_ask_the_same_ask_the_endpoint_once(endpoint, tmp_path):
    cached, answers = Cached(model(endpoint), tmp_path), []
    threads = [threading.Thread(target=lambda: answers.append(cached.complete(asking()))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(endpoint.requests) == 1
    assert sum(not answer.cached for answer in answers) == 1
    assert {answer.text for answer in answers} == {"cba"}


def test_a_failure_is_not_kept(endpoint, tmp_path):
    endpoint.plan = [500]
    cached = Cached(model(endpoint), tmp_path)
    with pytest.raises(ModelError):
        cached.complete(asking())
    assert cached.complete(asking()).text == "cba"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "completion": {"text": 5}}', b"\xff"]
)
def test_a_damaged_file_is_asked_for_again(endpoint, tmp_path, damage):
    cached = Cached(model(endpoint), tmp_path)
    cached.complete(asking())
    (file,) = tmp_path.glob("*/*.json")
    file.write_bytes(damage)
    assert not cached.complete(asking()).cached
    assert cached.complete(asking()).cached
    assert len(endpoint.requests) == 2


def test_only_the_owner_may_read_what_is_kept(endpoint, tmp_path):
    Cached(model(endpoint), tmp_path).complete(asking())
    (file,) = tmp_path.glob("*/*.json")
    assert file.stat().st_mode & 0o077 == 0


def test_the_answer_that_another_process_kept_first_is_everybodys(endpoint, tmp_path):
    """The other process answers while ours waits for the endpoint."""
    kept = {}

    class Slow(OpenAIModel):
        def complete(self, request):
            kept["other"] = Cached(model(endpoint), tmp_path).complete(request)
            endpoint.plan = [chat("later")]
            return super().complete(request)

    ours = Cached(Slow(url=endpoint.url, model="small"), tmp_path).complete(asking())
    assert kept["other"].text == ours.text == "cba"
    assert len(endpoint.requests) == 2


def test_a_full_disk_is_told_as_such(endpoint, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    cached = Cached(model(endpoint), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskError, match="No space left"):
            cached.complete(asking())
    assert not list(tmp_path.glob("*/*"))


WRITER = """
import sys, itertools
from pathlib import Path
from headway.llm import Cached, Message, OpenAIModel, Request
model = Cached(OpenAIModel(url=sys.argv[1], model="small", retries=0), Path(sys.argv[2]))
for number in itertools.count():
    model.complete(Request(messages=(Message(role="user", text="x" * 5000 + str(number)),)))
    if not number:
        print("ready", flush=True)
"""


def test_writers_that_are_killed_leave_whole_answers_only(endpoint, tmp_path):
    for wait in (0.05, 0.2, 0.4):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, endpoint.url, tmp_path], stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        time.sleep(wait)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.communicate()
    files = list(tmp_path.glob("*/*.json"))
    assert len(files) > 3
    texts = [json.loads(file.read_bytes())["completion"]["text"] for file in files]
    assert all(text.endswith("x" * 5000) for text in texts)
    before = len(endpoint.requests)
    assert Cached(model(endpoint), tmp_path).complete(asking("x" * 5000 + "0")).cached
    assert len(endpoint.requests) == before
