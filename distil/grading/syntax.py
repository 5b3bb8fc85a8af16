r"""Expressions: from LaTeX or plain text to a small syntax tree, without evaluating anything.

A node is a tuple whose first member names it:

    ("num", Fraction)           ("sym", name)            ("const", "pi" | "e" | "i" | "inf")
    ("add", a, b)               ("mul", a, b)            ("div", a, b)        ("pow", a, b)
    ("neg", a)                  ("root", degree, a)      ("fn", name, args)   ("deg", a)
    ("log", base, a)            ("fact", a)

The grammar is that of contest answers: implicit products, "\frac43", "2\frac13" and "2 1/3" as
mixed numbers, repeating decimals, "\sin^2 x", "3!". What it does not know it refuses, so that a
caller can hand the text to a bigger parser. Nesting and length are capped.
"""

import functools
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

Node = tuple

MOST_NESTED = 40
# Sums and products nest to the left, one level per term.
MOST_TERMS = 150
LONGEST = 1_500
# Digits of one literal; Python itself refuses to convert more than 4,300.
MOST_DIGITS = 2_000


class NotUnderstoodError(ValueError):
    """The text is not an expression of this grammar."""


def word_set(words: str) -> frozenset[str]:
    """The words of a text, for tables that read better as one."""
    return frozenset(words.split())


# "2e-1" is a multiple of e less one; where it is a power of ten, `forms` says so.
_NUMBER = re.compile(r"\d+(?:\.\d+|\.(?![\d.]))?|\.\d+")
# "0.8\overline{3}", "0.(3)"; "8(3)" is a product.
_REPEATING = re.compile(
    r"(\d*)\.(\d*)(?:\\(?:overline|bar|widebar)\s*(?:\{\s*(\d+)\s*\}|(\d))|\((\d+)\)"
    r"|\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?)"
)
# "0.333..."; "1, 2, ..." is a list.
_ENDLESS = re.compile(r"(\d+\.\d+)\s*(?:\.\.\.|\\ldots)")
# "2\frac13"; "2\frac43" is a product, since 4/3 is no proper part.
_MIXED_TEX = re.compile(r"(\d+)\s*\\frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")
# "2 1/3", "2-1/3"; "2 - 1/3 + 1" is a sum.
_MIXED_PLAIN = re.compile(r"(\d+)(?:\s+|\s*-\s*(?=\d+/\d+$)|\s+and\s+)(\d+)\s*/\s*(\d+)(?![\d.^!])")
# "x_1", "v_{max}"; "x_{\alpha}" is not read.
_SUBSCRIPT = re.compile(r"_\s*(?:\{\s*([\w,+ -]+?)\s*\}|(\w))")
# "\frac{d^2x}{dt^2}" is one symbol; "\frac{dx}{2}" and "\frac{d}{2}" are fractions.
_DERIVATIVE = re.compile(
    r"\\frac\s*\{\s*(?:d|\\partial)\s*(\^\s*\{?\d\}?)?\s*(\\?[a-zA-Z]+)(?:\([a-z]\))?\s*\}\s*"
    r"\{\s*(?:d|\\partial)\s*(\\?[a-zA-Z]+)\s*(\^\s*\{?\d\}?)?\s*\}"
)
# An accent makes another letter: "\bar{c}", "\vec a"; "\bar{3}" marks a repeating decimal.
_ACCENTED = re.compile(r"\s*(?:\{\s*(\\?[a-zA-Z]+)\s*\}|([a-zA-Z])|(\\[a-zA-Z]+))")
# "\pi "; "\," is spacing and has gone.
_COMMAND = re.compile(r"\\([a-zA-Z]+)\s*")
# "ab" is a product of two letters; "sin" is a name, which the caller tells.
_LETTERS = re.compile(r"[A-Za-z]+")
FUNCTIONS = word_set(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh ln log "
    "exp gcd lcm min max floor ceil cis abs sgn lg asin acos atan cbrt sqrt"
)
_ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log"}
_SEVERAL = frozenset({"gcd", "lcm", "min", "max"})
_INVERSES = {
    "sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec",
    "csc": "arccsc",
}  # fmt: skip
_GREEK = word_set(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu "
    "nu xi rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi "
    "Sigma Phi Psi Omega ell"
)
_NAMES = frozenset(
    {"pi", "theta", "alpha", "beta", "gamma", "phi", "lambda", "infty", "inf", "infinity"}
)
_ACCENTS = word_set("bar hat vec tilde dot ddot widehat widetilde overline mathring check breve")
_STARTS_FACTOR = (
    FUNCTIONS | _GREEK | _ACCENTS
    | word_set("frac sqrt pi binom dbinom tbinom lfloor lceil infty hbar")
)  # fmt: skip
_LONGEST_FIRST = sorted(FUNCTIONS | _NAMES, key=len, reverse=True)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
NUMBER_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16, "binary": 2,
}  # fmt: skip

ZERO: Node = ("num", Fraction(0))
ONE: Node = ("num", Fraction(1))


def repeating_decimal(whole: str, fixed: str, period: str) -> Fraction:
    """Value of whole.fixed(period): ("0", "8", "3") gives 5/6."""
    scale = 10 ** len(fixed)
    value = Fraction(int(whole or 0)) + Fraction(int(fixed or 0), scale)
    return value + Fraction(int(period), scale * (10 ** len(period) - 1))


def _literal(text: str) -> Fraction:
    if len(text) > MOST_DIGITS:
        raise NotUnderstoodError("number too long")
    return Fraction(text.rstrip("."))


def endless_decimal(text: str) -> Fraction | None:
    """Value of a decimal that visibly repeats before its dots, as in 0.1818...; else None."""
    whole, _, digits = text.partition(".")
    for length in range(1, len(digits) // 2 + 1):
        period = digits[-length:]
        repeats = 1
        while digits[: len(digits) - repeats * length].endswith(period):
            repeats += 1
        if repeats >= 2:
            return repeating_decimal(whole, digits[: len(digits) - repeats * length], period)
    return None


class _Parser:
    def __init__(self, text: str):
        self.text = text
        self.at = 0
        self.depth = 0
        self.bars = 0
        self.terms = 0

    def fail(self) -> NotUnderstoodError:
        return NotUnderstoodError(f"not understood at {self.text[self.at : self.at + 20]!r}")

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t\n":
            self.at += 1

    def peek(self) -> str:
        self.skip()
        return self.text[self.at] if self.at < len(self.text) else ""

    def ahead(self, word: str) -> bool:
        self.skip()
        if not self.text.startswith(word, self.at):
            return False
        end = self.at + len(word)
        return not (word[-1].isalpha() and end < len(self.text) and self.text[end].isalpha())

    def take(self, word: str) -> bool:
        if self.ahead(word):
            self.at += len(word)
            return True
        return False

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise NotUnderstoodError("nested too deeply")
        node = None
        while True:
            sign = None
            while self.peek() in {"+", "-"} and self.peek():
                sign = -(sign or 1) if self.peek() == "-" else (sign or 1)
                self.at += 1
            if node is not None and sign is None:
                break
            term = self.product()
            if sign == -1:
                term = ("neg", term)
            node = term if node is None else ("add", node, term)
        self.depth -= 1
        return node

    def product(self) -> Node:
        node = self.factor()
        while True:
            if self.take("\\cdot") or self.take("\\times") or self.star():
                node = ("mul", node, self.signed_factor())
            elif self.take("/") or self.take("\\div"):
                node = ("div", node, self.signed_factor())
            elif self.starts_factor():
                node = ("mul", node, self.factor())
            else:
                return node

    def star(self) -> bool:
        """Take a product's star, not one of the two of a power."""
        return not self.text.startswith("**", self.at) and self.take("*")

    def signed_factor(self) -> Node:
        if self.take("-"):
            return ("neg", self.factor())
        self.take("+")
        return self.factor()

    def starts_factor(self) -> bool:
        character = self.peek()
        if not character:
            return False
        if character.isdigit() or character == ".":
            # "x2" and "2 3" are slips, not products; ")2" and "}2" are products.
            before = self.text[: self.at].rstrip()
            return before[-1:] in {")", "]", "}"} and not re.search(r"_\{[^{}]*\}$", before)
        if character == "|":
            return self.bars == 0
        if character.isalpha() or character in "([{":
            return True
        if character == "\\":
            command = _COMMAND.match(self.text, self.at)
            return bool(command) and command[1] in _STARTS_FACTOR
        return False

    def factor(self) -> Node:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise NotUnderstoodError("too many terms")
        node = self.atom()
        while True:
            character = self.peek()
            if character == "!" and not self.text.startswith("!=", self.at):
                self.at += 1
                node = ("fact", node)
            elif self.take("\\%") or self.take("%"):
                node = ("div", node, ("num", Fraction(100)))
            elif character == "^" or self.text.startswith("**", self.at):
                self.at += 1 if character == "^" else 2
                if self.degree_sign():
                    node = self.minutes(("deg", node))
                else:
                    node = ("pow", node, self.exponent())
            else:
                return node

    def degree_sign(self) -> bool:
        found = re.compile(r"\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))").match(self.text, self.at)
        if found:
            self.at = found.end()
        return bool(found)

    def minutes(self, node: Node) -> Node:
        found = re.compile(
            r"\s*(\d+(?:\.\d+)?)\s*(?:\^\s*\{?\s*\\prime\s*\}?|')(?:\s*(\d+(?:\.\d+)?)\s*(?:''|\"|\^\s*\{?\s*\\prime\s*\\prime\s*\}?))?"
        ).match(self.text, self.at)
        if not found:
            return node
        self.at = found.end()
        parts = Fraction(found[1]) / 60 + Fraction(found[2] or 0) / 3600
        return ("deg", ("add", node[1], ("num", parts)))

    def exponent(self) -> Node:
        self.skip()
        if self.peek() in {"{", "("}:
            return self.group()
        negative = self.take("-")
        node = self.number() if self.peek().isdigit() else self.atom()
        if self.peek() == "^" or self.text.startswith("**", self.at):
            self.at += 1 if self.text[self.at] == "^" else 2
            node = ("pow", node, self.exponent())
        return ("neg", node) if negative else node

    def group(self) -> Node:
        closer = _CLOSERS[self.peek()]
        self.at += 1
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.bars = bars
        if self.peek() != closer:
            raise self.fail()
        self.at += 1
        return node

    def argument(self) -> Node:
        r"""One TeX argument: a group, a digit, a letter or a command ("\frac43", "\sqrt\pi")."""
        character = self.peek()
        if character == "{":
            return self.group()
        if character.isdigit():
            self.at += 1
            return ("num", Fraction(int(character)))
        return self.atom()

    def number(self) -> Node:
        found = _NUMBER.match(self.text, self.at)
        if not found:
            raise self.fail()
        self.at = found.end()
        return ("num", _literal(found.group()))

    def numeral(self) -> Node:
        text, at = self.text, self.at
        found = _REPEATING.match(text, at)
        if found and len(found.group()) < 200:
            self.at = found.end()
            whole, fixed = found[1], found[2]
            period = (
                found[3] or found[4] or found[5] or found[6] + (found[7] or "") + (found[8] or "")
            )
            return ("num", repeating_decimal(whole, fixed, period))
        found = _ENDLESS.match(text, at)
        if found and len(found.group()) < 200:
            value = endless_decimal(found[1])
            if value is None:
                raise NotUnderstoodError("a decimal that goes on unseen")
            self.at = found.end()
            return ("num", value)
        found = _MIXED_TEX.match(text, at)
        if found:
            top, bottom = int((found[2] or found[3])[:50]), int((found[4] or found[5])[:50])
            if 0 < top < bottom:
                self.at = found.end()
                return ("num", _literal(found[1]) + Fraction(top, bottom))
        found = _MIXED_PLAIN.match(text, at)
        if found:
            top, bottom = int(found[2][:50]), int(found[3][:50])
            if 0 < top < bottom:
                self.at = found.end()
                return ("num", _literal(found[1]) + Fraction(top, bottom))
        node = self.number()
        if self.peek() == "_":
            return self.based(text[at : self.at].strip())
        return node

    def based(self, digits: str) -> Node:
        found = _SUBSCRIPT.match(self.text, self.at)
        if not found:
            raise self.fail()
        name = (found[1] or found[2]).strip().lower()
        base = int(name) if name.isdigit() and len(name) < 3 else NUMBER_BASES.get(name, 0)
        if not 2 <= base <= 36 or not digits.isalnum():
            raise self.fail()
        self.at = found.end()
        try:
            return ("num", Fraction(int(digits, base)))
        except ValueError:
            raise NotUnderstoodError("digit too large for its base") from None

    def subscripted(self, name: str) -> Node:
        if self.peek() == "_":
            found = _SUBSCRIPT.match(self.text, self.at)
            if not found:
                raise self.fail()
            self.at = found.end()
            name += "_" + (found[1] or found[2]).replace(" ", "")
        while self.at < len(self.text) and self.text[self.at] == "'":
            self.at += 1
            name += "'"
        return ("sym", name)

    def letters(self) -> Node:
        run = _LETTERS.match(self.text, self.at).group()
        for name in _LONGEST_FIRST:
            if run == name or (
                run.startswith(name) and len(run) <= len(name) + 1 and name in _INVERSES
            ):
                self.at += len(name)
                return self.function(name) if name in FUNCTIONS else self.named(name)
        if len(run) > 4:
            raise NotUnderstoodError(f"a word: {run}")
        letter = run[0]
        self.at += 1
        if letter in "ei" and self.peek() != "_":
            return ("const", letter)
        return self.subscripted(letter)

    def named(self, name: str) -> Node:
        if name == "pi":
            return ("const", "pi")
        if name in {"infty", "inf", "infinity"}:
            return ("const", "inf")
        return self.subscripted(name)

    def atom(self) -> Node:
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise NotUnderstoodError("nested too deeply")
        node = self._atom()
        self.depth -= 1
        return node

    def _atom(self) -> Node:
        character = self.peek()
        if not character:
            raise self.fail()
        if character.isdigit() or character == ".":
            return self.numeral()
        if character in _CLOSERS:
            node = self.group()
            # "{g}_{k}" is g_k.
            return self.subscripted(node[1]) if node[0] == "sym" and self.peek() == "_" else node
        if character == "|":
            return self.absolute()
        if character.isalpha() and character.isascii():
            return self.letters()
        derivative = _DERIVATIVE.match(self.text, self.at)
        if derivative and (derivative[1] or "") == (derivative[4] or ""):
            self.at = derivative.end()
            return ("sym", "d{0}{1}/d{2}{0}".format(derivative[1] or "", *derivative.group(2, 3)))
        command = _COMMAND.match(self.text, self.at)
        if not command:
            raise self.fail()
        name = command[1]
        self.at = command.end()
        return self.command(name)

    def absolute(self) -> Node:
        self.at += 1
        self.bars += 1
        node = self.sum()
        self.bars -= 1
        if self.peek() != "|":
            raise self.fail()
        self.at += 1
        return ("fn", "abs", (node,))

    def command(self, name: str) -> Node:
        if name == "frac":
            top = self.argument()
            return ("div", top, self.argument())
        if name == "sqrt":
            return self.root()
        if name in {"binom", "dbinom", "tbinom"}:
            top = self.argument()
            return ("fn", "binom", (top, self.argument()))
        if name in {"pi", "infty"}:
            return self.named(name)
        if name in FUNCTIONS:
            return self.function(name)
        if name in _GREEK:
            return self.subscripted(name)
        if name == "hbar" or name in _ACCENTS:
            return self.accented(name)
        if name in {"lfloor", "lceil"}:
            node = self.sum()
            if not self.take("\\r" + name[1:]):
                raise self.fail()
            return ("fn", {"lfloor": "floor", "lceil": "ceil"}[name], (node,))
        raise NotUnderstoodError(f"unknown command: {name}")

    def accented(self, name: str) -> Node:
        if name == "hbar":
            return self.subscripted(name)
        found = _ACCENTED.match(self.text, self.at)
        if not found:
            raise self.fail()
        self.at = found.end()
        return self.subscripted(f"{name} {found[1] or found[2] or found[3]}")

    def root(self) -> Node:
        degree = ("num", Fraction(2))
        if self.peek() == "[":
            degree = self.group()
        character = self.peek()
        # "\sqrt13" is TeX for the root of 1 times 3, but nobody who writes it means that.
        radicand = self.number() if character.isdigit() else self.argument()
        return ("root", degree, radicand)

    def function(self, name: str) -> Node:
        name = _ALIASES.get(name, name)
        if name == "sqrt":
            return self.root()
        power = base = None
        for _ in range(2):
            if self.peek() == "^" and power is None:
                self.at += 1
                power = self.exponent()
            elif self.peek() == "_" and base is None and name == "log":
                self.at += 1
                base = self.argument()
        if power == ("neg", ONE) and name in _INVERSES:
            name, power = _INVERSES[name], None
        if name in _SEVERAL:
            node = ("fn", name, self.several())
        else:
            inner = self.group() if self.peek() in {"(", "[", "{"} else self.tight()
            if name == "log":
                node = ("log", base or ("num", Fraction(10)), inner)
            elif name == "ln":
                node = ("log", ("const", "e"), inner)
            elif name == "exp":
                node = ("pow", ("const", "e"), inner)
            elif name == "cbrt":
                node = ("root", ("num", Fraction(3)), inner)
            else:
                node = ("fn", name, (inner,))
        return node if power is None else ("pow", node, power)

    def several(self) -> tuple[Node, ...]:
        if self.peek() not in {"(", "["}:
            raise self.fail()
        closer = _CLOSERS[self.peek()]
        arguments = []
        while True:
            self.at += 1
            arguments.append(self.sum())
            if self.peek() == closer:
                self.at += 1
                return tuple(arguments)
            if self.peek() != "," or len(arguments) > 20:
                raise self.fail()

    def tight(self) -> Node:
        r"""A function's argument without parentheses: the factors that follow, as in "\sin 2x"."""
        if self.take("-"):
            return ("neg", self.tight())
        node = self.factor()
        while self.starts_factor() and self.peek() not in "([|":
            command = _COMMAND.match(self.text, self.at)
            if command and command[1] in FUNCTIONS:
                break
            run = _LETTERS.match(self.text, self.at)
            if run and run.group() in FUNCTIONS:
                break
            node = ("mul", node, self.factor())
        return node


@functools.lru_cache(maxsize=4096)
def parse_expression(text: str) -> Node:
    r"""Parse an expression.

    Args:
        text: cleaned LaTeX (see `notation.clean`) or plain text.

    Returns:
        The syntax tree.

    Raises:
        NotUnderstoodError: if the text is longer, deeper or other than the grammar allows.
    """
    if len(text) > LONGEST and not text.isdigit():
        raise NotUnderstoodError("too long")
    parser = _Parser(text)
    node = parser.sum()
    if parser.peek():
        raise parser.fail()
    return node


def walk(node: Node) -> Iterator[Node]:
    """Every node of a tree, parents before children."""
    yield node
    for part in node[1:]:
        if isinstance(part, tuple) and part:
            for child in part if isinstance(part[0], tuple) else (part,):
                yield from walk(child)


@functools.lru_cache(maxsize=4096)
def symbols(node: Node) -> frozenset[str]:
    """Names of the variables in an expression."""
    return frozenset(part[1] for part in walk(node) if part[0] == "sym")


def rename(node: Node, names: dict[str, str]) -> Node:
    """The expression with variables renamed, all at once."""
    if node[0] == "sym":
        return ("sym", names.get(node[1], node[1]))
    return map_parts(node, lambda part: rename(part, names))


def map_parts(node: Node, change: Callable[[Node], Node]) -> Node:
    """A node of the same kind with each part changed."""
    parts = []
    for part in node[1:]:
        if isinstance(part, tuple) and part and isinstance(part[0], tuple):
            parts.append(tuple(change(child) for child in part))
        else:
            parts.append(change(part) if isinstance(part, tuple) else part)
    return (node[0], *parts)
