"""Models by the text that names them."""

from typing import Any

import pytest

from headway.core import UsageError
from headway.llm import Message, Request, model_of, tokens_of
from headway.llm.named import PROVIDERS


def test_a_url_and_a_name_ask_that_endpoint(endpoint):
    model = model_of(f" {endpoint.url}/#org/small:1b ")
    assert model.name == f"{endpoint.url}#org/small:1b"
    assert model.complete(Request(messages=(Message(role="user", text="abc"),))).text == "cba"
    assert endpoint.requests[0]["model"] == "org/small:1b"


def test_a_url_may_have_a_key(endpoint):
    model_of(f"{endpoint.url}#small", key_env="MINE", environment={"MINE": "key-of-mine"}).complete(
        Request(messages=(Message(role="user", text="abc"),))
    )
    assert endpoint.headers[0]["authorization"] == "Bearer key-of-mine"


@pytest.mark.parametrize("word", PROVIDERS)
def test_a_provider_is_known_by_a_word_and_wants_its_key(word):
    variable = PROVIDERS[word].key_env
    model = model_of(f"{word}:some-model", environment={variable: "k" * 20})
    assert model.name == f"{PROVIDERS[word].url}#some-model"
    with pytest.raises(UsageError, match=f"export {variable}="):
        model_of(f"{word}:some-model", environment={})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no model"),
        ("gpt-x", "names no model"),
        ("openai:", "names no model"),
        ("http://127.0.0.1:8000/v1", "names no model"),
        ("http://127.0.0.1:8000/v1#", "names no model"),
        ("opnai:x", "Did you mean 'openai'"),
        ("nobody:x", "no provider 'nobody'"),
    ],
)
def test_bad_text_is_answered_with_examples(text, says):
    with pytest.raises(UsageError, match=says) as caught:
        model_of(text)
    assert "http://127.0.0.1:8000/v1#NAME, openai:NAME" in str(caught.value)


def test_a_password_in_a_url_is_not_shown():
    for text in ("http://me:hidden-word@host/v1#small", "http://me:hidden-word@host/v1"):
        with pytest.raises(UsageError) as caught:
            model_of(text)
        assert "hidden-word" not in str(caught.value)


def test_tokens_are_counted_at_three_bytes():
    assert [tokens_of(text) for text in ("", "a", "abc", "abcd", "éé", "\ud800")] == [0, 1, 1, 2, 2, 1]


def test_bad_requests_are_refused():
    message = Message(role="user", text="x")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"messages": ()}, "no messages"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"temperature": -1.0}, "temperature=-1"),
    ]
    for changes, says in bad:
        given: dict[str, Any] = {"messages": (message,), **changes}
        with pytest.raises(UsageError, match=says):
            Request(**given)
    with pytest.raises(UsageError, match="system, user, assistant"):
        Message(role="robot", text="x")  # pyright: ignore[reportArgumentType]
