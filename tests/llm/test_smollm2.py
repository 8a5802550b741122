"""A real model, from the endpoint to the ceiling."""

import json
import time
from typing import Any

import pytest

from headway.llm import Cached, CeilingReached, Message, Metered, Price, Request, model_of
from tests.llm.serving import NAME, serving

pytestmark = pytest.mark.slow

PRICE = Price(input_dollars=100.0, output_dollars=400.0)
SCHEMA = {
    "type": "object",
    "properties": {
        "learning_rate": {"type": "string", "enum": ["0.1", "0.01", "0.001"]},
        "layers": {"type": "integer", "minimum": 1, "maximum": 4},
    },
    "required": ["learning_rate", "layers"],
    "additionalProperties": False,
}


def asking(text, **changes):
    given: dict[str, Any] = {"max_tokens": 60, "temperature": 0.0, **changes}
    return Request(messages=(Message(role="user", text=text),), **given)


@pytest.fixture
def model(smollm2):
    return model_of(f"{smollm2}#{NAME}", price=PRICE)


def test_a_real_model_answers(model):
    completion = model.complete(asking("What is the capital of France? Answer in one sentence."))
    assert "Paris" in completion.text
    assert 0 < completion.output_tokens <= 60
    assert completion.input_tokens > 10
    assert completion.dollars == pytest.approx(PRICE.dollars(completion.input_tokens, completion.output_tokens))


def test_a_real_model_follows_a_schema(model):
    request = asking("Choose a learning rate and a number of layers for a small network.", schema=SCHEMA, max_tokens=80)
    answer = json.loads(model.complete(request).text)
    assert answer["learning_rate"] in ("0.1", "0.01", "0.001")
    assert 1 <= answer["layers"] <= 4
    assert len(answer) == 2


def test_an_answer_that_is_cut_off_says_so(model):
    completion = model.complete(asking("Count from one to one hundred.", max_tokens=8))
    assert completion.truncated
    assert completion.output_tokens == 8


def test_seeds_tell_answers_apart(model):
    texts = {model.complete(asking("Write a line of a poem.", temperature=1.0, seed=seed)).text for seed in (1, 1, 2)}
    assert len(texts) == 2


def test_a_kept_answer_needs_no_model_and_the_ceiling_lets_no_new_one_through(model, tmp_path):
    meter = Metered(model, tmp_path / "ledger.sqlite", dollars=0.05, price=PRICE)
    cached = Cached(meter, tmp_path / "answers")
    request = asking("Name a colour.", max_tokens=20)
    first = cached.complete(request)
    spent = meter.spending
    assert spent.dollars == pytest.approx(first.dollars)
    again = cached.complete(request)
    assert (again.text, again.cached, again.dollars) == (first.text, True, 0.0)
    assert meter.spending == spent
    began = time.monotonic()
    with pytest.raises(CeilingReached, match=r"of the ceiling of \$0\.0500 are spent"):
        cached.complete(asking("Tell me a long story.", max_tokens=2000))
    assert time.monotonic() - began < 1
    assert meter.spending == spent
    meter.close()


def test_the_server_ends_with_its_block():
    with serving() as url:
        model = model_of(f"{url}#{NAME}", retries=0)
        assert model.complete(asking("Hi", max_tokens=2)).text
    with pytest.raises(Exception, match="cannot be reached"):
        model.complete(asking("Hi", max_tokens=2))
