import math
import struct

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
