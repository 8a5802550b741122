import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError
from headway.validate import format_estimate
from headway.validate.numbers import format_bound


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (3.11289, 0.00703, "3.113 ± 0.007"),
        (0.12345, 0.0451, "0.123 ± 0.045"),
        (0.5, 0.25, "0.50 ± 0.25"),
        (12.34, 1.26, "12.3 ± 1.3"),
        (1234.5, 456.0, "1230 ± 460"),
        (0.02, 0.0997, "0.02 ± 0.10"),
        (-0.001, 0.3, "0.00 ± 0.30"),
        (2.5, 0.0, "2.5 ± 0"),
        (1.23456e-8, 4e-10, "(1.235 ± 0.040)e-8"),
        (4.2e9, 6e7, "(4.20 ± 0.06)e9"),
        (0.0, 5e-324, "(0.0 ± 4.9)e-324"),
    ],
)
def test_digits_follow_the_half_width(value, half_width, text):
    assert format_estimate(value, half_width) == text


@given(st.floats(-1e12, 1e12), st.floats(1e-12, 1e12))
def test_what_is_printed_is_near_what_was_meant(value, half_width):
    text = format_estimate(value, half_width)
    match = re.fullmatch(r"\(?(\S+) ± ([^)]+)\)?(?:e(-?\d+))?", text)
    assert match is not None
    scale = 10.0 ** int(match[3] or 0)
    assert abs(float(match[1]) * scale - value) <= 0.11 * half_width + 1e-9 * abs(value)
    assert float(match[2]) * scale == pytest.approx(half_width, rel=0.11)


@given(st.floats(-10, 10).filter(lambda bound: bound != 0), st.floats(1e-6, 10))
def test_a_bound_keeps_its_sign(bound, half_width):
    printed = float(format_bound(bound, half_width))
    assert math.copysign(1, printed) == math.copysign(1, bound)
    assert printed != 0


@pytest.mark.parametrize(("value", "half_width"), [(math.nan, 1), (1, math.inf), (1, -0.1), (math.inf, 1)])
def test_what_is_no_estimate_is_refused(value, half_width):
    with pytest.raises(UsageError, match="is no estimate"):
        format_estimate(value, half_width)
