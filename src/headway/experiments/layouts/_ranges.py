"""Which range a knob is searched in, from its name and its value.

A value of a researcher is near a good one: a decade to each side for what spreads over scales, a factor of two to four
for counts. Shares stay shares. Sizes that are powers of two stay powers of two, since code divides by them.
"""

import re

from headway.core import Choice, Float, Int, Parameter, Scalar

# By whole words of the name: EVAL_EVERY, but not RETRIEVAL.
_NOT_TUNED = re.compile(
    r"(?:^|_)(?:flops|log|print|interval|version|path|dir|file|url|port|device|workers|verbose|debug|timeout|eval|every"
    r")(?:_|$)"
)
_COMPLEMENT = re.compile(r"(?:^|_)(?:betas?\d?|momentum|ema|gamma)(?:_|$)")
_SHARE = re.compile(r"(?:^|_)(?:ratio|frac|fraction|dropout|prob|share|smoothing)(?:_|$)")
_SMALL_COUNT = 16
_SMALLEST_POWER = 8


def parameter_for(
    name: str, value: Scalar, *, power_of_two: bool = False, alternatives: tuple[str, ...] = ()
) -> Parameter | None:
    """Return the range for a knob, which holds its value, or None where none makes sense."""
    words = name.lower()
    if isinstance(value, bool):
        return Choice([value, not value])
    if isinstance(value, str):
        others = [text for text in alternatives if text != value]
        return Choice([value, *others]) if others else None
    if value is None or _NOT_TUNED.search(words):
        return None
    return _count(value, power_of_two) if isinstance(value, int) else _real(words, value)


def _count(value: int, power_of_two: bool) -> Parameter | None:
    if value < 1:
        return None  # 0 and -1 are mostly switches: "no limit", "off"
    if value.bit_count() == 1 and (power_of_two or value >= _SMALLEST_POWER):
        return Choice([size for size in (value // 4, value // 2, value, 2 * value, 4 * value) if size >= 1])
    if value <= _SMALL_COUNT:
        return Int(max(1, value // 2), 2 * value)
    return Int(max(1, value // 4), 4 * value, log=True)


def _real(words: str, value: float) -> Parameter:
    if 0 < value < 1 and _COMPLEMENT.search(words):
        rest = 1 - value
        return Float(round(max(0.0, 1 - 10 * rest), 6), round(1 - rest / 10, 6))
    if 0 <= value <= 1 and _SHARE.search(words):
        return Float(0.0, 0.9 if value <= 0.9 and "dropout" in words else 1.0)
    if value > 0:
        return Float(float(f"{value / 10:.6g}"), float(f"{value * 10:.6g}"), log=True)
    return Float(0.0, 1.0) if value == 0 else Float(2 * value, 0.0)
