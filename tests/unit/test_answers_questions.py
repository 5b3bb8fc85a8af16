"""What a question changes: units, percent, variables, the formula asked for; keys and rewards."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from distil.grading.grading import judge, judge_all
from distil.grading.instructions import asked
from distil.grading.rewards import compute_score, correctness_reward

ROOT = Path(__file__).resolve().parents[2]

VERDICTS = [
    ("5", r"5\text{ mm}", "Find the width in cm.", "wrong"),
    ("5", r"5\text{ mm}", "", "right"),
    ("5", r"50\text{ mm}", "Find the width in cm.", "right"),
    ("5", r"5\text{ kg}", "How many apples are left?", "unknown"),
    ("0.25", r"0.25\%", "What is the probability?", "wrong"),
    ("25", r"25\%", "What percent is it?", "right"),
    (r"\frac{5}{2} m", r"\frac52", "Express k in terms of m.", "wrong"),
    (r"\frac{5}{2} m", r"\frac52", "How long is the rod?", "right"),
    ("5", "2x=5", "Solve 4x = 10.", "unknown"),
    ("5", "x+y=5", "Find x + y.", "right"),
    (r"2\sqrt3", "3.46", "Round to two decimal places.", "right"),
    (r"2\sqrt3", "3.5", "Round to two decimal places.", "wrong"),
    ("x^2+C", "x^2+K", "Integrate.", "right"),
    ("6k+1", "6n+7", "Find all, k an integer.", "right"),
    ("6k+1", "6n+7", "Express it in terms of n and k.", "wrong"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer", "problem", "verdict"), VERDICTS)
def test_the_question_decides(gold, answer, problem, verdict):
    assert judge(gold, rf"\boxed{{{answer}}}", problem).verdict == verdict


PURE = [  # questions for a count or a pure number
    "Find the number of solutions of $x^2 = 1$.",
    "Determine the largest possible number of regions.",
    "What is the sum of the digits of 2021?",
    "Find the product of the roots of $x^2 - 6x + 5 = 0$.",
    "What is the remainder when 47 is divided by 6?",
    "Find the smallest positive integer n such that n! > 100.",
    "What is the largest prime factor of 25?",
    "What is the coefficient of $x^2$?",
    "Find $x$ if $2x = 10$.",
    "If 2x = 10, what is x?",
    "Find the value of x where 2x = 10.",
    "Solve $2x = 10$.",
    r"What is the value of \(f(2)\)?",
    "If $x + y = 4$, what is the maximum value of $xy$?",
    "Compute 2+3.",
]
UNITS = [r"5\text{ kg}", r"5\text{ hours}", r"\$5", r"5^\circ", r"5\text{ cm}", "5 m", r"5^\circ C"]


@pytest.mark.parametrize("problem", PURE)
def test_a_unit_on_a_pure_number_leaves_the_verdict_open(problem):
    rows = [("5", rf"\boxed{{{answer}}}", problem) for answer in UNITS]
    assert {verdict.verdict for verdict in judge_all(rows)} == {"unknown"}


MEASURED = [  # what is counted, and units of which the question speaks
    (r"5\text{ solutions}", "Find the number of solutions."),
    (r"5\text{ ways}", "Find the number of ways."),
    (r"5\text{ pairs}", "Find the number of ordered pairs."),
    (r"5\text{ digits}", "What is the sum of the digits?"),
    (r"5\text{ units}", "Find $x$."),
    (r"5\text{ hours}", "Find the number of whole hours."),
    (r"5\text{ cm}", "A side is $x$ cm. Find $x$."),
    (r"5\text{ cm}^2", "What is the value of the area?"),
    (r"5^\circ", r"The angle is $x^\circ$. Find $x$."),
    (r"5^\circ", r"If $\sin x = \cos 85^\circ$, find $x$."),
    (r"\$5", r"Two cost \$10. Find the cost $x$ of one."),
    (r"5\text{ hours}", "A train takes $t$ hours. Find $t$."),
    (r"5\text{ mph}", "What is the speed $v$? Find $v$."),
    (r"5\text{ apples}", "Find $x$ if $2x = 10$."),
    (r"5^\circ", "Find the value of x."),
    (r"5\text{ kg}", ""),
    (r"5^\circ C", "What is the temperature in degrees Celsius?"),
]


@pytest.mark.parametrize(("answer", "problem"), MEASURED)
def test_a_unit_of_which_the_question_speaks_is_right(answer, problem):
    assert judge("5", rf"\boxed{{{answer}}}", problem).verdict == "right"


def test_what_a_question_asks_for_is_read():
    found = asked("Let $m$ be the mass. How many square inches is the area, in terms of m?")
    assert [unit.name for unit in found.units] == ["square inches"]
    assert "m" in found.variables
    assert asked("Find the value of $x+y$ if $x=2$.").expressions == {"x+y"}
    assert asked("Round to the nearest hundredth.").places == 2
    assert asked("") == asked("")


def test_any_of_several_keys_is_right_and_a_tolerance_is_relative():
    assert judge(["7", "8"], "Answer: 8").verdict == "right"
    assert judge(["7", ""], "Answer: 8").verdict == "unknown"
    assert judge(["7", "9"], "Answer: 8").verdict == "wrong"
    assert judge("3.14", "Answer: 3.15").verdict == "wrong"
    assert judge("3.14", "Answer: 3.15", tolerance=0.01).verdict == "right"
    assert judge("3.14", "Answer: 3.18", tolerance=0.01).verdict == "wrong"
    assert judge("1, 2", "Answer: 1, 2.001", tolerance=0.01).verdict == "right"


def test_rewards_have_the_signatures_of_trainers():
    completions = [r"\boxed{7}", [{"role": "assistant", "content": "Answer: 8"}], r"\boxed{5"]
    assert correctness_reward(completions, ["7", ["9", "8"], "5"]) == [1.0, 1.0, 0.0]
    assert correctness_reward(completions=completions, prompts=["a"] * 3, answer=["7", "9", "5"]) == [
        1.0, 0.0, 0.0,
    ]  # fmt: skip
    assert correctness_reward([r"\boxed{7}"], [""], unknown=None) == [None]
    assert correctness_reward([r"\boxed{2x=5}"], ["5"], problem=["Find 2x."]) == [1.0]
    with pytest.raises(ValueError, match="no keys"):
        correctness_reward(completions)
    with pytest.raises(ValueError, match="each of the 3"):
        correctness_reward(completions, ["7"])
    assert compute_score("math", r"\boxed{7}", "7", {"problem": "Find x."}) == 1.0
    assert compute_score("math", r"\boxed{7}", "8") == 0.0


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in {"mlx", "mlx_lm", "snakemake", "cv2", "pandas", "pyarrow", "yaml", "numpy"}:
            raise ImportError(f"blocked: {name}")
sys.meta_path.insert(0, Blocker())
"""


def test_grading_needs_neither_the_student_nor_the_workflow(tmp_path):
    code = BLOCKER + (
        "from distil.grading.grading import judge\n"
        "from distil.grading.rewards import correctness_reward\n"
        r"assert judge('45', r'\boxed{\sum_{k=1}^{9} k}').rule == 'math-verify'" + "\n"
        "assert correctness_reward(['Answer: 7'], ['7']) == [1.0]\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300)
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"id": 1, "gold": "7", "output": "Answer: 7"}\n', encoding="utf-8")
    code = (
        BLOCKER
        + f"sys.argv = ['distil', 'grade', {str(pairs)!r}]\nfrom distil.__main__ import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout)["verdict"] == "right", done.stderr


def test_the_command_takes_limits_keys_and_a_tolerance(tmp_path):
    rows = [
        {"id": 1, "gold": ["7", "8"], "output": "Answer: 8"},
        {"id": 2, "gold": "3.14", "output": "Answer: 3.15"},
        {
            "id": 3,
            "gold": r"\frac12",
            "output": "Answer: 0.5",
            "problem": "Give a reduced fraction.",
        },
        {"id": 4, "gold": "7", "output": "Answer: 7", "cut": True},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    def grade(*options):
        command = [sys.executable, "-m", "distil", "grade", str(path), *options]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = grade("--strict", "--tolerance", "0.01", "--workers", "1", "--cpu-seconds", "2")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["verdict"] for row in printed] == ["right", "right", "right", "wrong"]
    assert [row["strict_verdict"] for row in printed] == ["right", "right", "wrong", "wrong"]
    assert [json.loads(line)["verdict"] for line in grade().stdout.splitlines()][1] == "wrong"
    for wrong in (("--workers", "0"), ("--tolerance", "2"), ("--cpu-seconds", "0")):
        done = grade(*wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert wrong[0] in done.stderr
    path.write_text('{"id": 1, "gold": ["7", 8], "output": "x"}\n', encoding="utf-8")
    assert "field gold" in grade().stderr


def test_a_verdict_does_not_depend_on_its_neighbours():
    pairs = [("5", r"\boxed{2x=5}", problem) for problem in (None, "Find 2x.", "Find x.")]
    together = [verdict.verdict for verdict in judge_all(pairs)]
    assert together == [judge(*pair).verdict for pair in pairs] == ["unknown", "right", "unknown"]
