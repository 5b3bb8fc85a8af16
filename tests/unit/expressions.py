r"""Random mathematics for round trips: the same expression for typst, for LaTeX and as expected.

`expressions` draws a triple (typst source, LaTeX source, expected text). The expected text is what
extraction must give back, spaces left out of the comparison.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

LETTERS = "abcdkmnpqrstuvwxyzABCDEFGHKLMNPQRSTXYZ"
GREEK = ["alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "pi", "sigma", "omega"]
RELATIONS = [("=", "="), ("<", "<"), (">", ">"), ("lt.eq", r"\leq"), ("gt.eq", r"\geq"),
             ("eq.not", r"\neq"), ("equiv", r"\equiv")]  # fmt: skip
OPERATORS = [
    ("+", "+"),
    ("-", "-"),
    ("dot.op", r"\cdot"),
    ("times", r"\times"),
    ("plus.minus", r"\pm"),
]
FUNCTIONS = ["sin", "cos", "tan", "ln"]

Triple = tuple[str, str, str]


def same(one: str) -> Triple:
    return (one, one, one)


numbers = st.integers(0, 999).map(lambda n: same(str(n)))
letters = st.sampled_from(LETTERS).map(same)
greeks = st.sampled_from(GREEK).map(lambda name: (name, f"\\{name} ", f"\\{name} "))
atoms = st.one_of(numbers, letters, greeks)


def join(parts: list[Triple], glue: Triple = (" ", " ", " ")) -> Triple:
    return tuple(glue[i].join(part[i] for part in parts) for i in range(3))


def fraction(above: Triple, below: Triple) -> Triple:
    return (
        f"frac({above[0]}, {below[0]})",
        f"\\frac{{{above[1]}}}{{{below[1]}}}",
        f"\\frac{{{above[2]}}}{{{below[2]}}}",
    )


def radical(inner: Triple) -> Triple:
    return (f"sqrt({inner[0]})", f"\\sqrt{{{inner[1]}}}", f"\\sqrt{{{inner[2]}}}")


def root(index: Triple, inner: Triple) -> Triple:
    return (
        f"root({index[0]}, {inner[0]})",
        f"\\sqrt[{index[1]}]{{{inner[1]}}}",
        f"\\sqrt[{index[2]}]{{{inner[2]}}}",
    )


def scripted(base: Triple, sub: Triple | None, sup: Triple | None) -> Triple:
    out = list(base)
    if sub:
        out = [f"{out[0]}_({sub[0]})", f"{out[1]}_{{{sub[1]}}}", f"{out[2]}_{{{sub[2]}}}"]
    if sup:
        out = [f"{out[0]}^({sup[0]})", f"{out[1]}^{{{sup[1]}}}", f"{out[2]}^{{{sup[2]}}}"]
    return tuple(out)


def bracketed(inner: Triple, shape: str) -> Triple:
    left, right = {"(": "()", "[": "[]", "|": "||", "{": "{}", "floor": "⌊⌋"}[shape]
    names = {"{": r"\{", "}": r"\}", "⌊": r"\lfloor ", "⌋": r"\rfloor "}
    close, open_ = names.get(right, right), names.get(left, left)
    typst = {
        "(": f"lr(({inner[0]}))", "[": f"lr([{inner[0]}])", "|": f"abs({inner[0]})",
        "{": f"lr({{{inner[0]}}})", "floor": f"floor({inner[0]})",
    }[shape]  # fmt: skip
    latex = f"\\left{open_}{inner[1]}\\right{close}"
    return (typst, latex, f"{open_}{inner[2]}{close}")


def operator(name: str, low: Triple, high: Triple, inner: Triple) -> Triple:
    typst = {"sum": "sum", "prod": "product"}[name]
    return (
        f"{typst}_({low[0]})^({high[0]}) {inner[0]}",
        f"\\{name}_{{{low[1]}}}^{{{high[1]}}} {inner[1]}",
        f"\\{name}_{{{low[2]}}}^{{{high[2]}}} {inner[2]}",
    )


def function(name: str, inner: Triple) -> Triple:
    return (f"{name} {inner[0]}", f"\\{name} {inner[1]}", f"\\{name} {inner[2]}")


def binomial(above: Triple, below: Triple) -> Triple:
    return (
        f"binom({above[0]}, {below[0]})",
        f"\\binom{{{above[1]}}}{{{below[1]}}}",
        f"\\binom{{{above[2]}}}{{{below[2]}}}",
    )


def chain(first: Triple, sign: tuple[str, str], second: Triple) -> Triple:
    return join([first, (sign[0], sign[1], sign[1]), second])


small = st.one_of(
    atoms,
    st.builds(lambda n, x: join([n, x]), st.integers(2, 9).map(lambda n: same(str(n))), letters),
    st.builds(lambda a, s, b: chain(a, s, b), letters, st.sampled_from(OPERATORS[:2]), numbers),
)
bases = st.one_of(letters, greeks)


def grow(inner: st.SearchStrategy[Triple]) -> st.SearchStrategy[Triple]:
    shapes = st.sampled_from(["(", "[", "|", "{", "floor"])
    return st.one_of(
        st.builds(fraction, inner, inner),
        st.builds(radical, inner),
        st.builds(root, st.integers(3, 9).map(lambda n: same(str(n))), inner),
        st.builds(scripted, bases, st.one_of(st.none(), small), st.one_of(st.none(), small)),
        st.builds(lambda x, p: scripted(bracketed(x, "("), None, p), inner, small),
        st.builds(bracketed, inner, shapes),
        st.builds(chain, inner, st.sampled_from(OPERATORS), inner),
        st.builds(function, st.sampled_from(FUNCTIONS), letters),
        st.builds(
            operator, st.sampled_from(["sum", "prod"]),
            st.builds(lambda k, n: chain(k, ("=", "="), n), st.sampled_from("ijk").map(same), numbers),
            small, inner,
        ),
        st.builds(binomial, small, small),
    )  # fmt: skip


terms = st.recursive(atoms, grow, max_leaves=5)
expressions = st.one_of(terms, st.builds(chain, terms, st.sampled_from(RELATIONS), terms))


def squeeze(text: str) -> str:
    """Return LaTeX-ish text with the spaces that mean nothing left out."""
    text = re.sub(r"(\\[A-Za-z]+)\s+(?=[A-Za-z])", r"\1\0", text)
    return re.sub(r"\s+", "", text).replace("\0", " ")
