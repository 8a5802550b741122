"""Numbers as people read them: as many digits as the uncertainty leaves, and not one more."""

import math
from decimal import Decimal

from headway.core import UsageError

__all__ = ["format_bound", "format_estimate", "format_odds"]

_MOST_DECIMALS = 6
_LARGEST_PLAIN = 1e7


def format_estimate(value: float, half_width: float) -> str:
    """Write `value ± half_width`, with the digits that the half-width allows.

    The half-width has two significant digits where it begins with 1 to 4, else one: rounding then changes it by at
    most 10 %, about as the rule of the Particle Data Group (Review of Particle Physics, Introduction, 5.3) does.

    >>> format_estimate(3.11289, 0.00703)
    '3.113 ± 0.007'
    >>> format_estimate(0.0000000123, 0.0000000004)
    '(1.230 ± 0.040)e-8'
    """
    if not (math.isfinite(value) and math.isfinite(half_width) and half_width >= 0):
        raise UsageError(f"{value} ± {half_width} is no estimate. Give a finite value and a half-width of at least 0.")
    if half_width == 0:
        return f"{value:.6g} ± 0"
    decimals = _decimals(half_width)
    if _is_plain(value, half_width):
        return f"{_fixed(value, decimals)} ± {_fixed(half_width, decimals)}"
    power = _exponent(max(abs(value), half_width))
    scaled = [_fixed(float(Decimal(number).scaleb(-power)), decimals + power) for number in (value, half_width)]
    return f"({scaled[0]} ± {scaled[1]})e{power}"


def format_bound(bound: float, half_width: float) -> str:
    """Write an end of the interval with the digits of its half-width; one that is not zero never reads as zero.

    >>> format_bound(0.0004, 0.045)
    '0.0004'
    """
    if half_width == 0 or not _is_plain(bound, half_width):
        return f"{bound:.3g}"
    decimals = _decimals(half_width)
    return f"{bound:.1g}" if bound != 0 and round(bound, decimals) == 0 else _fixed(bound, decimals)


def format_odds(log_e: float) -> str:
    """Write an e-value, given by its natural logarithm, as the odds that it is.

    >>> format_odds(4.5), format_odds(60.0)
    ('90 to 1', '10^26 to 1')
    """
    return f"{math.exp(log_e):.3g} to 1" if log_e < math.log(1e4) else f"10^{log_e / math.log(10):.0f} to 1"


def _is_plain(value: float, half_width: float) -> bool:
    return _decimals(half_width) <= _MOST_DECIMALS and max(abs(value), half_width) < _LARGEST_PLAIN


def _decimals(half_width: float) -> int:
    digits = 2 if half_width and f"{half_width:e}"[0] in "1234" else 1
    return digits - 1 - _exponent(half_width)


def _exponent(number: float) -> int:
    return int(f"{number:e}".partition("e")[2])


def _fixed(value: float, decimals: int) -> str:
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"  # + 0.0: nobody wants to read -0.00
