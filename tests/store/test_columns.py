import math
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from headway.store.columns import pack, unpack

steps = st.integers(-(2**63), 2**63 - 1)
values = st.floats(allow_nan=True, allow_infinity=True)


def bits(numbers):
    return [struct.pack("<d", number) for number in numbers]


@given(st.lists(st.tuples(steps, values)))
def test_curves_come_back_bit_for_bit(points):
    got_steps, got_values = unpack(pack([step for step, _ in points], [value for _, value in points]))
    assert got_steps == [step for step, _ in points]
    assert bits(got_values) == bits([value for _, value in points])


def test_special_values_survive():
    odd = [math.nan, math.inf, -math.inf, -0.0, 5e-324]
    assert bits(unpack(pack(range(5), odd))[1]) == bits(odd)


def test_an_even_curve_of_single_precision_takes_a_few_bytes_a_point():
    losses = [struct.unpack("f", struct.pack("f", 3 + math.exp(-i / 1000)))[0] for i in range(10_000)]
    assert len(pack(range(10_000), losses)) < 4 * 10_000


def test_even_steps_come_back_as_a_range_and_others_as_they_were():
    even, odd = range(5, 5 + 10 * 200, 10), [*range(100), 99, *range(101, 200)]
    values = [math.sin(step) for step in range(200)]
    assert unpack(pack(even, values))[0] == even
    assert unpack(pack(list(reversed(even)), values))[0] == range(1995, -5, -10)
    assert unpack(pack(odd, values))[0] == odd
    assert list(unpack(pack([3] * 200, values))[0]) == [3] * 200
    assert bits(unpack(pack(odd, values))[1]) == bits(values)


@given(st.lists(st.tuples(steps, values), min_size=64, max_size=100))
def test_long_curves_come_back_bit_for_bit(points):
    got_steps, got_values = unpack(pack([step for step, _ in points], [value for _, value in points]))
    assert list(got_steps) == [step for step, _ in points]
    assert bits(got_values) == bits([value for _, value in points])


def test_what_was_packed_before_is_still_read():
    differences = b"".join(
        (step - before).to_bytes(8, "little") for before, step in zip([0, *range(99)], range(100), strict=True)
    )
    raw = [differences, struct.pack("<100d", *range(100))]
    planes = [b"".join(column[index::8] for index in range(8)) for column in raw]
    got_steps, got_values = unpack(zlib.compress((100).to_bytes(8, "little") + b"".join(planes), 6))
    assert list(got_steps) == list(range(100))
    assert list(got_values) == [float(number) for number in range(100)]
