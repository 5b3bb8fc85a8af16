r"""Parsing of answers: number with unit, list, interval, equation, text and so on.

    readings(r"5\text{ cm}")  # (Quantity(("num", Fraction(5)), Unit("length", ...)),)

`readings` gives one form or more, since a text such as "1,234" can be a number or a list. Nothing
is evaluated here. The text has no mark-up any more (see `plain`), so a pattern says what it means.
"""

import functools
import itertools
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
    Unit,
    Words,
)
from distil.grading.plain import (
    MOST_ITEMS,
    Plain,
    cut,
    enclosed,
    expression,
    joined,
    plain,
    split_list,
    top_level,
)
from distil.grading.syntax import (
    NUMBER_BASES,
    ZERO,
    Node,
    NotUnderstoodError,
    parse_expression,
)
from distil.grading.units import NOON, clock_time, compound, quantity, unit_named, with_unit
from distil.grading.vocabulary import (
    ADVERBS,
    ALL_REALS,
    EMPTY_WORDS,
    OTHER_SENSE,
    SHORT_WORDS,
    number_words,
    plain_words,
)
from distil.notation.braces import balanced_end, in_formula

MOST_NESTED = 8
INFINITY: Node = ("const", "inf")
# "the answer is 5"; not "the answer 5" nor "answers to 5".
_LEAD = re.compile(
    r"^(?:(?:so|thus|hence|therefore|then|finally),?\s+(?=\S)|(?:the\s+)?(?:final\s+|correct\s+)*"
    r"(?:answer|result|solution|value)s?\s*(?:is|are|:|=)\s*:?\s*)",
    re.IGNORECASE,
)
# "the point is (0, 7)", "there are 12"; not "there are many", which leads to no value.
_SENTENCE = re.compile(
    r"^(?:(?:so|thus|hence|therefore|then|finally),?\s+)?"
    r"(?:the|an?|our|its|their|there|it|we|she|he|they)\s+(?:[^=<>$\\{};]{0,80}?\s)?"
    r"(?:is|are|was|were|equals|have|has|get|need|be)"
    + ADVERBS
    + r"(?:\s+equal\s+to(?:\s+exactly)?)?\s*:?\s*"
    r"(?=[-\d(\[|.]|\\(?:[dt]?frac|sqrt|pi|[({\[$]|approx|log|ln|binom|pm)|\$[-\\\d(]|[a-zA-Z]\s*=)",
    re.IGNORECASE,
)
# "3k for every integer k"; not "for" at the start.
_FOR_ALL = re.compile(
    r"(?<=\S)\s*,?\s*\(?\b(?:for\s+(?:all|any|every|each|some|integers?)|where|with\s+\$?[a-z]\$?\s+"
    r"(?:an?y?|\\in))\b.*$",
    re.DOTALL,
)
# ", k \in \mathbb{Z}"; "x \in \mathbb{Z}" alone is an answer.
_PARAMETER = re.compile(
    r"(?<=\S)\s*[,;(]?\s*\(?\s*(?:[a-z]\s*\\in\s*\\mathbb\s*\{?\s*[ZN]\s*\}?)\s*\)?$"
)
# "6 (reject -1)", "12 (since 12 = 3 * 4)"; "(not 6)" stays.
_REJECTED = re.compile(
    r"(?<=\S)\s*\(\s*(?:reject\w*|discard\w*|exclud\w*|ignor\w*|since|because)\b[^()]*\)$",
    re.IGNORECASE,
)
# "72 (in total)"; not "f(max)" nor "18 (at least)", which OTHER_SENSE tells.
_REMARK = re.compile(r"(?<=\S)(\s*)\(\s*(?!(?:in\s+)?base\b|mod\b)([A-Za-z]{2,}[^()=<>\d]*)\)$")
# "72, in total"; not "72 or more".
_ADVERB = re.compile(
    r"(?<=[\w)}\]%!])(?:\s*,\s*|\s+)(?:in\s+(?:all|total|sum|the\s+end)|altogether|overall|all\s+told|total|"
    r"exactly|precisely|therefore|thus|hence|indeed|respectively|combined|of\s+(?:them|these|those)|"
    r"as\s+(?:required|desired|claimed|needed|expected|requested|well|asked|stated|wanted))$",
    re.IGNORECASE,
)
# "about 5"; not "about x", whose value is no number.
_NEARLY = re.compile(
    r"^(?:\\approx|\\sim|~|(?:approximately|approx\.?|about|roughly|around|exactly|only|just)"
    r"(?:\s+(?:equal\s+to))?)\s*(?=[-\\$\d.({])",
    re.IGNORECASE,
)
# "3/4 (or 0.75)", "3/4, that is, 0.75"; not "3 or 4", which is a list.
_ALTERNATIVE = re.compile(
    r"^(.+?)\s*(?:[,;]\s*(?:or|i\.\s?e\.|that\s+is|which\s+is|namely|equivalently|in\s+other\s+words)\b"
    r"|\(\s*(?:or|i\.\s?e\.|that\s+is|which\s+is|namely|equivalently|=|\\approx|about|approximately)"
    r"|\b(?:i\.\s?e\.|that\s+is|or\s+equivalently|equivalently|or\s+simply))"
    r"(?:\s*,)?\s*((?:equivalently|simply|also|\\approx|approximately|about|=)?)\s*(.+?)\s*(\)?)$",
    re.DOTALL,
)
# "2:3"; "x = 2:3" is an equation.
_RATIO = re.compile(r"^[^:=<>\\|]*(?:\\frac[^:]*)?(?::[^:=<>|]+)+$")
# "(B)", "Option B."; "b" alone is a variable.
_LETTER = re.compile(
    r"^(?:option|choice|answer)?\s*[(\[]?\s*\(?([A-J])\)?\s*[)\].:]*$", re.IGNORECASE
)
# "(B) 12", "B. 12"; "B, 12" is a list and "B 12" a name.
_LETTER_VALUE = re.compile(
    r"^(?:\(([A-J])\)|\[([A-J])\]|([A-J])[.):](?=\s|~)|(?:option|choice)\s+([A-J])[:,.]?(?=\s))"
    r"\s*(.+)$",
    re.IGNORECASE | re.DOTALL,
)
# "(A) and (B)" are two letters; "(A) 5" has a value.
_NO_VALUE = re.compile(r"\s*(?:[,;=<>]|and\b|or\b|\\(?:ne|to|le|ge)\b)")
# One environment and nothing around it but brackets: "2 \begin{pmatrix} ..." is a product.
_MATRIX = re.compile(
    r"^([(\[|]|\\\{)?\s*\\begin\s*\{\s*(p|b|B|v|V|small)?(matrix|array)\s*\}\s*(?:\{[^{}]*\})?"
    r"((?:(?!\\begin).)*?)\\end\s*\{\s*(?:p|b|B|v|V|small)?(?:matrix|array)\s*\}\s*"
    r"([)\]|]|\\\})?\s*(\^\s*\{?\s*(?:T|\\top)\s*\}?)?$",
    re.DOTALL,
)
# Lines of equations; with "\{" before them a system.
_LINES = re.compile(r"^(?:\\\{\s*)?\\begin\{lines\}(.*?)\\end\{lines\}(?:\s*\\\})?$", re.DOTALL)
# "\\[4pt]"; "\[" opens a formula.
_LINE_BREAK = re.compile(r"\\\\(?:\s*\[[^\]]*\])?")
_OPERATORS = {
    "\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\approx": "~", "\\equiv": "==", "\\sim": "~",
    "<=": "<=", ">=": ">=", "!=": "!=", "<": "<", ">": ">", "=": "=", "\\in": "in", ":=": "=",
}  # fmt: skip
# "\int" and "\left" are other commands; "5!=120" is read as unequal.
_OPERATOR = re.compile(r"\\(?:le|ge|ne|approx|equiv|in|sim)(?![a-zA-Z])|<=|>=|!=|:=|[<>=]")
# "1011_2", "(1011)_{two}"; "x_2" has no digits before it.
_BASED = re.compile(
    r"^\(?\s*([0-9A-Fa-f]+)\s*\)?\s*_\s*\{?\s*\(?(?P<a>\d{1,2}|[a-z]+)(?P<b>)\)?\s*\}?$"
)
# "204 base 5", "204five"; "204 fives" counts things.
_BASED_WORDS = re.compile(
    r"^([0-9A-Fa-f]+)\s*(?:\(?(?:in\s+)?base[- ]?(?P<a>\d{1,2}|[a-z]+)\)?|"
    r"(?P<b>two|three|four|five|six|seven|eight|nine))$"
)
_MULTIPLES = {
    "dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9,
    "trillion": 10**12,
}  # fmt: skip
# "2 million"; "2 millionths" is no multiple.
_MULTIPLE = re.compile(
    r"^(.*\d\}?)\s*(" + "|".join(list(_MULTIPLES)[1:]) + r")s?(?![a-z])\s*(.*)$", re.DOTALL
)
# "A(1, 2)"; "f(1, 2)" is a function's value.
_POINT = re.compile(r"^[A-Z](?:_\{?\d\}?|')?\s*(\(.*,.*\))$", re.DOTALL)
# "3 to 4"; "x \to 4" is a limit.
_TO = re.compile(r"^(.+?)\s+to\s+(.+)$", re.DOTALL)
# "Yes, since ..."; "Yes, 5" has a value of its own.
_YES_NO = re.compile(r"^(yes|no|true|false)\s*[,;.]\s+([^\d]*[A-Za-z]{2,}.*)$", re.I | re.DOTALL)
# "7 \pmod{12}"; "7 mod x" is not known here.
_MODULO = re.compile(
    r"^(.+?)\s*(?:\\[pb]?mod(?![a-z])|\(?\s*mod(?![a-z]))\s*\{?\s*(\d+)\s*\}?\s*\)?$"
)
# "\pm", "\mp"; not "\pmod".
_PLUS_MINUS = re.compile(r"\\[pm][mp](?![a-zA-Z])")
# "\mathbb{R}^+", "\mathbb{R}_{>0}"; "\mathbb{R}^2" is a plane.
_HALF_LINE = re.compile(
    r"(?:[a-zA-Z]\s*\\in\s*)?\\mathbb\s*\{?\s*R\s*\}?\s*"
    r"(?:\^\s*\{?\s*([+-])\s*\}?|_\s*\{?\s*([<>])\s*0\s*\}?)"
)
# "x \in \mathbb{R}"; "\mathbb{R}^2" is a plane.
_ALL_REALS = re.compile(r"(?:[a-zA-Z]\s*\\in\s*)?\\mathbb\s*(?:\{\s*R\s*\}|R)")
# "C(10, 3)": a point with its name, or a number of selections; "C(3, 10)" is a point.
_CALLED = re.compile(r"^([PC])\s*\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)$")
# "5 m" may be metres; "5m" is a product.
_SINGLE_UNIT = re.compile(r"^(-?\d[\d.,]*(?:/\d+)?|[^=<>,]*\\(?:frac|sqrt)[^=<>,]*\}) ([msghL])$")
# "4.6e-24", "1e10": a power of ten; "2e-1" may be one in plain text; "2e+1" is 2e more one.
_POWER_OF_TEN = re.compile(
    r"^((?:[a-zA-Z]\s*=\s*)?[-+]?(?:\d+(?:\.\d+)?|\.\d+))[eE]([-+]?\d+)(?=$|\s+[A-Za-z])"
)
# "{x | x > 2}"; "{1 : 2}" is a ratio.
_SUCH_THAT = re.compile(
    r"^(.{1,40}?)\s*(?:\||:|\\mid(?![a-zA-Z])|\bsuch that\b)\s*(.+)$", re.DOTALL
)


def _words_form(text: str):
    said = plain_words(text)
    if said in EMPTY_WORDS:
        return EMPTY
    if said in ALL_REALS:
        return REALS
    if said in {"infinity", "positive infinity"}:
        return Quantity(INFINITY)
    if said in {"negative infinity", "minus infinity"}:
        return Quantity(("neg", INFINITY))
    if said in NOON:
        return Clock(NOON[said], "pm" if said.endswith("noon") else "am")
    value = number_words(said)
    return Words(said) if value is None else Quantity(("num", value))


def without_lead(text: Plain) -> Plain:
    """The number that a sentence such as "the coefficient is 12" leads to; else the text."""
    found = _SENTENCE.match(text.text)
    return text.part(found.end()) if found else text


def _without_tail(text: Plain) -> Plain:
    for pattern in (_FOR_ALL, _PARAMETER, _REJECTED, _ADVERB):
        found = pattern.search(text.text)
        if found and found.start():
            text = text.part(0, found.start())
    found = _REMARK.search(text.text)
    if found and not OTHER_SENSE.search(found[2]):
        upright = text.upright(*found.span(2)) and bool(text.spans)
        if found[1] or upright:
            text = text.part(0, found.start())
    return text


def _unwrapped(text: Plain) -> Plain:
    """Without braces around it, a label before it, a remark after it or a sentence's stop."""
    for _ in range(6):
        before = text
        whole = text.text
        if whole.startswith('"') or whole.endswith('"'):
            stripped = whole.strip('"')
            start = whole.find(stripped)
            text = text.part(start, start + len(stripped))
        if text.text.startswith("{") and balanced_end(text.text, 0) == len(text.text) - 1:
            text = text.part(1, len(text.text) - 1)
        lead = _LEAD.match(text.text)
        if lead and lead.end() < len(text.text):
            text = text.part(lead.end())
        text = _without_tail(without_lead(_last_consequence(text)))
        nearly = _NEARLY.match(text.text)
        if nearly:
            text = text.part(nearly.end())
        while text.text and text.text[-1] in ".,;:" and not text.text.endswith("..."):
            text = text.part(0, len(text.text) - 1)
        if text == before:
            break
    return text


# "x^2=4 \Rightarrow x=2" says x=2; "x \to 2" is a limit.
_CONSEQUENCE = re.compile(r"\\(?:Rightarrow|Longrightarrow|implies|therefore)(?![a-zA-Z])")


def _last_consequence(text: Plain) -> Plain:
    top = top_level(text.text)
    ends = [found.end() for found in _CONSEQUENCE.finditer(text.text) if found.start() in top]
    return text.part(ends[-1]) if ends and text.part(ends[-1]).text else text


def _is_prose(text: Plain) -> bool:
    """Whether the text is words rather than a formula."""
    bare = text.text
    if bare.strip(" .").lower() in SHORT_WORDS or re.fullmatch(r"\s*[A-Za-z]{4,}[\s.]*", bare):
        return True
    if re.search(r"\\[a-zA-Z]+|[=<>^+*/|_]", bare):
        return False
    if any(len(word) > 1 for _, word in text.words()) and not re.search(r"\d", bare):
        return True
    return bool(
        re.search(
            r"[A-Za-z]{5,}|[A-Za-z]{2,} +[A-Za-z]{2,}|^[A-Z]{2,}$|^[A-Z][a-z]+$|"
            r"^[A-Za-z]{2,4} \d|\d (?!\d)[A-Za-z]{2,}",
            bare,
        )
    )


def _relation(text: Plain) -> Relation | None:
    top = top_level(text.text)
    members, operators, at = [], [], 0
    for found in _OPERATOR.finditer(text.text):
        if found.start() in top and found.start() >= at:
            members.append(text.part(at, found.start()))
            operators.append(_OPERATORS[found.group()])
            at = found.end()
    if not operators:
        return None
    members.append(text.part(at))
    if not all(member.text for member in members[1:]) or len(members) > 12:
        return None
    if not members[0].text:
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

        variants.append(parse_form(Plain(_PLUS_MINUS.sub(sign, text)), depth + 1))
    return Collection("list", tuple(variants))


def _rows(text: Plain) -> list[list[Plain]]:
    """Cells of the lines of a matrix or a system."""
    lines = cut(text, [found.span() for found in _LINE_BREAK.finditer(text.text)])
    return [
        [line.part(*span) for span in _between(line.text, "&")]
        for line in lines
        if line.text not in {"", "\\hline"}
    ]


def _between(text: str, sign: str) -> list[tuple[int, int]]:
    places = [-1, *(place for place, character in enumerate(text) if character == sign), len(text)]
    return [(low + 1, high) for low, high in itertools.pairwise(places)]


def _matrix(text: Plain, found: re.Match, depth: int):
    opener, style, name, closer = found[1], found[2], found[3], found[5]
    content = text.group(found, 4)
    if opener == "\\{" or (name == "array" and _OPERATOR.search(content.text)):
        return _system(content, depth)
    rows = []
    for row in _rows(content):
        try:
            rows.append(tuple(expression(cell) for cell in row))
        except NotUnderstoodError:
            return Opaque(text.text)
    if not rows or len({len(row) for row in rows}) != 1 or len(rows) * len(rows[0]) > 100:
        return Opaque(text.text)
    if found[6]:
        rows = list(zip(*rows, strict=True))
    return Matrix(
        tuple(rows), bars=(style or "") in set("vV") - {""} or (opener, closer) == ("|", "|")
    )


def _system(text: Plain, depth: int):
    """Lines of equations: working that ends in its value, a system of values, or cases."""
    rows = [row for row in _rows(text) if any(cell.text for cell in row)]
    if not rows:
        return Opaque(text.text)
    if all(len(row) == 2 and row[0].text and not _OPERATOR.match(row[1].text) for row in rows):
        # "x & x>0 \\ -x & x<0": a value and its condition in each line.
        pairs = (
            Collection(
                "tuple", tuple(parse_form(_condition(cell), depth + 1) for cell in row), "()"
            )
            for row in rows
        )
        return Collection("set", tuple(pairs))
    lines: list[str] = []
    for row in rows:
        line = " ".join(cell.text for cell in row).strip(" ,;.")
        if lines and _OPERATOR.match(line):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    forms = tuple(parse_form(Plain(line), depth + 1) for line in lines)
    if len(forms) == 1:
        return forms[0]
    names = [
        form.members[0].text if isinstance(form, Relation) and form.operators[0] == "=" else ""
        for form in forms
    ]
    single = [re.fullmatch(r"\\?[a-zA-Z]+(?:_\{?\w+\}?)?", name) for name in names]
    if single[-1] and not all(single) and _letters(names[:-1]) <= _letters(names[-1:]):
        return forms[-1]
    return Collection("and", forms)


def _letters(names: list[str]) -> set[str]:
    return set(re.findall(r"[a-zA-Z]", re.sub(r"\\[a-zA-Z]+", "", "".join(names))))


def _condition(cell: Plain) -> Plain:
    found = re.match(r"(?:if|for|when)\b\s*", cell.text)
    return cell.part(found.end() if found else 0, len(cell.text.rstrip(" ,;.")))


def _table(inside: Plain) -> Matrix | None:
    """Rows between semicolons: "(1, 2; 3, 4)"."""
    rows = [row.split(",") for row in inside.text.split(";")]
    if len({len(row) for row in rows}) != 1 or len(rows) < 2:
        return None
    try:
        return Matrix(tuple(tuple(parse_expression(cell.strip()) for cell in row) for row in rows))
    except NotUnderstoodError:
        return None


def _interval(brackets: str, parts: list[Plain]) -> Regions | None:
    try:
        low, high = (expression(part) for part in parts)
    except NotUnderstoodError:
        return None
    return Regions("interval", (low, brackets[0] == "[", high, brackets[1] == "]"))


def _bracketed_form(brackets: str, inside: Plain, depth: int):
    if brackets == "{}":
        condition = _SUCH_THAT.match(inside.text)
        if condition and not re.match(r"^\d+$", condition[1].strip()):
            return parse_form(inside.group(condition, 2), depth + 1)
        if not inside.text:
            return EMPTY
        items = []
        for part in split_list(inside)[0][: MOST_ITEMS + 1]:
            item = parse_form(part, depth + 1)
            items.extend(
                item.items if isinstance(item, Collection) and item.kind == "list" else [item]
            )
        return Collection("set", tuple(items))
    if brackets in {"()", "[]", "(]", "[)"}:
        parts, how = split_list(inside)
        if len(parts) < 2 or how == "or":
            return None
        if ";" in inside.text and "," in inside.text and (table := _table(inside)):
            return table
        if len(parts) == 2 and (brackets != "()" or "inf" in inside.text):
            interval = _interval(brackets, parts)
            if interval:
                return interval
        if _PLUS_MINUS.search(inside.text):
            return _plus_minus(f"{brackets[0]}{inside.text}{brackets[1]}", depth)
        return Collection("tuple", tuple(parse_form(part, depth + 1) for part in parts), brackets)
    return None


def _set_operation(text: Plain, depth: int) -> Regions | None:
    whole = text.text
    top = top_level(whole)
    patterns = [
        (r"\\setminus(?![a-zA-Z])", "minus"),
        (r"\\cup(?![a-zA-Z])|(?<=[)\]])\s*U\s*(?=[(\[])", "union"),
        (r"\\cap(?![a-zA-Z])", "meet"),
    ]
    if whole.startswith("\\mathbb"):
        patterns.insert(1, (r"(?<=\})\s*-\s*(?=\\\{)", "minus"))
    for pattern, operation in patterns:
        cuts = [found.span() for found in re.finditer(pattern, whole) if found.start() in top]
        if cuts:
            return Regions(
                operation, tuple(parse_form(part, depth + 1) for part in cut(text, cuts))
            )
    return None


def _simple_form(text: Plain):
    """Forms that a pattern tells at once, or None."""
    whole = text.text
    if re.fullmatch(r"\\emptyset|\\\{\s*\\\}", whole):
        return EMPTY
    if _ALL_REALS.fullmatch(whole):
        return REALS
    half = _HALF_LINE.fullmatch(whole)
    if half:
        above = (half[1] or half[2]) in "+>"
        ends = (ZERO, INFINITY) if above else (("neg", INFINITY), ZERO)
        return Regions("interval", (ends[0], False, ends[1], False))
    clock = clock_time(whole) if whole[:1].isdigit() else None
    if clock:
        return clock
    letter = _LETTER.match(whole)
    if letter and (letter[1].isupper() or len(whole) > 1):
        return Choice(letter[1].upper())
    based = _BASED.match(whole) or _BASED_WORDS.match(whole)
    if based:
        base = based["a"] or based["b"]
        size = int(base) if base.isdigit() else NUMBER_BASES.get(base.lower(), 0)
        try:
            node = parse_expression(f"{based[1]}_{{{base}}}")
        except (NotUnderstoodError, ValueError):
            return None
        return Based(based[1].upper().lstrip("0") or "0", size, node)
    return None


def _special_form(text: Plain, depth: int):
    """Compound measures, named points, "3 to 4", "2 million" and matrices as nested brackets."""
    whole = text.text
    measure = compound(whole) if whole[:1].isdigit() else None
    if measure:
        return measure
    found = _POINT.match(whole)
    if found:
        return parse_form(text.group(found, 1), depth + 1)
    if re.fullmatch(r"\d+\s*(?:st|nd|rd|th)", whole):
        return Words(re.sub(r"\s", "", whole))
    found = _TO.match(whole)
    if found and not re.search(r"[A-Za-z]{2,}", found[1] + found[2]):
        return parse_form(Plain(f"{found[1]}:{found[2]}"), depth + 1)
    found = _MULTIPLE.match(whole)
    if found:
        return parse_form(
            Plain(f"{found[1]} \\cdot {_MULTIPLES[found[2]]} {found[3]}".strip()), depth + 1
        )
    if whole.startswith("[[") and whole.endswith("]]"):
        rows = re.sub(r"\]\s*,\s*\[", ";", whole[2:-2])
        return _table(Plain(rows))
    return None


def _alternatives(text: Plain, depth: int):
    """One answer given in two forms: "3/4 (or 0.75)", "3/4, i.e. 0.75"; else None."""
    found = _ALTERNATIVE.match(text.text)
    if not found or (found[4] == ")" and "(" not in text.text[found.end(1) : found.start(3)]):
        return None
    if found[4] != ")" and "(" in text.text[found.end(1) : found.start(3)]:
        return None
    head, tail = text.group(found, 1), text.group(found, 3)
    if not re.search(r"[\d}\\)]|[a-zA-Z]", head.text):
        return None
    first, second = parse_form(head, depth + 1), parse_form(tail, depth + 1)
    if isinstance(second, Words | Opaque):
        # What follows in words explains; only an "or" in words may say something else.
        plain_or = re.search(r"\bor\b", text.text[found.end(1) : found.start(3)])
        return None if plain_or or isinstance(first, Words | Opaque) else first
    if isinstance(first, Words | Opaque):
        return None
    rough = re.search(r"\\approx|about|approximately", text.text[found.end(1) : found.start(3)])
    if rough:
        return Relation((head, tail), ("~",))
    return Collection("same", (first, second))


def _letter_value(text: Plain, depth: int) -> Choice | None:
    found = _LETTER_VALUE.match(text.text)
    if not found or _NO_VALUE.match(found[5]):
        return None
    letter = next(group for group in found.groups()[:4] if group)
    value = parse_form(text.group(found, 5), depth + 1)
    if isinstance(value, Opaque) and not value.text:
        return None
    return Choice(letter.upper(), value)


@functools.lru_cache(maxsize=8192)
def parse_form(text: Plain, depth: int = 0):
    """The form of an answer's plain text."""
    text = _unwrapped(text)
    whole = text.text
    if depth > MOST_NESTED or not whole:
        return Opaque(whole)
    for parse in (_simple_form, _letter_value):
        form = parse(text) if parse is _simple_form else parse(text, depth)
        if form is not None:
            return form
    if "\\begin" in whole:
        lines, matrix = _LINES.match(whole), _MATRIX.match(whole)
        if lines:
            return _system(text.group(lines, 1), depth)
        if matrix:
            return _matrix(text, matrix, depth)
    said = _YES_NO.match(whole)
    if said and not re.search(r"\b(?:yes|no|true|false)\b", said[2], re.IGNORECASE):
        return Words(said[1].lower())
    special = _special_form(text, depth) or _alternatives(text, depth)
    if special is not None:
        return special
    prose = _is_prose(text) and not re.match(r"^\s*[-\d\\(]", whole)
    parts, how = split_list(text)
    if prose and (len(parts) < 2 or how == "or" or any(len(part.text) >= 30 for part in parts)):
        return _words_form(whole)
    if len(parts) > 1:
        return _several(parts, how, depth)
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


def _several(parts: list[Plain], how: str, depth: int) -> Collection:
    dots = [place for place, part in enumerate(parts) if re.fullmatch(r"\\ldots|\.\.\.", part.text)]
    if dots == [len(parts) - 2] and len(parts) >= 3:
        parts, how = [*parts[:-2], parts[-1]], "dots"
    elif dots == [len(parts) - 1] and len(parts) >= 3:
        parts, how = parts[:-1], "endless"
    if how == "or" and len({part.text for part in parts}) < len(parts):
        how = "list"  # "17 or 17" is no value in two forms
    return Collection(how, tuple(parse_form(part, depth + 1) for part in parts[: MOST_ITEMS + 1]))


def _leaf(text: Plain, depth: int):
    whole = text.text
    if _PLUS_MINUS.search(whole):
        return _plus_minus(whole, depth)
    if ":" in whole and _RATIO.match(whole):
        try:
            return Ratio(tuple(parse_expression(part.strip()) for part in whole.split(":")))
        except NotUnderstoodError:
            return Opaque(whole)
    if not re.search(r"[a-zA-Z%$]", whole):
        return quantity(text)
    modulo = _MODULO.match(whole)
    if modulo:
        value = quantity(text.group(modulo, 1))
        unit = Unit(f"modulo {modulo[2]}", Fraction(1), "mod")
        return Quantity(value.node, unit) if isinstance(value, Quantity) else value
    measured = with_unit(text)
    if measured:
        return measured
    form = quantity(text)
    if isinstance(form, Quantity):
        return form
    worded = _is_prose(text) or re.search(r"[A-Za-z]{3,}", whole)
    return _words_form(whole) if worded and not re.search(r"\\[a-zA-Z]", whole) else form


def _powers_of_ten(text: Plain, raw: str, latex: bool) -> tuple[Plain, ...]:
    """Readings of a number such as "4.6e-24", the likeliest first; the text alone if it is none."""
    found = _POWER_OF_TEN.match(text.text)
    if not found:
        return (text,)
    power = Plain(f"{found[1]}\\cdot 10^{{{found[2]}}}{text.text[found.end() :]}")
    digits = found[2].lstrip("+-")
    mantissa = found[1].split("=")[-1].strip()
    if "." in mantissa or mantissa == "1" or len(digits) > 1 or digits == found[2]:
        return (power,)
    if latex or found[2].startswith("+"):
        return (text,)
    before = re.split(r"\d[eE][-+]?\d", raw, maxsplit=1)[0]  # "$2e-1$" tells by itself
    return (text,) if in_formula(before) else (power, text)


@functools.lru_cache(maxsize=8192)
def readings(raw: str, variables: frozenset[str] = frozenset(), latex: bool = False) -> tuple:
    """All sensible readings of an answer, the likeliest first.

    Args:
        raw: the answer as written.
        variables: letters that are no units here.
        latex: the answer stood in a formula, in which "2e-1" is no power of ten, as in "$2e-1$".

    Returns:
        One form, or more where commas may separate thousands or items, or a letter may be a unit.
    """
    text = plain(raw)
    number = joined(text)
    if number != text:
        whole = text.text
        # In brackets "1,234" is a pair unless commas followed by spaces separate the items.
        if re.fullmatch(r"\(\d{1,3}(?:,\d{3})+\)", whole):
            return (parse_form(text),)
        first, second = number, text
        if (whole[:1] in "([" or whole.startswith("\\{")) and not re.search(r",\s", whole):
            first, second = text, number
        return (parse_form(first), parse_form(second))
    forms = [parse_form(reading) for reading in _powers_of_ten(text, raw, latex)]
    said = re.match(r"(?:yes|no)\s*[,;.:]\s+(?=.*\d)", text.text, re.IGNORECASE)
    if said:
        forms.append(parse_form(text.part(said.end())))
    called = _CALLED.match(text.text)
    if called and int(called[3]) <= int(called[2]):
        n, k = called[2], called[3]
        power = f"{n}!/({n}-{k})!" if called[1] == "P" else rf"\binom{{{n}}}{{{k}}}"
        forms.append(parse_form(Plain(power)))
    if not text.spans and isinstance(forms[0], Quantity) and forms[0].unit:
        letters = set(re.findall(r"(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])", forms[0].unit.name))
        # "5 m/s" is a quotient where the question speaks of m and s.
        forms[0] = quantity(text) if variables & letters else forms[0]
    single = _SINGLE_UNIT.match(text.text)
    if single and not text.spans and single[2] not in variables:
        value = quantity(text.group(single, 1))
        if isinstance(value, Quantity):
            forms.append(Quantity(value.node, unit_named(single[2])))
    return tuple(forms)
