import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError, canonical_json, digest, digest_bytes

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


@given(values)
def test_canonical_json_reads_back_and_is_stable(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2), st.randoms())
def test_order_of_keys_does_not_matter(value, chance):
    items = list(value.items())
    chance.shuffle(items)
    assert digest(dict(items)) == digest(value)


@given(values, values)
def test_digests_differ_where_texts_do(left, right):
    assert (digest(left) == digest(right)) == (canonical_json(left) == canonical_json(right))


def test_types_stay_apart_and_tuples_are_lists():
    assert len({digest(value) for value in (1, 1.0, True, "1", None, [1], {"1": 1})}) == 7
    assert digest((1, 2)) == digest([1, 2])


def test_digests_are_pinned():
    # Ids in existing stores depend on them.
    assert digest({"b": 1, "a": [True, 0.5, None, "é"]}) == digest_bytes('{"a":[true,0.5,null,"é"],"b":1}'.encode())
    assert digest_bytes(b"") == "e3b0c44298fc1c149afb"


def test_file_names_of_any_bytes_have_a_digest():
    assert len(digest(b"caf\xe9.txt".decode(errors="surrogateescape"))) == 20


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, math.nan]}, r"value\['a'\]\[1\] is nan"),
        (math.inf, "value is inf"),
        ({1: 2}, "the key 1 of type int"),
        ({"a": {1, 2}}, "of type set"),
        (b"x", "of type bytes"),
    ],
)
def test_what_has_no_json_form_is_named(value, message):
    with pytest.raises(UsageError, match=message):
        canonical_json(value)
