r"""The bigger parser: math-verify 0.9.0, for formulas that the typed comparison does not cover.

It is slow and can hang, so it runs only inside `workers`, only on LaTeX (its plain-text route
evaluates Python), only after the cost guard, and it must agree in both directions.
"""

import re

_LONGEST = 300
_MOST_DIGITS = 40
_MOST_EXPONENT = 200
_MOST_NESTED = 12
_POWER = re.compile(r"\^\s*\{?\s*\(?\s*-?(\d+)")
_FACTORIAL = re.compile(r"(\d+)\s*!")
_LIMITS = re.compile(r"\\(?:sum|prod|binom|gcd|lcm)(?![a-zA-Z])")
_SENSE = re.compile(
    r"\\text\s*\{[^{}]*\b(?:not|no|never|or|if|than)\b|\\(?:to|not|neg)(?![a-zA-Z])"
)
_FORBIDDEN = re.compile(
    r"__|\\(?:input|def|write|read|href|url|include)(?![a-zA-Z])|[\"'`@#;]|[^\x20-\x7e]"
)


def too_costly(text: str) -> str:
    """Why a formula is not given to the bigger parser; empty if it may be.

    Args:
        text: a formula in cleaned LaTeX.
    """
    if len(text) > _LONGEST:
        return "formula too long"
    if re.search(r"\d\s*_", text):
        # math-verify drops what it does not understand after a numeral's subscript.
        return "a numeral with a subscript"
    if _SENSE.search(text):
        # It would drop such a word and compare the rest.
        return "words that change the sense"
    if _FORBIDDEN.search(text):
        return "characters that no formula has"
    digits = [len(run) for run in re.findall(r"\d+", text)]
    if digits and max(digits) > _MOST_DIGITS:
        return "number too long"
    if any(len(power) > 4 or int(power) > _MOST_EXPONENT for power in _POWER.findall(text)):
        return "exponent too large"
    if any(len(number) > 3 for number in _FACTORIAL.findall(text)):
        return "factorial too large"
    if re.search(r"\d[eE][-+]?\d{4}", text):
        return "exponent too large"
    if _LIMITS.search(text) and digits and max(digits) > 3:
        return "too many terms"
    depth = deepest = 0
    for character in text:
        depth += (character in "({[") - (character in ")}]")
        deepest = max(deepest, depth)
    if deepest > _MOST_NESTED:
        return "nested too deeply"
    if re.search(r"\^[^+\-*/=,]*\^[^+\-*/=,]*\^|!\s*\)*\s*!", text):
        return "tower of powers"
    return ""


def check(gold: str, answer: str) -> str:
    """Ask math-verify.

    Args:
        gold: the key's answer in cleaned LaTeX.
        answer: the other.

    Returns:
        "equal", "unequal", "gold not parsed" or "answer not parsed".
    """
    import logging

    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    config = [LatexExtractionConfig()]
    parsed = []
    for text, name in ((gold, "gold"), (answer, "answer")):
        found = parse(
            rf"$\boxed{{{text}}}$",
            extraction_config=config,
            fallback_mode="no_fallback",
            parsing_timeout=None,
        )
        if not found:
            return f"{name} not parsed"
        parsed.append(found)
    settings = {
        "float_rounding": 12,
        "numeric_precision": 40,
        "strict": True,
        "timeout_seconds": None,
    }
    # It is not symmetric; an equality that holds in one direction only is none.
    equal = verify(parsed[0], parsed[1], **settings) and verify(parsed[1], parsed[0], **settings)
    return "equal" if equal else "unequal"
