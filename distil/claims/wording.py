"""Numbers and p-values as tables and sentences print them."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np


def is_blank(value: Any) -> bool:
    """Tell whether a cell holds nothing: None, NaN or an empty text."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def shown(value: Any, digits: int = 2) -> str:
    """Write a cell for readers: numbers with fixed digits, nothing for nothing.

    Args:
        value: The cell.
        digits: Digits after the point of a number that is not whole.

    Returns:
        Its text.
    """
    if is_blank(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        # Adding zero turns -0.0, which is only a rounding, into 0.0.
        return f"{round(float(value), digits) + 0.0:.{digits}f}"
    return str(value)


def p_text(p: float | str | None) -> str:
    """Write a p-value: three digits, or < 0.001; a text that is one already stays."""
    if is_blank(p) or isinstance(p, str):
        return p or ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
