"""Numbers, times and configuration values as the report writes them."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "decimals_for",
    "fixed",
    "moment",
    "p_value",
    "plural",
    "real",
    "share",
    "short",
    "signed",
    "span",
    "typographic",
    "whole",
]

_LARGEST_PLAIN = 1e7
_MOST_DECIMALS = 8


def real(data: Mapping[str, Any], name: str) -> float | None:
    """Read a finite number from stored JSON; None where it is absent or something else."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def decimals_for(uncertainty: float) -> int:
    """Return the decimals an uncertainty allows: two of its digits where it begins with 1 to 4, else one."""
    text = f"{uncertainty:e}"
    digits = 2 if text[0] in "1234" else 1
    return min(max(0, digits - 1 - int(text.partition("e")[2])), _MOST_DECIMALS)


def fixed(value: float, decimals: int | None) -> str:
    """Write a value with so many decimals; None, and sizes that decimals do not suit, take six digits."""
    if decimals is None or abs(value) >= _LARGEST_PLAIN:
        return typographic(f"{value:.6g}" if decimals is None else f"{value:.3g}")
    return typographic(f"{round(value, decimals) + 0.0:.{decimals}f}")  # + 0.0: nobody wants to read -0.00


def signed(value: float, decimals: int | None) -> str:
    """Write a difference with its sign."""
    text = fixed(value, decimals)
    return text if value <= 0 or text.startswith("−") else f"+{text}"


def typographic(number: str) -> str:
    """Use the minus sign, which is as wide as a digit where digits are aligned."""
    return number.replace("-", "−")


def share(value: float) -> str:
    """Write a share in percent."""
    percent = 100 * value
    return "< 1 %" if 0 < percent < 1 else f"{percent:.0f} %"


def p_value(value: float) -> str:
    """Write a p-value as far as it can be trusted."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def span(seconds: float) -> str:
    """Write a duration in the two units that matter.

    >>> span(0.0312), span(12.34), span(200), span(7500)
    ('0.031 s', '12.3 s', '3 min 20 s', '2 h 05 min')
    """
    if seconds < 59.95:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    total = round(seconds)
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60:02d} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"


def moment(seconds: float) -> str:
    """Write a time in UTC, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def plural(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def short(value: Any) -> str:
    """Write a configuration value in the space of a table cell."""
    text = f"{value:.4g}" if isinstance(value, float) else whole(value)
    return text if len(text) <= 40 else text[:39] + "…"


def whole(value: Any) -> str:
    """Write a configuration value in full, as it is stored; text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
