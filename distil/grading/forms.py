r"""What kind of thing an answer is: number with unit, list, interval, equation, text and so on.

`readings` turns an answer's text into one or more forms (a text such as "1,234" can be read as a
number or as a list). Nothing is evaluated here.
"""

import functools
import re
from fractions import Fraction

from distil.grading.kinds import (
    EMPTY,
    REALS,
    Based,
    Choice,
    Clock,
    Collection,
    Matrix,
    Opaque,
    Quantity,
    Ratio,
    Regions,
    Relation,
    Words,
)
from distil.grading.structure import MOST_ITEMS, enclosed, split_list, top_level
from distil.grading.syntax import NUMBER_BASES, ZERO, NotUnderstoodError, parse_expression, walk
from distil.grading.units import Unit, things, unit_named
from distil.grading.vocabulary import (
    ALL_REALS,
    EMPTY_WORDS,
    SHORT_WORDS,
    TEXT,
    number_words,
    plain_words,
)
from distil.notation.answers import clean, join_thousands
from distil.notation.braces import balanced_end

_MOST_NESTED = 8


_LEAD = re.compile(
    r"^(?:\\text\s*\{)?\s*(?:(?:so|thus|hence|therefore|then),?\s+)?(?:the\s+)?(?:final\s+|"
    r"correct\s+)*"
    r"(?:answer|result|solution|value)s?\s*(?:is|are|:|=)\s*:?\s*(\})?\s*",
    re.IGNORECASE,
)
# "the point is (0, 7)", "there are 12": a sentence that ends in its number.
_SENTENCE = re.compile(
    r"^(\\text\s*\{)?\s*(?:(?:so|thus|hence|therefore|then|finally),?\s+)?"
    r"(?:the|an?|our|its|their|there|it|we|she|he|they)\s+(?:[^=<>$\\{};]{0,80}?\s)?"
    r"(?:is|are|was|were|equals|have|has|get|need|be)"
    r"(?:\s+(?:equal\s+to|exactly|only|just|therefore|thus|then))*\s*:?\s*(?(1)\}\s*|)"
    r"(?=[-\d(\[|.]|\\(?:[dt]?frac|sqrt|pi|[({\[$]|approx|log|ln|binom|pm)|\$[-\\\d(]|[a-zA-Z]\s*=)",
    re.IGNORECASE,
)
_FOR_ALL = re.compile(
    r"(?<=\S)\s*,?\s*\\text\s*\{\s*,?\s*(?:for\s+(?:all|any|every)|where)\b.*$", re.DOTALL
)
_REMARK = re.compile(r"(?<=\S)\s*\\text\s*\{\s*\(\s*[a-z]{3,}[^()]*\)\s*\}?$", re.IGNORECASE)
_HALVES_OF_DAY = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "pm"}
_HALF_OF_DAY = re.compile(
    r"\s*(?:o'?clock)?\s*(?:in\s+the\s+(morning|afternoon|evening)|at\s+(night))\s*(?=\}?$)",
    re.IGNORECASE,
)
_NEARLY = re.compile(
    r"^(?:\\approx|\\sim|~|(?:\\text\s*\{\s*)?(?:approximately|approx\.?|about|roughly|around|"
    r"exactly|only|just)"
    r"(?:\s+(?:equal\s+to))?\s*\}?)\s*(?=[-\\$\d.({])",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"^(\d{1,2}):([0-5]\d)(?::00)?\s*(?:\\text\s*\{)?\s*([ap])?\s*\.?\s*(m)?\.?\s*(?:o'?clock)?\s*\}?\.?$",
    re.IGNORECASE,
)
_CLOCK_HOUR = re.compile(r"^(\d{1,2})\s*(?:\\text\s*\{)?\s*([ap])\.?\s*m\.?\s*\}?$", re.IGNORECASE)
_NOON = {"noon": 720, "midnight": 0, "12 noon": 720, "12 midnight": 0}
_RATIO = re.compile(r"^[^:=<>\\|]*(?:\\frac[^:]*)?(?::[^:=<>|]+)+$")
_LETTER = re.compile(
    r"^(?:option|choice|answer)?\s*[(\[]?\s*(?:\\text\s*\{\s*)?\(?([A-J])\)?\s*\}?\s*[)\].:]*$",
    re.IGNORECASE,
)
_LETTER_VALUE = re.compile(
    r"^(?:\\text\s*\{\s*)?(?:\(([A-J])\)|\[([A-J])\]|([A-J])[.):](?=\s|\}|~)|(?:option|"
    r"choice)\s+([A-J])[:,.]?(?=\s))\s*(\})?\s*(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_VALUE_LETTER = re.compile(r"^(.+?)\s*(?:\\text\s*\{\s*)?\(([A-E])\)\s*\}?$", re.DOTALL)
_MATRIX = re.compile(
    r"^\\begin\s*\{\s*(p|b|B|v|V|small)?(?:matrix|array)\s*\}\s*(?:\{[lcr|"
    r"\s]*\})?(.*?)\\end\s*\{\s*(?:p|b|B|v|V|small)?(?:matrix|array)\s*\}\s*(\^\s*\{?\s*(?:T|"
    r"\\top|\\text\{T\})\s*\}?)?$",
    re.DOTALL,
)
_OPERATORS = {
    "\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\approx": "~", "\\equiv": "==", "\\sim": "~",
    "<=": "<=", ">=": ">=", "!=": "!=", "<": "<", ">": ">", "=": "=", "\\in": "in", ":=": "=",
}  # fmt: skip
_OPERATOR = re.compile(r"\\(?:le|ge|ne|approx|equiv|in|sim)(?![a-zA-Z])|<=|>=|!=|:=|[<>=]")
_UNIT_TAIL = re.compile(
    r"^(.*?[\d)}\]!a-zA-Z%.])\s*(?:\\text\s*\{\s*([^{}]*?)\s*\}|"
    r"(?<![A-Za-z\\])((?:[A-Za-z]+\.?)(?:\s*/\s*[A-Za-z]+|(?:\s+[A-Za-z]+\.?)*)))"
    r"\s*(?:\^\s*\{?\s*([23])\s*\}?)?\s*(?:(?:/|\\text\s*\{\s*(?:/|"
    r"per)\s*\})\s*(?:\\text\s*\{\s*)?([A-Za-z]+)\s*\}?)?$",
    re.DOTALL,
)
_DEGREES = re.compile(
    r"^(.*?)\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ)\s*(?:\\text\s*\{\s*)?([CF])?\s*\}?$", re.DOTALL
)
_PERCENT = re.compile(r"^(.*?)\s*\\?%$", re.DOTALL)
_MONEY = re.compile(r"^(-?)\s*(\\\$|\\euro|\\pounds)\s*(-?)(.*)$", re.DOTALL)
_BASED = re.compile(
    r"^(?:\(\s*)?(?:\\text\s*\{\s*)?([0-9A-Fa-f]+)(?:\s*[)}])?_\s*\{?\s*(?:\\text\s*\{)?\s*\(?"
    r"(\d{1,2}|[a-z]+)\)?\s*\}?\s*\}?$"
)
_BASED_WORDS = re.compile(
    r"^([0-9A-Fa-f]+)\s*(?:\\text\s*\{)?\s*(?:\(?(?:in\s+)?base[- ]?(?P<a>\d{1,2}|[a-z]+)\)?|"
    r"(?P<b>two|three|four|five|six|seven|eight|nine))\s*\}?$"
)
_COMPOUND = re.compile(
    r"^(\d+(?:\.\d+)?)\s*(?:\\text\s*\{)?\s*([a-z]+)\.?\s*(?:,|and|"
    r"\}\s*(?:\\text\s*\{)?(?:\s*(?:,|and)\s*\}?)?)?\s*"
    r"(\d+(?:\.\d+)?)\s*\}?\s*(?:\\text\s*\{)?\s*([a-z]+)\.?\s*\}?$"
)
_MULTIPLES = {
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_MULTIPLE = re.compile(
    r"^(.*\d\}?)\s*(?:\\text\s*\{)?\s*(" + "|".join(_MULTIPLES) + r")s?(?![a-z])\s*(.*)$", re.DOTALL
)
_POINT = re.compile(r"^[A-Z](?:_\{?\d\}?|')?\s*(\(.*,.*\))$", re.DOTALL)
_TO = re.compile(r"^(.+?)\s*(?:\\text\s*\{\s*to\s*\}|(?<=\d) to (?=\d))\s*(.+)$", re.DOTALL)
_YES_NO = re.compile(
    r"^(?:\\text\s*\{)?\s*(yes|no|true|false)\s*[,;.]\s+([^\d]*[A-Za-z]{2,}.*)$", re.I | re.DOTALL
)
_MODULO = re.compile(
    r"^(.+?)\s*(?:\\[pb]?mod(?![a-z])|\(?\s*(?:\\text\s*\{)?\s*mod(?![a-z])\s*\}?)\s*\{?\s*(\d+)\s*\}?\s*\)?$"
)
_PLUS_MINUS = re.compile(r"\\[pm][mp](?![a-zA-Z])")
_HALF_LINE = re.compile(
    r"(?:[a-zA-Z]\s*\\in\s*)?\\mathbb\s*\{?\s*R\s*\}?\s*"
    r"(?:\^\s*\{?\s*([+-])\s*\}?|_\s*\{?\s*([<>])\s*0\s*\}?)"
)
_CALLED = re.compile(r"^([PC])\s*\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)$")
# Primes after a number are feet and inches.
_FEET = re.compile(r"^(\d+(?:\.\d+)?)\s*'(?!')\s*(?:(\d+(?:\.\d+)?)\s*(?:''|\")?)?$")
_INCHES = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:''|\")$")
_SINGLE_UNIT = re.compile(r"^(-?\d[\d.,]*(?:/\d+)?|\\frac\{\d+\}\{\d+\}) ([msghL])$")
_FUNCTION_HEAD = re.compile(
    r"^[a-zA-Z](?:'|_\{?\w+\}?|\^\s*\{\s*-1\s*\})*\s*\(\s*[a-zA-Z](?:\s*,\s*[a-zA-Z])*\s*\)$"
)


def _words_form(text: str):
    plain = plain_words(text)
    if plain in EMPTY_WORDS:
        return EMPTY
    if plain in ALL_REALS:
        return REALS
    if plain in {"infinity", "positive infinity"}:
        return Quantity(("const", "inf"))
    if plain in {"negative infinity", "minus infinity"}:
        return Quantity(("neg", ("const", "inf")))
    if plain in _NOON:
        return Clock(_NOON[plain], "pm" if plain.endswith("noon") else "am")
    value = number_words(plain)
    if value is not None:
        return Quantity(("num", value))
    return Words(plain)


def _unwrapped(text: str) -> str:
    """Without braces or a text command around it, a label before it, or a sentence's stop."""
    text = _REMARK.sub("", _FOR_ALL.sub("", text))
    for _ in range(6):
        before = text
        text = text.strip().strip('"')
        if text.startswith("{") and balanced_end(text, 0) == len(text) - 1:
            text = text[1:-1]
        if text.startswith("\\text") and text[5:].lstrip().startswith("{"):
            brace = text.index("{")
            if balanced_end(text, brace) == len(text) - 1:
                text = text[brace + 1 : -1]
        lead = _LEAD.match(text)
        if lead and lead.end() < len(text):
            text = (
                text[lead.end() :]
                if lead[1] or "{" not in lead.group()
                else "\\text{" + text[lead.end() :]
            )
        text = without_lead(text)
        text = _NEARLY.sub("", text)
        while text and text[-1] in ".,;:" and not text.endswith("..."):
            text = text[:-1].rstrip()
        if text == before:
            break
    return text


def without_lead(text: str) -> str:
    """The number that a sentence such as "the coefficient is 12" leads to; else the text."""
    sentence = _SENTENCE.match(text)
    return text[sentence.end() :] if sentence else text


def _is_prose(text: str) -> bool:
    """Whether the text is words rather than a formula."""
    bare = TEXT.sub(r" \1 ", text)
    if bare.strip(" .").lower() in SHORT_WORDS or re.fullmatch(r"\s*[A-Za-z]{4,}[\s.]*", bare):
        return True
    if re.search(r"\\[a-zA-Z]+|[=<>^+*/|_]", bare):
        return False
    return bool(
        re.search(
            r"[A-Za-z]{5,}|[A-Za-z]{2,} +[A-Za-z]{2,}|^[A-Z]{2,}$|^[A-Z][a-z]+$|"
            r"^[A-Za-z]{2,4} \d|\d (?!\d)[A-Za-z]{2,}",
            bare,
        )
    ) or (
        "\\text" in text and bool(re.search(r"[A-Za-z]{2,}", bare)) and not re.search(r"\d", bare)
    )


def _expression(text: str) -> Quantity | Opaque:
    try:
        return Quantity(parse_expression(text))
    except NotUnderstoodError:
        return Opaque(text)


def _with_unit(text: str) -> Quantity | None:
    money = _MONEY.match(text)
    if money and money[4].strip():
        inner = _with_unit(money[4]) if re.search(r"[A-Za-z]", money[4]) else None
        value = (
            Quantity(inner.node)
            if inner and inner.unit and inner.unit.dimension in {"money", "count"}
            else _expression(money[4])
        )
        if isinstance(value, Quantity):
            sign = bool(money[1]) ^ bool(money[3])
            return Quantity(("neg", value.node) if sign else value.node, unit_named(money[2]))
        return None
    percent = _PERCENT.match(text)
    if percent and percent[1]:
        value = _expression(percent[1])
        return Quantity(value.node, unit_named("percent")) if isinstance(value, Quantity) else None
    degrees = _DEGREES.match(text)
    if degrees and degrees[1] and not _names_function(text):
        value = _expression(degrees[1])
        if isinstance(value, Quantity) and not any(part[0] == "deg" for part in walk(value.node)):
            unit = (
                unit_named("degrees")
                if not degrees[2]
                else Unit("temperature " + degrees[2], Fraction(1), degrees[2])
            )
            return Quantity(value.node, unit)
    tail = _UNIT_TAIL.match(text)
    if tail and tail[1]:
        return _with_named_unit(tail)
    return None


def _names_function(text: str) -> bool:
    return bool(re.search(r"(?:sin|cos|tan|cot|sec|csc|cis)(?![a-z])", text))


def _with_named_unit(tail: re.Match) -> Quantity | None:
    upright = tail[2] is not None
    name = (tail[2] if upright else tail[3]).strip()
    if not name:
        return None
    full = name + (f"^{tail[4]}" if tail[4] else "") + (f"/{tail[5]}" if tail[5] else "")
    unit = unit_named(full)
    if not upright:
        words = re.findall(r"[A-Za-z]+", name)
        if unit is None and not all(
            len(word) > 3 or word.lower() in {"of", "sq", "per", "the", "in"} for word in words
        ):
            return None
        if unit is not None and len(full) == 1:
            return None
    if unit is None:
        if tail[4] or not re.search(r"[A-Za-z]{2,}", name) or len(name) > 60:
            return None
        unit = unit_named(name.split()[0]) if len(name.split()) > 1 else None
        unit = unit or things(name)
    value = _expression(tail[1].strip())
    if isinstance(value, Opaque):
        spelled = number_words(TEXT.sub(r"\1", tail[1]))
        value = Quantity(("num", spelled)) if spelled is not None else value
    if not isinstance(value, Quantity):
        return None
    if unit.dimension == "count" and unit.name.split()[0] in {
        "and",
        "or",
        "if",
        "is",
        "but",
        "with",
        "when",
        "where",
        "not",
    }:
        return None
    return Quantity(value.node, unit)


def _relation(text: str) -> Relation | None:
    top = top_level(text)
    members, operators, at = [], [], 0
    for found in _OPERATOR.finditer(text):
        if found.start() in top and found.start() >= at:
            members.append(text[at : found.start()].strip())
            operators.append(_OPERATORS[found.group()])
            at = found.end()
    if not operators:
        return None
    members.append(text[at:].strip())
    if not all(members[1:]) or len(members) > 12:
        return None
    if not members[0]:
        if operators[0] not in {"=", "~", "in"}:
            return None
        members, operators = members[1:], operators[1:]
    return Relation(tuple(members), tuple(operators))


def _plus_minus(text: str, depth: int):
    """Both values of a formula with a plus-minus sign; with a minus-plus, signs go together."""
    count = len(_PLUS_MINUS.findall(text))
    if count > 3:
        return Opaque(text)
    coupled = "\\mp" in text
    variants = []
    for choice in range(2 if coupled else 2**count):
        seen = 0

        def sign(found: re.Match, choice=choice) -> str:
            nonlocal seen
            plus = (choice == 0) if coupled else not (choice >> seen) & 1
            seen += 1
            return "+" if plus == (found.group() == "\\pm") else "-"

        variants.append(parse_form(_PLUS_MINUS.sub(sign, text), depth + 1))
    return Collection("list", tuple(variants))


def _matrix(found: re.Match) -> Matrix | None:
    rows = []
    for line in re.split(r"\\\\(?:\s*\[[^\]]*\])?", found[2]):
        if line.strip() and line.strip() != "\\hline":
            try:
                rows.append(tuple(parse_expression(cell.strip()) for cell in line.split("&")))
            except NotUnderstoodError:
                return None
    if not rows or len({len(row) for row in rows}) != 1 or len(rows) * len(rows[0]) > 100:
        return None
    if found[3]:
        rows = list(zip(*rows, strict=True))
    return Matrix(tuple(rows), bars=found[1] in {"v", "V"})


def _interval(brackets: str, parts: list[str]) -> Regions | None:
    try:
        low, high = (parse_expression(part) for part in parts)
    except NotUnderstoodError:
        return None
    return Regions("interval", (low, brackets[0] == "[", high, brackets[1] == "]"))


def _bracketed_form(brackets: str, inside: str, depth: int):
    if brackets == "{}":
        condition = re.match(
            r"^(.{1,40}?)\s*(?:\||:|\\mid(?![a-zA-Z])|\\text\s*\{\s*such that\s*\})\s*(.+)$",
            inside,
            re.DOTALL,
        )
        if condition and not re.match(r"^\d+$", condition[1].strip()):
            return parse_form(condition[2], depth + 1)
        if not inside:
            return EMPTY
        parts, _ = split_list(inside)
        items = []
        for part in parts[: MOST_ITEMS + 1]:
            item = parse_form(part, depth + 1)
            items.extend(
                item.items if isinstance(item, Collection) and item.kind == "list" else [item]
            )
        return Collection("set", tuple(items))
    if brackets in {"()", "[]", "(]", "[)"}:
        parts, joined = split_list(inside)
        if len(parts) < 2 or joined == "or":
            return None
        if len(parts) == 2 and (brackets != "()" or "\\infty" in inside or "inf" in inside):
            interval = _interval(brackets, parts)
            if interval:
                return interval
        if _PLUS_MINUS.search(inside):
            return _plus_minus(f"{brackets[0]}{inside}{brackets[1]}", depth)
        return Collection("tuple", tuple(parse_form(part, depth + 1) for part in parts), brackets)
    return None


def _set_operation(text: str, depth: int) -> Regions | None:
    top = top_level(text)
    for command, operation in (("\\setminus", "minus"), ("\\cup", "union"), ("\\cap", "meet")):
        cuts = [
            found.start()
            for found in re.finditer(re.escape(command) + r"(?![a-zA-Z])", text)
            if found.start() in top
        ]
        if operation == "minus" and not cuts:
            cuts = (
                [found.start() for found in re.finditer(r"(?<=\})\s*-\s*(?=\\\{)", text)]
                if text.startswith("\\mathbb")
                else []
            )
            command = "-" if cuts else command
            cuts = [text.index("-", cut) for cut in cuts]
        if cuts:
            parts, at = [], 0
            for cut in [*cuts, len(text)]:
                parts.append(parse_form(text[at:cut], depth + 1))
                at = cut + len(command)
            return Regions(operation, tuple(parts))
    plain = re.split(r"(?<=[)\]])\s*U\s*(?=[(\[])", text)
    if len(plain) > 1:
        return Regions("union", tuple(parse_form(part, depth + 1) for part in plain))
    return None


def _simple_form(text: str):
    """Forms that a pattern tells at once, or None."""
    if re.fullmatch(r"\\emptyset|\\\{\s*\\\}|\\text\s*\{\s*\\emptyset\s*\}", text):
        return EMPTY
    if re.fullmatch(
        r"(?:[a-zA-Z]\s*\\in\s*)?\\mathbb\s*\{\s*R\s*\}|(?:[a-zA-Z]\s*\\in\s*)?\\mathbb R", text
    ):
        return REALS
    half = _HALF_LINE.fullmatch(text)
    if half:
        above = (half[1] or half[2]) in "+>"
        ends = (ZERO, ("const", "inf")) if above else (("neg", ("const", "inf")), ZERO)
        return Regions("interval", (ends[0], False, ends[1], False))
    text = _HALF_OF_DAY.sub(lambda half: " " + _HALVES_OF_DAY[(half[1] or half[2]).lower()], text)
    clock = _CLOCK.match(text)
    if clock and bool(clock[3]) == bool(clock[4]):
        hour = int(clock[1])
        if hour <= 24:
            return Clock(hour * 60 + int(clock[2]), f"{clock[3].lower()}m" if clock[3] else "")
    clock = _CLOCK_HOUR.match(text)
    if clock and 1 <= int(clock[1]) <= 12:
        return Clock(int(clock[1]) * 60, f"{clock[2].lower()}m")
    clock = re.fullmatch(r"(\d{1,2})\s*(?:\\text\s*\{)?\s*o'?clock\s*\}?", text, re.IGNORECASE)
    if clock and 1 <= int(clock[1]) <= 12:
        return Clock(int(clock[1]) * 60)
    letter = _LETTER.match(text)
    if letter and (letter[1].isupper() or len(text) > 1):
        return Choice(letter[1].upper())
    based = _BASED.match(text) or _BASED_WORDS.match(text)
    if based:
        base = based[2] if "a" not in based.groupdict() else (based["a"] or based["b"])
        try:
            return Based(
                based[1].upper().lstrip("0") or "0",
                _base(base),
                parse_expression(f"{based[1]}_{{{base}}}"),
            )
        except (NotUnderstoodError, ValueError):
            return None
    return None


def _special_form(text: str, depth: int):
    """Compound measures, named points, "3 to 4", "2 million" and matrices as nested brackets."""
    found = _COMPOUND.match(text)
    if found:
        first, second = unit_named(found[2]), unit_named(found[4])
        if (
            first
            and second
            and first.dimension == second.dimension
            and first.factor > second.factor
        ):
            part = Fraction(found[3]) * second.factor / first.factor
            return Quantity(("num", Fraction(found[1]) + part), first)
    found = _FEET.match(text)
    if found:
        feet = Fraction(found[1]) + Fraction(found[2] or 0) / 12
        return Quantity(("num", feet), unit_named("feet"))
    found = _INCHES.match(text)
    if found:
        return Quantity(("num", Fraction(found[1])), unit_named("inches"))
    found = _POINT.match(text)
    if found:
        return parse_form(found[1], depth + 1)
    if re.fullmatch(r"\d+\s*(?:\\text\s*\{)?\s*(?:st|nd|rd|th)\s*\}?", text):
        return Words(re.sub(r"\\text|[\s{}]", "", text))
    found = _TO.match(text)
    if found and not re.search(r"[A-Za-z]{2,}", found[1] + found[2]):
        return parse_form(f"{found[1]}:{found[2]}", depth + 1)
    found = _MULTIPLE.match(text)
    if found:
        rest = found[3] if found[3].strip(" }") else ""
        opened = "\\text{" if rest and "\\text" in text[: found.start(3)] else ""
        return parse_form(
            f"{found[1]} \\cdot {_MULTIPLES[found[2]]} {opened}{rest}".strip(), depth + 1
        )
    if text.startswith("[[") and text.endswith("]]"):
        rows = [row.split(",") for row in re.split(r"\]\s*,\s*\[", text[2:-2])]
        try:
            cells = tuple(tuple(parse_expression(cell.strip()) for cell in row) for row in rows)
        except NotUnderstoodError:
            return None
        return Matrix(cells) if len({len(row) for row in cells}) == 1 else None
    return None


def _base(name: str) -> int:
    return int(name) if name.isdigit() else NUMBER_BASES.get(name.lower(), 0)


@functools.lru_cache(maxsize=4096)
def parse_form(text: str, depth: int = 0):
    """The form of an answer already cleaned (see `notation.clean`)."""
    text = _unwrapped(text)
    if depth > _MOST_NESTED or not text:
        return Opaque(text)
    simple = _simple_form(text)
    if simple is not None:
        return simple
    found = _LETTER_VALUE.match(text)
    if found:
        letter = next(group for group in found.groups()[:4] if group)
        rest = (
            found[6] if found[5] or "\\text" not in text[: found.start(6)] else "\\text{" + found[6]
        )
        value = parse_form(clean(rest), depth + 1)
        if not (isinstance(value, Opaque) and not value.text) and not re.match(
            r"[\s}]*(?:\\text\s*\{\s*)?(?:[,;=<>]|and\b|or\b|\\(?:ne|to|le|ge)\b)", rest
        ):
            return Choice(letter.upper(), value)
    matrix = _MATRIX.match(text)
    if matrix:
        return _matrix(matrix) or Opaque(text)
    said = _YES_NO.match(text)
    if said and not re.search(r"\b(?:yes|no|true|false)\b", said[2], re.IGNORECASE):
        return Words(said[1].lower())
    special = _special_form(text, depth)
    if special is not None:
        return special
    if _is_prose(text) and not re.match(r"^\s*[-\d\\(]", text):
        parts, joined = split_list(text)
        if len(parts) > 1 and all(len(part) < 30 for part in parts) and joined != "or":
            return Collection(joined, tuple(parse_form(part, depth + 1) for part in parts))
        return _words_form(text)
    parts, joined = split_list(text)
    if len(parts) > 1:
        return Collection(
            joined, tuple(parse_form(part, depth + 1) for part in parts[: MOST_ITEMS + 1])
        )
    text = _unwrapped(parts[0]) if parts else text
    operation = _set_operation(text, depth)
    if operation:
        return operation
    bracketed = enclosed(text)
    if bracketed:
        form = _bracketed_form(*bracketed, depth)
        if form is not None:
            return form
    relation = _relation(text)
    if relation:
        return relation if len(relation.members) > 1 else parse_form(relation.members[0], depth + 1)
    return _leaf(text, depth)


def _leaf(text: str, depth: int):
    if _PLUS_MINUS.search(text):
        return _plus_minus(text, depth)
    if ":" in text and _RATIO.match(text):
        try:
            return Ratio(tuple(parse_expression(part.strip()) for part in text.split(":")))
        except NotUnderstoodError:
            return Opaque(text)
    if not re.search(r"[a-zA-Z%$]", text):
        return _expression(text)
    modulo = _MODULO.match(text)
    if modulo:
        value = _expression(modulo[1])
        unit = Unit(f"modulo {modulo[2]}", Fraction(1), "mod")
        return Quantity(value.node, unit) if isinstance(value, Quantity) else value
    quantity = _with_unit(text)
    if quantity:
        return quantity
    form = _expression(text)
    if isinstance(form, Quantity):
        return form
    if _is_prose(text) or re.search(
        r"[A-Za-z]{3,}", re.sub(r"\\[a-zA-Z]+", "", TEXT.sub(r" \1 ", text))
    ):
        bare = re.sub(r"\\text(?![a-zA-Z])", "", text)
        if not re.search(r"\\[a-zA-Z]", bare):
            return _words_form(text)
    return form


@functools.lru_cache(maxsize=4096)
def readings(raw: str) -> tuple:
    """All sensible readings of an answer, the likeliest first.

    Args:
        raw: the answer as written.

    Returns:
        One form, or two where commas may separate thousands or items, or a letter may be a unit.
    """
    text = clean(raw)
    joined = join_thousands(text)
    if joined != text:
        # In brackets "1,234" is a pair unless commas followed by spaces separate the items.
        if re.fullmatch(r"\(\d{1,3}(?:,\d{3})+\)", text):
            return (parse_form(text),)
        if text[:1] in "([" or text.startswith("\\{"):
            if not re.search(r",\s", text):
                return (parse_form(text), parse_form(joined))
            return (parse_form(joined), parse_form(text))
        return (parse_form(joined), parse_form(text))
    form = parse_form(text)
    called = _CALLED.match(text)
    if called:
        # A point with its name, or a number of selections or arrangements.
        n, k = int(called[2]), int(called[3])
        power = f"{n}!/({n}-{k})!" if called[1] == "P" else rf"\binom{{{n}}}{{{k}}}"
        return (form, parse_form(power) if k <= n else form)
    single = _SINGLE_UNIT.match(text)
    if single:
        value = _expression(single[1])
        unit = unit_named(single[2])
        if isinstance(value, Quantity) and unit:
            return (form, Quantity(value.node, unit))
    return (form,)


def is_function_head(text: str) -> bool:
    """Whether a member of an equation only names a function: "f(x)", "P(x, y)"."""
    return bool(_FUNCTION_HEAD.match(text))
