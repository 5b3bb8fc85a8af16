"""Claims table: rows in order, adjusted over the family, with the ids behind each number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from distil.claims.findings import EXPECTED, Entry
from distil.claims.formulas import FORMULAS, find
from distil.claims.gradings import GRADINGS, has_grading, regraded
from distil.claims.plan import AnalysisPlan, digest_of
from distil.claims.selections import GradedAnswers, MissingAnswersError
from distil.claims.verdicts import (
    DIFFERS,
    NO_FIGURE,
    OPEN,
    SAME,
    UNTESTED,
    Tested,
    detectable,
    direction,
    examine,
    power,
    sentence,
    size,
)
from distil.claims.wording import p_text, shown
from distil.content.hashing import sha256_text
from distil.content.sources import Sources
from distil.inference.levels import holm

COLUMNS = (
    "id",
    "label",
    "claim",
    "kind",
    "estimand",
    "unit",
    "published",
    "published_sd",
    "expected",
    "here",
    "low",
    "high",
    "sd",
    "n",
    "clusters",
    "df",
    "missing",
    "test",
    "p",
    "p_holm",
    "direction",
    "size",
    "size_low",
    "size_high",
    "power",
    "detectable",
    "reason",
    "formula",
    "filter",
    "rows",
    "rows_sha256",
    "plan_sha256",
    "source",
    "link",
)
# What is computed from the rows of the row itself; p_holm and direction rest on the family.
COMPUTED = ("here", "low", "high", "sd", "p", "size_low", "size_high", "power", "detectable")
KINDS = ("accuracy", "effect", "answer")
# Claims whose figures depend on the verdicts, in the order of the sensitivity table.
GRADED = ("C1", "C2", "C2b", "C3", "C4", "C5", "C5b", "C7", "C8", "Q1")
# Of these, differences of the student and the student.
STUDENT_ONLY = ("C7", "C8", "Q1")


def read_published(path: str | Path) -> dict[str, Any]:
    """Read the published claims.

    Args:
        path: resources/published.yaml.

    Returns:
        Its content.

    Raises:
        ValueError: If a claim lacks a field, names no formula, or the family names no claim.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    needed = ("id", "label", "claim", "kind", "formula", "unit", "expected", "estimands", "sample")
    for claim in content["claims"]:
        for name in (*needed, "source"):
            if name not in claim:
                raise ValueError(f"{path}: claim {claim.get('id')}: no {name}; add it")
        if claim["formula"] not in FORMULAS:
            raise ValueError(
                f"{path}: claim {claim['id']}: formula {claim['formula']!r} is none of "
                f"{', '.join(sorted(FORMULAS))}"
            )
        if claim["kind"] not in KINDS:
            raise ValueError(f"{path}: claim {claim['id']}: kind is none of {', '.join(KINDS)}")
    known = {claim["id"]: claim for claim in content["claims"]}
    for name, estimands in content["family"].items():
        if name not in known or set(estimands) - set(known[name]["estimands"]):
            raise ValueError(f"{path}: family: {name}: no such claim under {', '.join(estimands)}")
    for name, gate in content["gates"].items():
        if not {name, gate} <= set(content["family"]):
            raise ValueError(f"{path}: gates: {name}: {gate}: both must be in the family")
    return content


def rows_sha256(rows: Sequence[str]) -> str:
    """Hash row ids: sorted, each once, one a line."""
    return sha256_text("".join(f"{row}\n" for row in sorted(set(rows))))


def entries(published: Mapping[str, Any], sample: bool) -> list[Entry]:
    """List the rows of the table: each claim under each of its estimands.

    Args:
        published: Content of resources/published.yaml.
        sample: Whether this is the sample study, which shows fewer rows and no figures.

    Returns:
        The entries in order.
    """
    listed = []
    for claim in published["claims"]:
        for estimand in claim["sample"] if sample else claim["estimands"]:
            figures = {} if sample else claim["estimands"].get(estimand) or {}
            listed.append(Entry(claim, estimand, figures))
    return listed


def adjust(rows: Sequence[Tested], published: Mapping[str, Any]) -> dict[int, float]:
    """Adjust the confirmatory claims' p by Holm's procedure, then by their gates.

    Args:
        rows: Tested rows in order.
        published: Content of resources/published.yaml.

    Returns:
        {index of a row: adjusted p} of the family: each of its claims under the first of its
        estimands for which a p was computed.
    """
    found: dict[str, int] = {}
    for name, estimands in published["family"].items():
        by_estimand = {
            row.entry.estimand: index
            for index, row in enumerate(rows)
            if row.entry.claim["id"] == name and row.p is not None
        }
        chosen = [by_estimand[one] for one in estimands if one in by_estimand]
        if chosen:
            found[name] = chosen[0]
    values = [rows[index].p or 0.0 for index in found.values()]
    adjusted = dict(zip(found, map(float, holm(values)), strict=True))
    for name, gate in published["gates"].items():
        if name in adjusted:
            adjusted[name] = max(adjusted[name], adjusted.get(gate, 1.0))
    return {index: adjusted[name] for name, index in found.items()}


def assemble(
    rows: Sequence[Tested],
    settings: Mapping[str, Any],
    published: Mapping[str, Any],
    formula: str = "formula",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Adjust over the family, judge every row and lay out both tables.

    Args:
        rows: Tested rows in order.
        settings: See `GradedAnswers`.
        published: Content of resources/published.yaml.
        formula: Key of the claim that names the formula used.

    Returns:
        The claims table and the table of row ids (claim, estimand, column, row).

    Raises:
        ValueError: If the claims are not those that the plan was hashed with.
    """
    plan, adjusted = AnalysisPlan.read(settings), adjust(rows, published)
    if plan.claims_sha256 != digest_of(published):
        raise ValueError(
            "the claims are not those of the analysis plan: resources/published.yaml was changed "
            "after the jobs were planned; start Snakemake again"
        )
    digest, lines, sources = plan.sha256(), [], []
    for index, row in enumerate(rows):
        entry, found = row.entry, row.finding
        gate = published["gates"].get(entry.claim["id"], "")
        judged = direction(row, adjusted.get(index), len(adjusted), plan, gate)
        compared = size(row, plan)
        cells = _figures(row, plan) | {
            "size_low": compared.low,
            "size_high": compared.high,
        }
        used = [] if found is None else found.rows
        lines.append(
            {
                **{name: entry.claim[name] for name in ("id", "label", "claim", "kind", "unit")},
                "estimand": entry.estimand,
                "published": entry.value,
                "published_sd": entry.published.get("sd"),
                "expected": EXPECTED.get(entry.claim["expected"]),
                "p_holm": adjusted.get(index),
                "direction": judged.word or None,
                "size": compared.word or None,
                "reason": sentence(
                    judged.reason,
                    f"size: {compared.reason}" if compared.reason else "",
                    found.sentence if found else "",
                    _note(row) if judged.word != OPEN else "",
                ),
                "formula": entry.claim[formula],
                "filter": None if found is None else found.filter,
                "rows": len(set(used)),
                "rows_sha256": rows_sha256(used),
                "plan_sha256": digest,
                "source": entry.claim["source"],
                "link": entry.claim.get("link"),
                **cells,
            }
        )
        computed = [column for column in COMPUTED if cells[column] is not None]
        sources += [
            (entry.claim["id"], entry.estimand, column, source)
            for column in computed or ["reason"]
            for source in sorted(set(used))
        ]
    table = pd.DataFrame(lines, columns=list(COLUMNS), dtype=object)
    return (
        table.where(table.notna(), None),
        pd.DataFrame(sources, columns=["claim", "estimand", "column", "row"]),
    )


def _figures(row: Tested, plan: AnalysisPlan) -> dict[str, Any]:
    """The numbers of a row, in its unit; None where there are none."""
    found = row.finding
    here = found.estimate if found else None
    blank = dict.fromkeys(("here", "low", "high", "sd", "n", "clusters", "df", "missing", "test"))
    figures = {**blank, "p": row.p, "power": power(row, plan), "detectable": detectable(row, plan)}
    if found is None or here is None:
        return figures
    return figures | {
        "here": found.scale * here.estimate,
        "low": found.scale * here.low,
        "high": found.scale * here.high,
        "sd": None if found.sd is None else found.scale * found.sd,
        "n": here.n or None,
        "clusters": here.clusters or None,
        "df": here.df if here.df and math.isfinite(here.df) else None,
        "missing": found.missing,
        "test": row.test or here.test,
    }


def _note(row: Tested) -> str:
    here = row.finding.estimate if row.finding else None
    return here.note if here else ""


def judge_study(
    study: GradedAnswers, published: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test every claim on graded answers.

    Args:
        study: The study; `settings["published"]` false makes it the sample study.
        published: Content of resources/published.yaml.

    Returns:
        The claims table and the table of row ids.
    """
    study = _named(study, published)
    listed = entries(published, sample=not study.settings["published"])
    return assemble([_tested(study, entry) for entry in listed], study.settings, published)


def _named(study: GradedAnswers, published: Mapping[str, Any]) -> GradedAnswers:
    return replace(study, settings={**study.settings, "competition": published["competition"]})


def _tested(study: GradedAnswers, entry: Entry) -> Tested:
    try:
        finding = find(entry, study)
    except MissingAnswersError as error:
        return Tested(entry, None, missing=str(error))
    return examine(entry, finding, study.plan)


def readable(table: pd.DataFrame, of: int | None = None) -> pd.DataFrame:
    """Shorten the claims table for people: a row a question, one quantity a row.

    Args:
        table: The claims table.
        of: How many problems the published figures are over; it is put beside n in sample.

    Returns:
        A frame of texts with columns question, n (clusters), here (interval), published, Holm p,
        direction and size, without those that are blank throughout. The accuracies stand in one
        row for each estimand; what is no test stands in `reasons`.
    """
    rows, told = _accuracy_rows(table, of), set()
    for _, row in table.iterrows():
        if row["kind"] != "effect" or row["here"] is None or row["direction"] == UNTESTED:
            continue
        if row["id"] in told and row["size"] in (None, NO_FIGURE):
            # A second estimand of which no word is said: `reasons` has it.
            continue
        told.add(row["id"])
        digits = 3 if row["unit"] == "loss" else 1
        between = f"{shown(row['low'], digits)}, {shown(row['high'], digits)}"
        rows.append(
            {
                "question": f"{row['id']} {row['label']}, {_words(row['estimand'])}",
                "n (clusters)": _counted(row, of),
                "here (95 %)": f"{shown(row['here'], digits)} ({between})",
                "published": shown(row["published"]),
                "Holm p": p_text(row["p_holm"]),
                "direction": row["direction"] or "",
                "size": row["size"] or "",
            }
        )
    frame = pd.DataFrame(rows)
    return frame[[name for name in frame.columns if (frame[name] != "").any()]]


def _accuracy_rows(table: pd.DataFrame, of: int | None) -> list[dict[str, str]]:
    rows = []
    chosen = table[(table["kind"] == "accuracy") & table["here"].notna()]
    for estimand, group in chosen.groupby("estimand", sort=False):
        published = [shown(value, 1) for value in group["published"] if value is not None]
        sizes = [one for one in group["size"] if one in (SAME, DIFFERS, OPEN)]
        rows.append(
            {
                "question": f"{', '.join(group['label'])}, {_words(estimand)}",
                "n (clusters)": _counted(group.iloc[0], of),
                "here (95 %)": ", ".join(shown(value, 1) for value in group["here"]) + " %",
                "published": ", ".join(published),
                "Holm p": "",
                "direction": "",
                "size": sizes[0] if sizes else "",
            }
        )
    return rows


def _words(estimand: str) -> str:
    return estimand.replace("_", " ")


def _counted(row: pd.Series, of: int | None) -> str:
    if row["n"] is None:
        return ""
    same = row["clusters"] in (None, row["n"])
    published = f" of the published {of}" if of and row["estimand"] == "in_sample" else ""
    return f"{row['n']}{published}" + ("" if same else f" ({row['clusters']})")


def reasons(table: pd.DataFrame) -> list[str]:
    """List the reason of each row, headed by its id and estimand; answers and accuracies as well.

    Args:
        table: The claims table.

    Returns:
        One text a row, with the table that it belongs to.
    """
    found = []
    for _, row in table.iterrows():
        words = [row["direction"] or "", f"size {row['size']}" if row["size"] else ""]
        if row["kind"] == "accuracy" and row["here"] is not None:
            spread = "" if row["sd"] is None else f", deviation over runs {shown(row['sd'])}"
            words.insert(
                0, f"{shown(row['here'])} % ({shown(row['low'])} to {shown(row['high'])}{spread})"
            )
        head = f"{row['id']} {row['label']}, {_words(row['estimand'])}"
        text = ". ".join(filter(None, [", ".join(filter(None, words)), row["reason"]]))
        place = f" (tables/{row['link']}.md)" if row["link"] else ""
        found.append(f"{head}: {text}{place}")
    return found


def judge_gradings(
    study: GradedAnswers, published: Mapping[str, Any], sources: Sources | None = None
) -> pd.DataFrame:
    """Judge every graded claim under each reading of the verdicts.

    Args:
        study: The study's graded answers.
        published: Content of resources/published.yaml.
        sources: Filled with the graded answers behind each cell.

    Returns:
        A frame with id, estimand, grading, here, low, high, p_holm, direction, size and changed
        (whether direction or size differs from the primary one). A reading whose column is absent
        or empty is left out; so are best and worst for C7, C8 and Q1, whose two sides are both the
        student's, so that favouring the student bounds nothing.
    """
    study = _named(study, published)
    listed = entries(published, sample=not study.settings["published"])
    primary = [_tested(study, entry) for entry in listed]
    right = study.answers["verdict"] == "right"
    frames = []
    for grading in GRADINGS:
        if not has_grading(study, grading):
            continue
        read, rows = regraded(study, grading), primary
        if not right.equals(read.answers["verdict"] == "right"):
            rows = [
                _tested(read, entry) if entry.claim["id"] in GRADED else before
                for entry, before in zip(listed, primary, strict=True)
            ]
        table, used = assemble(rows, study.settings, published)
        table = table[table["id"].isin(GRADED)].assign(grading=grading)
        if grading in ("best", "worst"):
            table = table[~table["id"].isin(STUDENT_ONLY)]
        frames.append(table)
        if sources:
            listed_here = set(frames[-1]["id"])
            for (claim, estimand, column), found in used.groupby(["claim", "estimand", "column"]):
                if claim in listed_here and column in frames[-1]:
                    sources.add(f"{claim}/{estimand}/{grading}", [column], found["row"])
    table = pd.concat(frames, ignore_index=True)
    words = {
        (row.id, row.estimand): (row.direction, row.size)
        for row in table[table["grading"] == "primary"].itertuples()
    }
    table["changed"] = [
        (row.direction, row.size) != words[row.id, row.estimand] for row in table.itertuples()
    ]
    names = ["id", "estimand", "grading", "here", "low", "high", "p_holm", "direction", "size"]
    names.append("changed")
    order = {name: place for place, name in enumerate(GRADED)}
    table["place"] = table["id"].map(order)
    return table.sort_values(["place", "estimand"], kind="stable")[names].reset_index(drop=True)
