"""Steps from mark-up to plain text: each rule with what it changes and what it must leave alone."""

import pytest

from distil.grading.plain import Plain, plain, split_list
from distil.notation.answers import RULES, clean, without_emphasis

# Name of the rule: (example, what comes out), (counter-example, what comes out).
CASES = {
    "line break at the end": ((r"3 \\", "3"), (r"a \\ b", r"a \\ b")),
    "bracket left out": ((r"\left.5\right|", "5|"), (r"\left(5\right)", "(5)")),
    "size and place": ((r"\displaystyle \big(5\big)", "(5)"), (r"a \leftarrow b", r"a \leftarrow b")),
    "struck out": ((r"\cancel{5} 6", "6"), (r"\cancel 5", r"\cancel 5")),
    "colour": ((r"\color{red} 5", "5"), (r"{\color{red}}", r"{\color{red}}")),
    "style": ((r"\mathbf{v}", "{v}"), (r"\mathbb{R}", r"\mathbb{R}")),
    "upright letters": ((r"\mathrm{cm}", r"\text{cm}"), (r"\rm e", r"\rm e")),
    "fraction": ((r"\dfrac{1}{2}", r"\frac{1}{2}"), (r"\dfraction{1}", r"\dfraction{1}")),
    "over": ((r"{5 \over 9}", r"\frac{5 }{ 9}"), (r"{a \overline b}", r"{a \overline b}")),
    "figure": ((r"\overline{AB}", "AB"), (r"\overline{z}", r"\overline{z}")),
    "rate": (
        (r"\frac{\text{miles}}{\text{hour}}", r"\text{miles per hour}"),
        (r"\frac{\text{a}}{2}", r"\frac{\text{a}}{2}"),
    ),
    "selections": ((r"{}_{10}C_3", r"\binom{10}{3}"), (r"x_{10}C_3", r"x_{10}C_3")),
    "ratio sign": (("a{:}b", "a:b"), ("a : b", "a : b")),
    "lines": (
        (r"\begin{cases}1\end{cases}", r"\begin{lines}1\end{lines}"),
        (r"\begin{pmatrix}1\end{pmatrix}", r"\begin{pmatrix}1\end{pmatrix}"),
    ),
    "turned brackets": (("]0,1[", "(0,1)"), ("[0,1]", "[0,1]")),
    "names": ((r"x \leq 2", r"x \le 2"), (r"x \leqq 2", r"x \leqq 2")),
    "x for times": (("3 x 10^3", r"3\times 10^3"), ("4 x, 2x3", "4 x, 2x3")),
    "thousands set in TeX": ((r"13{,}680", "13680"), (r"12{,}34", "12.34")),
    "Swiss thousands": (("13'680", "13680"), ("f'123", "f'123")),
    "decimal comma": ((r"3{,}5", "3.5"), ("3,5", "3,5")),
    "space": ((r"3\,\text{cm}~a", r"3 \text{cm} a"), (r"\quadratic", r"\quadratic")),
    "run of spaces": (("a   b", "a b"), ("a b", "a b")),
}  # fmt: skip


def test_every_rule_has_its_case():
    assert list(CASES) == [rule.name for rule in RULES]


@pytest.mark.parametrize("name", CASES)
def test_a_rule_changes_its_example_and_leaves_its_counter_example(name):
    for raw, expected in CASES[name]:
        assert clean(raw) == expected
    rule = next(rule for rule in RULES if rule.name == name)
    assert rule.sign in CASES[name][0][0]
    assert rule.pattern.search(CASES[name][0][0])


def test_two_stars_are_bold_around_a_whole_and_a_power_between_operands():
    for raw, expected in {
        "**12**": "12", "2**3": "2**3", "5**a**2": "5**a**2", "**5**7": "**5**7", "12**": "12",
        "is **12** apples": "is 12 apples", "**a** and **b**": "a and b", "(2)**(3)": "(2)**(3)",
    }.items():  # fmt: skip
        assert without_emphasis(raw) == expected


def test_upright_letters_are_remembered_in_every_piece():
    text = plain(r"5\text{ cm}, 6\,\mathrm{kg} \text{ or } x")
    assert text.text == "5 cm, 6 kg or x"
    assert [text.text[slice(*span)] for span in text.spans] == ["cm", "kg", "or"]
    parts, how = split_list(text)
    assert how == "or"
    assert parts == [Plain("5 cm", ((2, 4),)), Plain("6 kg", ((2, 4),)), Plain("x")]
    assert plain("5 m") != plain(r"5\text{ m}")
