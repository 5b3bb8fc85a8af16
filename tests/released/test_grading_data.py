"""The grader against the hard pairs, the hostile outputs, MATH-500 and the release's keys."""

import csv
import json
import os
import re
import time
from pathlib import Path

import pytest

from distil.grading.grading import judge, judge_all
from distil.notation.answers import canonical_answer

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
# On a machine that others use too, wall time says little.
BUSY = os.getloadavg()[0] > (os.cpu_count() or 1)
VERDICTS = {"right", "wrong", "unknown"}


def rows_of(path):
    if not path.exists():
        pytest.skip(f"{path.name} is not here: it lies outside the repository")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def math_500():
    return rows_of(DATA / "math500" / "test.jsonl")


def release_keys():
    folder = DATA / "jobmc-release" / "datafile"
    if not folder.exists():
        pytest.skip("the release is not here: it lies outside the repository")
    keys = set()
    for path in sorted(folder.glob("*.json")):
        for section in json.loads(path.read_text(encoding="utf-8")).values():
            keys |= {str(item["answer"]) for item in section.values() if item.get("answer")}
    return sorted(keys)


def mutants(gold):
    """The key changed slightly, so that it says something else."""
    for place, character in enumerate(gold):
        rest = gold[place + 1 :]
        if character.isdigit():
            yield gold[:place] + str((int(character) + 1) % 10) + rest
            if character != "0":
                yield gold[:place] + character + "7" + rest
        elif character == "+":
            yield gold[:place] + "-" + rest
        elif character == "-":
            yield gold[:place] + "+" + rest
        elif character == "x":
            yield gold[:place] + "y" + rest
    if re.fullmatch(r"[\d.]+", gold) and gold.strip("0."):
        yield f"-{gold}"
        yield f"{gold}\\pi"
        yield f"\\sqrt{{{gold}}}" if gold != "1" else "\\sqrt{2}"
    if "\\frac" in gold:
        yield gold.replace("\\frac", "1+\\frac", 1)
    if gold.startswith("(") and gold.endswith(")"):
        yield f"[{gold[1:-1]}]"
        yield f"\\{{{gold[1:-1]}\\}}"
    yield f"{gold}, 17"
    yield "\\text{none}"


def claims(gold):
    """The key inside a claim that is another: a bound, a choice, a denial, a limit, an equation."""
    yield from (rf"\ge {gold}", f"< {gold}", rf"{gold} \text{{ or }} 17", rf"\text{{not }} {gold}")
    yield from (rf"{gold} \ne 17", rf"x \to {gold}", f"({gold}, 17)", f"{gold} = 17.5")


def neighbours(gold):
    """Numbers, fractions, pairs and lists near the key: slips, roundings, what is left out."""
    if re.fullmatch(r"-?\d*\.?\d+", gold):
        value = float(gold)
        if value:
            yield from (f"{gold}i", rf"\pm {gold}", f"2({gold})", str(value * 1.001))
        if value not in {-1, 0, 1}:
            yield from (f"({gold})^2", rf"\frac{{1}}{{{gold}}}")
        if gold.isdigit():
            yield from (f"{gold}.5", f"{gold}0" if value else "1", f"{gold}!" if value > 2 else "9")
            yield rf"{gold}_{{8}}" if value >= 8 else "9_{10}"
        if gold.isdigit() and len(gold) > 1:
            yield gold[:-1]
            if gold[-1] != gold[-2]:
                yield gold[:-2] + gold[-1] + gold[-2]
    fraction = re.fullmatch(r"(-?)(?:\\[dt]?frac\{(\d+)\}\{(\d+)\}|(\d+)/(\d+))", gold)
    if fraction:
        top, bottom = (int(group) for group in fraction.groups()[1:] if group)
        yield from (rf"{fraction[1]}\frac{{{bottom}}}{{{top}}}", f"{fraction[1]}{top}")
        for places in (2, 3, 4, 6):
            if round(top / bottom, places) * bottom != top:
                yield f"{fraction[1]}{round(top / bottom, places)}"
    pair = re.fullmatch(r"\(([^,()]+),([^,()]+)\)", gold)
    if pair and pair[1].strip() != pair[2].strip():
        yield from (f"({pair[2]},{pair[1]})", pair[1])
    if re.fullmatch(r"[^()\[\]\\]+(?:,\s+[^()\[\]\\]+)+", gold):
        yield gold.rsplit(",", 1)[0]
    for sign, other in (("\\sqrt", ""), ("√", ""), ("\\pi", "3.14"), ("π", "3.14")):
        if sign in gold:
            yield gold.replace(sign, other, 1)


def accepted_mutants(keys):
    pairs = [
        (key, rf"\boxed{{{mutant}}}")
        for key in dict.fromkeys(keys)
        for change in (mutants, claims, neighbours)
        for mutant in change(key)
    ]
    verdicts = judge_all(pairs, workers=2)
    wrong = [
        pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict.verdict == "right"
    ]
    return len(pairs), wrong


def test_hard_pairs_get_the_verdict_of_mathematics():
    rows = rows_of(DATA / "grading" / "tricky.jsonl")
    verdicts = judge_all([(row["gold"], row["output"], row["problem"]) for row in rows], workers=2)
    said = [verdict.verdict == "right" for verdict in verdicts]
    expected = [row["expected"] for row in rows]
    agreed = sum(a == b for a, b in zip(said, expected, strict=True)) / len(rows)
    false_positives = sum(a and not b for a, b in zip(said, expected, strict=True))
    assert agreed >= 0.99
    assert false_positives <= 1


def test_hostile_outputs_are_graded_in_time_without_side_effects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Starting a worker takes as long as the machine is busy; grading takes its CPU time.
    judge("45", r"\boxed{\sum_{k=1}^{9} k}")
    for row in rows_of(DATA / "grading" / "hostile.jsonl"):
        wall, cpu = time.monotonic(), time.process_time()
        verdict = judge(row["gold"], row["output"])
        # A worker is ended after 4 more seconds of CPU time.
        assert time.process_time() - cpu <= 5, row["id"]
        assert time.monotonic() - wall <= (60 if BUSY else 10), row["id"]
        assert verdict.verdict in VERDICTS
        assert verdict.rule != "failure", row["id"]
    assert not list(tmp_path.iterdir())


def test_every_gold_of_math_500_equals_itself_and_is_found_in_its_solution():
    rows = math_500()
    boxed = judge_all([(r["answer"], rf"\boxed{{{r['answer']}}}", r["problem"]) for r in rows])
    solved = judge_all([(r["answer"], r["solution"], r["problem"]) for r in rows])
    canonical = judge_all([(r["answer"], f"Answer: {canonical_answer(r['answer'])}") for r in rows])
    for verdicts in (boxed, solved, canonical):
        assert [v for v in verdicts if v.verdict != "right"] == []
    assert [v for v in boxed if v.strict_verdict != "right"] == []


def test_no_gold_of_math_500_accepts_a_slight_change():
    count, wrong = accepted_mutants([row["answer"] for row in math_500()])
    assert wrong == []
    assert count > 6_500


def test_no_key_of_the_release_accepts_a_slight_change():
    count, wrong = accepted_mutants(release_keys())
    assert wrong == []
    assert count > 7_000


def test_every_key_of_the_release_equals_its_canonical_form():
    pairs = [(key, rf"\boxed{{{canonical_answer(key)}}}") for key in release_keys()]
    verdicts = judge_all(pairs)
    assert [p for p, v in zip(pairs, verdicts, strict=True) if v.verdict != "right"] == []


def test_real_outputs_are_graded_without_failure_and_boxes_of_the_key_are_right():
    path = DATA / "jobmc-release" / "reasoning_chain.csv"
    if not path.exists():
        pytest.skip("the release is not here: it lies outside the repository")
    csv.field_size_limit(10**9)
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    pairs = [
        (row["true_answer"], row[f"reasoning_{level}"], row["question"])
        for row in rows
        for level in range(1, 6)
    ]
    verdicts = judge_all(pairs, workers=2)
    assert {verdict.verdict for verdict in verdicts} <= VERDICTS
    assert not [verdict for verdict in verdicts if verdict.rule == "failure"]
    # These chains were written with the key in sight: nearly all that end in a box hold it.
    boxed = [v for p, v in zip(pairs, verdicts, strict=True) if "\\boxed{" in p[1] and v.extracted]
    assert sum(verdict.verdict == "right" for verdict in boxed) / len(boxed) >= 0.98


def test_bug_reports_and_attacks_get_the_verdict_of_mathematics():
    rows = rows_of(DATA / "grading" / "cases.jsonl")
    verdicts = judge_all([(r["gold"], r["output"], r.get("problem")) for r in rows], workers=2)
    said = [verdict.verdict == "right" for verdict in verdicts]
    expected = [row["expected"] for row in rows]
    assert [r["id"] for r, a, b in zip(rows, said, expected, strict=True) if a and not b] == []
    assert sum(map(bool.__eq__, said, expected)) / len(rows) >= 0.98


def released(name, output, verdict):
    path = DATA / "jobmc-release" / name
    if not path.exists():
        pytest.skip("the release is not here: it lies outside the repository")
    csv.field_size_limit(10**9)
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    pairs = [(row["true_answer"], output(row), row["problem"]) for row in rows]
    ours = [found.verdict == "right" for found in judge_all(pairs, workers=2)]
    judged = [row[verdict] == "CORRECT" for row in rows]
    both = list(zip(ours, judged, strict=True))
    return [
        both.count(pair) for pair in ((True, True), (False, False), (False, True), (True, False))
    ]


def test_released_answers_to_math_500_agree_with_the_judge_but_where_docs_say():
    assert released(
        "results-math500.csv", lambda row: rf"\boxed{{{row['agent1_answer']}}}", "agent2_verdict"
    ) == [460, 30, 10, 0]
    assert released(
        "qwen_tuned_math500_results.csv", lambda row: row["qwen_response"], "deepseek_verdict"
    ) == [359, 124, 6, 11]
