r"""A second grader that shares no code with the first: strict text and rational comparison.

It exists for the sensitivity row. Where the two graders disagree, the choice of grader moves the
result, and the report says by how much.
"""

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

# "Answer: 5"; "answers" without a colon give none.
_LAST_LINE = re.compile(r"(?:answer\s*(?:is|:)|####)\s*(.+)", re.IGNORECASE)
# "\frac{1}{2}", "1/2"; "\frac12" is not read here.
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(-?\d+)\}\{(-?\d+)\}|(-?)(\d+)/(\d+)()")


def _last_answer(output: str) -> str | None:
    output = output[-20_000:]
    if "</think>" in output:
        output = output.rsplit("</think>", 1)[1]
    elif "<think>" in output:
        return None
    at = output.rfind("\\boxed{")
    if at >= 0:
        depth = 0
        for position in range(at + 6, len(output)):
            depth += (output[position] == "{") - (output[position] == "}")
            if depth == 0:
                return output[at + 7 : position]
        return None
    found = _LAST_LINE.findall(output)
    return found[-1].strip().rstrip(".") if found else None


def _plain(text: str) -> str:
    text = re.sub(r"\\(?:left|right|displaystyle|!|,|;|\s)|[\s$]|\^\{?\\circ\}?|\\?%", "", text)
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}", r"\1", text)
    return (
        text.replace("dfrac", "frac").replace("tfrac", "frac").replace("−", "-").strip(".").lower()
    )


def _rational(text: str) -> Fraction | None:
    found = _FRACTION.fullmatch(text)
    try:
        if found:
            sign, top, bottom = found.groups()[:3] if found[2] else found.groups()[3:6]
            return Fraction(int(top), int(bottom)) * (-1 if sign else 1)
        return Fraction(text.replace(",", "")) if len(text) < 50 else None
    except (ValueError, ZeroDivisionError):
        return None


def second_verdict(gold: str, output: str, *, cut: bool = False) -> str:
    """Grade by normalised text, else by exact rational value.

    Args:
        gold: the key's answer.
        output: the model's whole output.
        cut: the output was cut off at the token limit.

    Returns:
        "right" or "wrong", "unknown" without a key; an output without a box or a finished answer
        line is wrong.
    """
    if not gold.strip():
        return "unknown"
    answer = _last_answer(output)
    if answer is None or (cut and output.endswith(answer)):
        return "wrong"
    wanted, given = _plain(gold), _plain(answer)
    if wanted == given:
        return "right"
    left, right = _rational(wanted), _rational(given)
    return "right" if left is not None and left == right else "wrong"


def agreement(first: Iterable[str], second: Iterable[str]) -> dict[str, float | int]:
    """Agreement of two graders over the same outputs.

    Args:
        first: verdicts of one grader.
        second: verdicts of the other, in the same order.

    Returns:
        Counts of each pair of verdicts as "right/wrong" and so on, "n", "agreed" (share) and
        Cohen's "kappa" (Cohen 1960, doi:10.1177/001316446002000104; nan when chance agreement is
        1).

    Raises:
        ValueError: if the two have different lengths or are empty.
    """
    pairs = list(zip(list(first), list(second), strict=True))
    if not pairs:
        raise ValueError("agreement of no verdicts: pass at least one pair")
    table = Counter(pairs)
    n = len(pairs)
    agreed = sum(count for (a, b), count in table.items() if a == b) / n
    rows, columns = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(rows[label] * columns[label] for label in rows) / n**2
    kappa = (agreed - chance) / (1 - chance) if chance < 1 else float("nan")
    counts = {f"{a}/{b}": table[a, b] for a, b in sorted(table)}
    return {"n": n, "agreed": agreed, "kappa": kappa, **counts}
