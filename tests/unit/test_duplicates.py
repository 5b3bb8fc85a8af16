import time  # noqa: I001

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distil.datasets.duplicates import KINDS, assign_pairs, find_pairs, group, similar_pairs
from distil.notation.normal import mask_numbers, normal_form, numbers_of, problem_text


SAME = [
    (r"Find x^{2} + \frac{3}{4} if \sqrt{x} = 5.", "find x² + 3/4 if √x = 5"),
    (r"Find $x^2+\dfrac{3}{4}$, if $\sqrt x=5$", r"Find \(x^2 + \tfrac34\) if \[\sqrt{x}=5\]"),
    (r"\frac{x+1}{2y}", "(x+1)/(2y)"),
    (r"2^{-1}", "2⁻¹"),
    ("2^-1", "2⁻¹"),
    (r"a_{n+1} \le 3", "aₙ₊₁ ≤ 3"),
    (r"a_{12} >= 1{,}000", "a₁₂ ≥ 1,000"),
    (r"\left( x \right) \cdot y", "x · y"),
    (r"an angle of 30^{\circ}", "an angle of 30°"),
    (r"\angle ABC = \pi", "∠ABC = π"),
    (r"\triangle ABC", "ΔABC"),
    (r"\text{Find } \overline{AB}", "Find AB̅"),
    (r"2\frac{3}{4}", "2¾"),
    ("a price of $5.10", r"A price of \$5.1."),
    ("roll three dice; add .5", "Roll 3 dice, add 0.50"),
    ("50 percent of “it”", '50% of "it"'),
    ("a well-known set {1, 2}", r"A well known set \{1,2\}"),
    ("ﬁnd\u00a0the  area", "find the area"),
    ("x − y", "x - y"),
    ("What luck!", "what luck"),
]
DIFFERENT = [
    ("2(x+3)", "2x+3"),
    ("x^2", "x_2"),
    ("5!", "5"),
    ("x - 3", "x + 3"),
    ("1/2", "12"),
    ("x^{10}", "x^1 0"),
    ("Find the area of a 3 by 4 table.", "Find the area of a 4 by 3 table."),
    ("0.5", "5"),
    ("x < 3", "x ≤ 3"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_typing_does_not_hide_a_duplicate(first, second):
    assert normal_form(first) == normal_form(second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_different_mathematics_stays_different(first, second):
    assert normal_form(first) != normal_form(second)


@given(st.text(max_size=200))
def test_any_text_has_a_normal_form_and_dressing_it_changes_nothing(text):
    form = normal_form(text)
    assert len(mask_numbers(form)) == len(form)
    assert all(piece and piece == piece.strip() for piece in form)
    assert normal_form(f"  {text} \n") == form


SETS = st.lists(st.frozensets(st.integers(0, 12), max_size=8), max_size=25)


@given(SETS, st.sampled_from([0.3, 0.5, 0.7, 0.8, 1.0]))
def test_the_join_finds_exactly_the_pairs_that_comparing_all_finds(sets, threshold):
    expected = {
        (i, j)
        for j in range(len(sets))
        for i in range(j)
        if sets[i] | sets[j] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold
    }
    assert {(i, j) for i, j, _ in similar_pairs(sets, threshold)} == expected


def kinds(texts, **kwargs):
    return {(pair.kind, pair.a, pair.b) for pair in find_pairs(texts, **kwargs)}


def test_equal_numbers_make_a_duplicate_and_other_numbers_a_template():
    texts = {
        "a": "A train travels 120 miles in 3 hours. Find its average speed in miles per hour.",
        "b": "a train travels $120$ miles in three hours; find its average speed in miles per hour",
        "c": "A train travels 200 miles in 4 hours. Find its average speed in miles per hour.",
        "d": "A train covers 200 miles in 4 hours. Find its average speed in miles per hour.",
        "e": "How many primes lie between 10 and 100?",
    }
    assert kinds(texts) == {
        ("duplicate", "a", "b"),
        ("near", "c", "d"),
        ("template", "a", "c"),
    }


def test_options_are_part_of_the_question():
    stem = {"statement": "Which of these is true?", "options": []}
    first = {**stem, "options": [{"label": "A", "text": "2 is odd"}]}
    second = {**stem, "options": [{"label": "A", "text": "2 is even"}]}
    assert normal_form(problem_text(first)) != normal_form(problem_text(second))


def test_scores_are_shares_of_common_word_pairs():
    [pair] = find_pairs({"a": "one two three cat dog", "b": "one two three cat cow"}, 0.3)
    # of 8 pairs of neighbours (edges included) 4 are common
    assert (pair.kind, pair.score) == ("near", 0.5)


def test_questions_without_text_are_not_duplicates_of_each_other():
    assert find_pairs({"a": "", "b": " . ", "c": "$$"}) == []


def test_a_threshold_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="threshold"):
        find_pairs({"a": "x"}, 0)


# Few texts, so that equal ones, near ones and templates are common.
POOL = [
    "",
    "find x",
    "Find $x$.",
    "find the sum of 2 and 3",
    "find the sum of 3 and 2",
    "find the sum of 2 and 4",
    "find the total sum of 2 and 3",
    "what is the value of the product of 7 and 8 in base nine",
    "what is the value of the product of 7 and 8 in base 9 ?",
    "what is the value of the product of 7 and 8 in base 5",
    "so what is the value of the product of 7 and 8 in base 5",
]
TEXTS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3), st.sampled_from(POOL), max_size=14
)


@given(TEXTS, st.randoms())
def test_pairs_and_groups_do_not_depend_on_the_order_of_the_problems(texts, random):
    keys = list(texts)
    random.shuffle(keys)
    assert find_pairs({key: texts[key] for key in keys}) == find_pairs(texts)


@given(TEXTS)
def test_questions_of_equal_form_share_a_cluster_and_it_is_named_by_its_smallest_id(texts):
    clusters = group(texts, find_pairs(texts), KINDS)
    for first in texts:
        assert clusters[first] <= first
        assert clusters[clusters[first]] == clusters[first]
        for second in texts:
            if normal_form(texts[first]) == normal_form(texts[second]) != ():
                assert clusters[first] == clusters[second]


PARTS = st.sampled_from(["train", "validation", "test", "benchmark"])


@given(TEXTS, st.data())
def test_after_the_removal_no_question_stands_in_two_parts(texts, data):
    parts = {key: data.draw(PARTS) for key in texts}
    rows = assign_pairs(find_pairs(texts), parts)
    removed = {row["removed"] for row in rows if row["removed"]}
    assert all(parts[key] in ("train", "validation") for key in removed)
    for row in rows:
        if row["removed"]:
            assert row["removed"] == row["a"] != row["b"]
            assert row["a_part"] != row["b_part"]
    kept = [key for key in texts if key not in removed and normal_form(texts[key])]
    left = find_pairs({key: texts[key] for key in kept})
    for pair in left:
        sides = {parts[pair.a], parts[pair.b]}
        if pair.kind != "template" and len(sides) > 1:
            assert sides == {"test", "benchmark"}


@pytest.mark.parametrize(
    ("homes", "removed"),
    [
        (("train", "train"), None),
        (("train", "validation"), "p"),
        (("train", "test"), "p"),
        (("validation", "test"), "p"),
        (("validation", "benchmark"), "p"),
        (("test", "validation"), "q"),
        (("benchmark", "train"), "q"),
        (("test", "benchmark"), None),
        (("test", "test"), None),
    ],
)
@pytest.mark.parametrize("other", ["find the sum of 2 and 3 now", "so find the sum of 2 and 3 now"])
def test_the_end_nearer_to_training_leaves(homes, removed, other):
    pairs = find_pairs({"p": "Find the sum of 2 and 3 now!", "q": other})
    [row] = assign_pairs(pairs, dict(zip("pq", homes, strict=True)))
    assert (row["removed"], row["action"]) == (removed, "removed" if removed else "listed")


def test_of_three_equal_questions_the_one_furthest_from_training_stays():
    texts = dict.fromkeys("abc", "Find 2 plus 3.")
    rows = assign_pairs(find_pairs(texts), {"a": "validation", "b": "test", "c": "train"})
    assert [(row["removed"], row["b"]) for row in rows] == [("a", "b"), ("c", "b")]


def test_only_the_kinds_asked_for_are_removed():
    texts = {"a": "Find 2 plus 3.", "b": "Find 4 plus 5."}
    parts = {"a": "train", "b": "test"}
    assert [row["action"] for row in assign_pairs(find_pairs(texts), parts)] == ["listed"]
    [row] = assign_pairs(find_pairs(texts), parts, remove=["template"])
    assert row["removed"] == "a"


@given(TEXTS, st.data())
def test_a_question_leaves_its_part_only_for_an_equal_or_nearly_equal_one(texts, data):
    parts = {key: data.draw(PARTS) for key in texts}
    for row in assign_pairs(find_pairs(texts), parts):
        if row["removed"]:
            numbers = [sorted(numbers_of(normal_form(texts[row[end]]))) for end in ("a", "b")]
            assert numbers[0] == numbers[1]


def template_problems(count):
    wordings = [
        "{name} buys {a} pens at {b} cents each. Find the total price in cents.",
        "Find the sum of the first {a} terms of the sequence that begins with {b}.",
        "A rectangle has sides {a} and {b}. Find the square of its diagonal.",
        "If 3x + {a} = {b}, what is x?",
    ]
    names = ["Ann", "Bob", "Cem", "Dee", "Eva", "Fay"]
    return {
        f"p{i:05}": wordings[i % 4].format(name=names[i % 6], a=i // 4 + 2, b=(i * 7919) % 9973)
        for i in range(count)
    }


def test_thousands_of_problems_from_few_templates_cost_little_and_list_few_rows():
    small, large = template_problems(1000), template_problems(4000)
    started = time.process_time()
    find_pairs(small)
    middle = time.process_time()
    pairs = find_pairs(large)
    ended = time.process_time()
    assert len(pairs) < len(large)
    # Quadratic growth would be a factor of 16.
    assert ended - middle < 10 * (middle - started)


# Expressions, and the ways in which a contest, a scan and a transcription write them.
LEAVES = st.sampled_from(["x", "y", "n", "k"]) | st.integers(0, 99).map(str)
EXPRESSIONS = st.recursive(
    LEAVES.map(lambda leaf: ("leaf", leaf)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "le", "times", "fraction"]), inner, inner),
        st.tuples(st.sampled_from(["root", "brackets"]), inner),
        st.tuples(st.just("power"), st.sampled_from(["x", "y"]), st.integers(2, 99)),
    ),
    max_leaves=6,
)
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def latex(node, fraction="frac"):
    match node:
        case ("leaf", leaf):
            return leaf
        case ("power", base, exponent):
            return f"{base}^{{{exponent}}}"
        case ("root", inner):
            return rf"\sqrt{{{latex(inner, fraction)}}}"
        case ("brackets", inner):
            return rf"\left({latex(inner, fraction)}\right)"
        case ("fraction", top, bottom):
            return rf"\{fraction}{{{latex(top, fraction)}}}{{{latex(bottom, fraction)}}}"
        case (sign, left, right):
            command = {"le": r"\leq", "times": r"\cdot"}.get(sign, sign)
            return f"{latex(left, fraction)} {command} {latex(right, fraction)}"


def typed(node, unicode):
    match node:
        case ("leaf", leaf):
            return leaf
        case ("power", base, exponent):
            return base + (str(exponent).translate(RAISED) if unicode else f"^{exponent}")
        case ("root", inner):
            return f"{'√' if unicode else 'sqrt'}({typed(inner, unicode)})"
        case ("brackets", inner):
            return f"({typed(inner, unicode)})"
        case ("fraction", top, bottom):
            return f"({typed(top, unicode)})/({typed(bottom, unicode)})"
        case (sign, left, right):
            names = {"le": "≤", "times": "·"} if unicode else {"le": "<=", "times": "*"}
            return f"{typed(left, unicode)} {names.get(sign, sign)} {typed(right, unicode)}"


@given(EXPRESSIONS)
def test_an_expression_has_one_form_in_latex_in_unicode_and_in_plain_text(node):
    expected = normal_form(f"Find ${latex(node)}$.")
    assert normal_form(rf"find \({latex(node, 'dfrac')}\)") == expected
    assert normal_form(f"Find {typed(node, unicode=True)}") == expected
    assert normal_form(f"FIND {typed(node, unicode=False)}?") == expected


@given(EXPRESSIONS, EXPRESSIONS)
def test_expressions_of_one_form_hold_the_same_numbers_and_letters(first, second):
    forms = [normal_form(latex(node)) for node in (first, second)]
    if forms[0] == forms[1]:
        leaves = [sorted("".join(c if c.isalnum() else " " for c in typed(n, False)).split())
                  for n in (first, second)]  # fmt: skip
        assert leaves[0] == leaves[1]
