"""Properties of the grader: reflexive, symmetric, blind to formatting, never fooled by what is near."""

import json
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distil.grading.equivalence import compare_answers
from distil.grading.extraction import extract_answer
from distil.grading.grading import judge, judge_all
from distil.grading.second_grader import agreement, second_verdict
from distil.notation.answers import canonical_answer, clean

ROOT = Path(__file__).resolve().parents[2]
# The machine that runs this may be busy: no deadline for an example.
properties = settings(deadline=None, max_examples=50)
integers = st.integers(-10_000, 10_000)
small = st.integers(2, 60)


@st.composite
def fractions(draw):
    value = Fraction(draw(integers), draw(st.integers(2, 500)))
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@st.composite
def radicals(draw):
    return rf"{draw(small)}\sqrt{{{draw(small)}}}"


@st.composite
def polynomials(draw):
    a, b, c = draw(small), draw(small), draw(small)
    return f"{a}x^2+{b}x-{c}"


numbers = st.one_of(integers.map(str), fractions(), radicals())


@st.composite
def tuples(draw):
    return f"({draw(numbers)}, {draw(numbers)})"


@st.composite
def intervals(draw):
    low = draw(integers)
    brackets = draw(st.sampled_from(["()", "[]", "(]", "[)"]))
    return f"{brackets[0]}{low}, {low + draw(small)}{brackets[1]}"


lists = st.lists(integers, min_size=2, max_size=5, unique=True).map(
    lambda items: ", ".join(map(str, items))
)
answers = st.one_of(numbers, polynomials(), tuples(), intervals(), lists)
anything = st.text(max_size=60) | st.text(
    alphabet=r"\{}()[]^_+-*/.,!|0123456789xepi fracsqrt", max_size=60
)


def same(gold, answer):
    return compare_answers(gold, answer).same


@properties
@given(answers)
def test_an_answer_equals_itself(answer):
    assert judge(answer, rf"\boxed{{{answer}}}").verdict == "right"


@properties
@given(answers, answers)
def test_equality_is_symmetric(first, second):
    assert same(first, second) == same(second, first)


@settings(max_examples=200, deadline=None)
@given(anything, anything)
def test_any_text_is_compared_without_raising_and_symmetrically(first, second):
    extract_answer(second)
    assert same(first, second) in {True, False, None}
    # An empty key is unknown and an empty answer wrong: there symmetry ends.
    if clean(first) and clean(second):
        assert same(first, second) == same(second, first)


@properties
@given(
    answers,
    st.sampled_from(
        [
            "{}", " {} ", "${}$", r"\({}\)", r"\[{}\]", "**{}**", r"\displaystyle {}", "{}.", r"\, {} \,",
            r"\mathbf{{{}}}", r"\left.{}\right.",
        ]
    ),
)  # fmt: skip
def test_formatting_does_not_change_the_verdict(answer, frame):
    assert same(answer, frame.format(answer)) is True


@properties
@given(answers)
def test_the_canonical_form_is_a_fixed_point_and_equal(answer):
    canonical = canonical_answer(answer)
    assert canonical_answer(canonical) == canonical
    assert same(answer, canonical) is True


@properties
@given(fractions(), st.integers(1, 12))
def test_a_decimal_equals_a_fraction_only_if_it_is_exact(fraction, places):
    value = Fraction(fraction.replace(r"\frac{", "").replace("}{", "/").replace("}", ""))
    rounded = Fraction(round(value * 10**places), 10**places)
    whole, part = divmod(abs(rounded.numerator) * 10**places // rounded.denominator, 10**places)
    decimal = f"{'-' if rounded < 0 else ''}{whole}.{part:0{places}d}"
    assert same(fraction, decimal) is (rounded == value)


@properties
@given(small.filter(lambda n: int(n**0.5) ** 2 != n), st.integers(1, 30))
def test_a_decimal_never_equals_a_root(radicand, places):
    decimal = str(
        Fraction(round(Fraction(radicand**0.5) * 10**places), 10**places).limit_denominator()
    )
    assert same(rf"\sqrt{{{radicand}}}", decimal) is False


@properties
@given(integers, integers)
def test_different_integers_are_different(first, second):
    assert same(str(first), str(second)) is (first == second)


@properties
@given(integers, small, small)
def test_a_scaled_fraction_is_the_same_fraction(top, bottom, factor):
    assert same(rf"\frac{{{top}}}{{{bottom}}}", f"{top * factor}/{bottom * factor}") is True


@properties
@given(small, small)
def test_a_root_equals_its_simplified_form(outside, inside):
    assert same(rf"{outside}\sqrt{{{inside}}}", rf"\sqrt{{{outside**2 * inside}}}") is True


@properties
@given(small, small)
def test_a_factored_polynomial_equals_its_expansion_and_no_other(a, b):
    expanded = f"x^2+{a + b}x+{a * b}"
    assert same(f"(x+{a})(x+{b})", expanded) is True
    assert same(f"(x+{a})(x+{b + 1})", expanded) is False


@properties
@given(st.permutations([1, -2, 5, 7]))
def test_lists_and_sets_have_no_order_but_tuples_have(order):
    text = ", ".join(map(str, order))
    assert same("1, -2, 5, 7", text) is True
    assert same(r"\{1, -2, 5, 7\}", rf"\{{{text}\}}") is True
    assert (same("(1, -2, 5, 7)", f"({text})") is True) == (list(order) == [1, -2, 5, 7])


OUTPUTS = st.sampled_from(
    [
        r"We get $\boxed{{{}}}$.", r"\[\boxed{{{}}}\]", "**Final Answer:** ${}$", "### Answer\n\n${}$\n",
        "<think>\nSay 3.\n</think>\n\nThe answer is ${}$.", "First \\boxed{{0.77}}, no: so $\\boxed{{{}}}$.",
        r"The final answer is \({}\). I hope it is correct.", "\\boxed{{{}}}<|im_end|>",
    ]
)  # fmt: skip


@properties
@given(answers, OUTPUTS)
def test_the_frame_of_an_output_does_not_change_the_verdict(answer, frame):
    assert judge(answer, frame.format(answer)).verdict == "right"


@properties
@given(
    numbers,
    st.sampled_from(
        [
            r"\ge {}", "> {}", r"\le {}", r"{} \text{{ or }} 0.77", r"\text{{not }} {}", r"{} \ne 0.77",
            r"x \to {}", "{}, 0.77", "({}, 0.77)", "{} = 0.77", "{} + 1", r"\text{{at least }} {}", "{}?",
            r"{} \text{{ or more}}", "[{}, 0.77]",
        ]
    ),
)  # fmt: skip
def test_a_number_inside_another_claim_is_not_the_number(number, claim):
    verdict = judge(number, rf"\boxed{{{claim.format(number)}}}")
    assert verdict.verdict != "right"
    assert judge(number, f"Answer: {claim.format(number)}").verdict != "right"


def test_an_unfinished_output_gives_no_answer():
    for output in (
        "<think>Answer: 5",
        r"\boxed{5",
        r"<think>x</think> \boxed{\frac{1}{2}",
        "",
        "3 + 2 = 5",
    ):
        assert extract_answer(output).answer is None
        assert judge("5", output).verdict == "wrong"


def test_an_answer_cut_at_the_token_limit_is_none():
    assert judge("12", "Answer: 12").verdict == "right"
    assert judge("12", "Answer: 12", cut=True).verdict == "wrong"
    assert judge("12", "Answer: 12\nThat", cut=True).verdict == "right"


ROOTS = [rf"\sqrt{{{n}}}" for n in range(2, 40)]
LONG = {
    "sets of sets": r"\{"
    + ",".join(r"\{" + ",".join(ROOTS[k:] + ROOTS[:k]) + r"\}" for k in range(9))
    + r"\}",
    "sum of roots": "+".join(ROOTS * 4),
    "root of a huge power": r"\sqrt[3]{2^{99999}}",
    "words": "a " * 1900,
    "thousands": "1" + ",000" * 900,
    "parentheses": "(" * 1900 + "1" + ")" * 1900,
    "nested sets": r"\{1," * 600 + "1" + r"\}" * 600,
    "continued fraction": r"\frac{1}{1+" * 200 + "1" + "}" * 200,
    "signs": r"\pm 1 " * 400,
    "chain": "1=" * 1900 + "1",
    "inequalities": r"x<1 \text{ or } " * 250 + "x<2",
    "unions": r"\cup".join(rf"(\sqrt{{{2 * k + 2}}},\sqrt{{{2 * k + 3}}})" for k in range(100)),
    "spaces": "1" + " " * 3900 + "x",
    "factorials": r"5000!\cdot" * 20 + "1",
    "binomials": r"\binom{20000}{1999}" * 40,
    "bars": "|x-" * 300 + "1" + "|" * 300,
    "boxes": r"\boxed{1}, " * 8000,
    "statements": "the answer is " * 6000 + "5",
    "stops": ". " * 50000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_answer_costs_little_in_this_process(name):
    start = time.process_time()
    for text in (LONG[name], rf"\boxed{{{LONG[name]}}}", f"Answer: {LONG[name]}"):
        answer = extract_answer(text).answer
        if answer is not None and len(answer) <= 4_000:
            for gold in ("2", r"\{2, 3\}", "x<2", LONG[name][:4_000] + "+1"):
                compare_answers(gold, answer)
    assert time.process_time() - start < 10


STRICT = [
    ("Give a fully reduced fraction.", r"\frac{1}{2}", r"\frac{2}{4}", "wrong"),
    ("Give a fully reduced fraction.", r"\frac{1}{2}", "0.5", "wrong"),
    ("Give a fully reduced fraction.", r"\frac{1}{2}", "1/2", "right"),
    ("Give a fully reduced fraction.", r"\frac{1}{2}", r"-\frac{-1}{2}", "right"),
    ("Answer in simplest radical form.", r"5\sqrt{2}", r"\sqrt{50}", "wrong"),
    ("Answer in simplest radical form.", r"5\sqrt{2}", r"5\sqrt{2}", "right"),
    ("Answer in simplest radical form.", r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", "wrong"),
    ("Express your answer as a mixed number.", r"1\frac{1}{2}", r"\frac{3}{2}", "wrong"),
    ("Express your answer as a decimal.", "0.25", r"\frac14", "wrong"),
    ("What percent is it? Express your answer as a percent.", r"25\%", "0.25", "wrong"),
    ("How many degrees are in the angle?", r"90^\circ", r"\frac{\pi}{2}", "wrong"),
    ("How many inches long is it?", r"36\text{ inches}", r"3\text{ feet}", "wrong"),
    ("Factor completely.", "(x+1)(x+2)", "x^2+3x+2", "wrong"),
    ("Expand the product.", "x^2+3x+2", "(x+1)(x+2)", "wrong"),
    ("Give your answer in scientific notation.", r"3\times 10^{5}", "300000", "wrong"),
    ("Give your answer in interval notation.", "[1,3)", r"1\le x<3", "wrong"),
    ("Find the ordered pair.", "(1, 2)", "1, 2", "wrong"),
    ("Round to the nearest hundredth.", "3.33", r"\frac{10}{3}", "wrong"),
    ("What is it in base 5?", "204_5", "204", "wrong"),
    ("Find x.", r"\frac{1}{2}", "0.5", "right"),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "gold", "answer", "strict"), STRICT)
def test_the_strict_verdict_keeps_the_form_asked_for(problem, gold, answer, strict):
    verdict = judge(gold, rf"\boxed{{{answer}}}", problem)
    assert (verdict.verdict, verdict.strict_verdict) == ("right", strict)


def test_a_rounded_key_accepts_a_better_value_only_when_rounding_was_asked():
    assert judge("3.33", r"\boxed{3.3333}").verdict == "wrong"
    assert judge("3.33", r"\boxed{3.3333}", "Round to the nearest hundredth.").verdict == "right"
    assert judge("3.33", r"\boxed{3.3}", "Round to the nearest hundredth.").verdict == "wrong"
    assert judge("3.33", r"\boxed{3.34}", "Round to the nearest hundredth.").verdict == "wrong"


def test_a_letter_and_the_value_of_its_option_are_the_same_when_options_are_known():
    problem = "What is 2+3?\n(A) 4\n(B) 5\n(C) 6"
    assert judge("B", "Answer: 5", problem).verdict == "right"
    assert judge("5", "Answer: B", problem).verdict == "right"
    assert judge("B", "Answer: 6", problem).verdict == "wrong"
    assert judge("B", "Answer: 5").verdict == "wrong"


def test_a_later_statement_that_disagrees_with_the_box_leaves_it_open():
    output = r"So $\boxed{5}$. Wait, that was wrong. The answer is 6."
    assert judge("5", output).verdict == "unknown"
    assert judge("6", output).verdict == "unknown"
    assert judge("7", output).verdict == "wrong"


def test_equal_pairs_share_a_verdict_and_order_is_kept():
    pairs = [("1", "Answer: 1"), ("2", "Answer: 1"), ("1", "Answer: 1"), ("1", "Answer: 2", None)]
    assert [v.verdict for v in judge_all(pairs)] == ["right", "wrong", "right", "wrong"]


def test_the_first_grader_needs_no_heavy_package_for_common_answers():
    code = (
        "import sys; from distil.grading.grading import judge; from distil.notation.answers import canonical_answer\n"
        r"assert judge('\\frac{3}{4}', 'Answer: 0.75').verdict == 'right'" + "\n"
        "print([m for m in ('sympy', 'math_verify', 'mpmath', 'pandas', 'pyarrow') if m in "
        "sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


KEYS = {
    "20√21": r"20\sqrt{21}", "3/4": r"\frac{3}{4}", "(8,23)": "(8, 23)", "2114five": "2114_{5}",
    "13,680": "13680", "¾b√a": r"\frac{3}{4}b\sqrt{a}", "-15/17 - 9/17 i": r"-\frac{15}{17}-\frac{9}{17}i",
    "e/(e-1)": r"\frac{e}{e-1}", "{2,3,7,8}": r"\{2, 3, 7, 8\}", "5 1/2": r"5\frac{1}{2}",
    "1/8 (Must be this fraction)": r"\frac{1}{8}", "NEVER": "NEVER", "  7 ": "7", "": "",
    "1 and -1/3": r"1 and -\frac{1}{3}", r"3\sqrt{2}": r"3\sqrt{2}", "−5": "-5", "2x + 5y": "2x+5y",
}  # fmt: skip


@pytest.mark.parametrize(("printed", "canonical"), KEYS.items())
def test_a_printed_key_becomes_canonical(printed, canonical):
    assert canonical_answer(printed) == canonical


def run_command(*arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "distil", "grade", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
    )


def test_the_command_prints_a_verdict_for_each_line(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"id": "a", "gold": r"\frac12", "output": "Answer: 0.5"},
        {"id": "b", "gold": "7", "output": r"\boxed{8}", "problem": "Find x."},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    done = run_command(path)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["verdict"], row["extracted"]) for row in printed] == [
        ("a", "right", "0.5"),
        ("b", "wrong", "8"),
    ]
    assert set(printed[0]) == {"id", "verdict", "reason", "extracted", "rule"}


def verdicts_of_command(rows):
    lines = [
        json.dumps(dict(zip(("gold", "output"), row, strict=True), id=str(n))) for n, row in rows
    ]
    done = run_command("-", stdin="\n".join(lines))
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["verdict"] for line in done.stdout.splitlines()]


IN_FORMULAS = {  # 2e-1 is a power of ten in plain text, and twice e less one in a formula
    ("0.2", "The answer is $2e-1$."): "wrong",
    ("0.2", r"The answer is \(2e-1\)"): "wrong",
    ("0.2", "The answer is $x = 2e-1$, as required."): "wrong",
    ("0.2", "The answer is x = $2e-1$."): "wrong",
    ("0.2", "so $2e-1$ is the answer"): "wrong",
    ("0.2", "<answer>$2e-1$</answer>"): "wrong",
    ("0.2", "$2e-1$"): "wrong",
    ("0.2", r"\boxed{0.2}. Hence the answer is $2e-1$."): "unknown",
    ("$2e-1$", "The answer is 0.2"): "wrong",
    (r"\(2e-1\)", "The answer is 0.2"): "wrong",
    ("$2e-1$", "The answer is $-1 + 2e$."): "right",
    ("0.2", "The answer is 2e-1."): "right",
    ("2e-1", "The answer is 0.2"): "right",
    ("$0.2$", "The answer is **2e-1**."): "right",
    ("0.0015", "The answer is $1.5e-3$."): "right",
    ("1e-5", "The answer is $10^{-5}$."): "right",
}  # fmt: skip


def test_a_number_with_an_e_in_a_formula_is_no_power_of_ten():
    assert verdicts_of_command(enumerate(IN_FORMULAS)) == list(IN_FORMULAS.values())


ADVERBS = {  # what stands between commas beside the verb is no part of the answer
    ("72", "The answer is, therefore, 72."): "right",
    ("72", "The answer, therefore, is 72"): "right",
    ("72", "The answer is, of course, **72**."): "right",
    ("72", r"Hence the answer is, as we have shown, \(72\)."): "right",
    ("72", "So 72 is, therefore, the answer."): "right",
    ("72", "We add them.\nTherefore the sum is, thus, 72."): "right",
    ("(B)", "The answer is, clearly, (B)."): "right",
    ("1, 2", "The answers are, then, 1 and 2."): "right",
    ("1, 2", "The answers are 1, 2."): "right",
    ("x, 72", "The answers are x, 72."): "right",
    ("72", "The answer is, of course, not 72."): "wrong",
    ("72", "The answer is, surprisingly not, 72."): "wrong",
    ("72", "The answer is, if n is odd, 72."): "wrong",
    ("72", "The answer is, therefore, 71."): "wrong",
    ("72", "The answer is not, therefore, 72."): "wrong",
}


def test_adverbs_between_commas_are_no_part_of_an_answer():
    assert verdicts_of_command(enumerate(ADVERBS)) == list(ADVERBS.values())


def test_the_command_keeps_the_order_over_groups_and_reads_standard_input():
    rows = [{"id": n, "gold": str(n), "output": f"Answer: {n - n % 3}"} for n in range(250)]
    rows[7]["output"] = "\ud800 \x00 \\boxed{7}"
    done = run_command("-", stdin="\n\n".join(map(json.dumps, rows)))
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in printed] == list(range(250))
    right = {row["id"] for row in printed if row["verdict"] == "right"}
    assert right == {n for n in range(250) if n % 3 == 0} | {7}


def test_the_command_without_pairs_or_file_says_so(tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n", encoding="utf-8")
    done = run_command(empty)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no pairs" in done.stderr
    for arguments in ((), (empty, empty), ("--fast",), (tmp_path / "absent.jsonl",), (tmp_path,)):
        done = run_command(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr
    assert run_command("--help").returncode == 0


def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path):
    path = tmp_path / "pairs.jsonl"
    line = json.dumps({"id": "a" * 2000, "gold": "1", "output": "Answer: 1"}) + "\n"
    path.write_text(line * 400, encoding="utf-8")
    done = subprocess.run(
        f"{sys.executable} -m distil grade {path} | head -n 1",
        cwd=ROOT,
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["verdict"] == "right"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"), ("\ufeff", "line 2"), ('{"id": null, "gold": "3", "output": "3"}', "id"),
        ("{",  "not JSON"), ("[1]", "line 2"), ('{"id": "b", "gold": 3, "output": "x"}', "gold"),
        ('{"id": "b", "gold": "3"}', "output"), ('{"id":"b","gold":"3","output":"3","problem":1}', "problem"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_with_its_file(tmp_path, line, said):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"id": "a", "gold": "1", "output": "1"}\n' + line + "\n", encoding="utf-8")
    done = run_command(path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "pairs.jsonl, line 2" in done.stderr


def test_the_second_grader_is_stricter_and_knows_rationals():
    assert second_verdict(r"\frac{1}{2}", "Answer: 0.5") == "right"
    assert second_verdict(r"\frac{1}{2}", r"\boxed{\dfrac{1}{2}}") == "right"
    assert second_verdict(r"2\sqrt{2}", r"Answer: \sqrt{8}") == "wrong"
    assert second_verdict("5", "<think>Answer: 5") == "wrong"
    assert second_verdict("5", "3 + 2 = 5") == "wrong"


def test_agreement_matches_a_worked_example_of_kappa():
    # Two readers of 50 grants, 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: kappa is 0.4.
    first = ["right"] * 25 + ["wrong"] * 25
    second = ["right"] * 20 + ["wrong"] * 5 + ["right"] * 10 + ["wrong"] * 15
    table = agreement(first, second)
    assert table["n"] == 50
    assert table["agreed"] == pytest.approx(0.7)
    assert table["kappa"] == pytest.approx(0.4)
    assert table["right/wrong"] == 5
    with pytest.raises(ValueError, match="at least one"):
        agreement([], [])
