"""Claims table: rows in order, adjusted over the family, with the ids behind each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from distil.claims.findings import EXPECTED, Entry
from distil.claims.formulas import FORMULAS, find
from distil.claims.plan import AnalysisPlan
from distil.claims.selections import (
    GRADINGS,
    GradedAnswers,
    MissingAnswersError,
    has_grading,
    regraded,
)
from distil.claims.verdicts import Tested, examine, verdict
from distil.claims.wording import p_text, shown
from distil.content.hashing import sha256_text
from distil.content.sources import Sources
from distil.inference.levels import holm

COLUMNS = (
    "id",
    "claim",
    "estimand",
    "unit",
    "published",
    "published_sd",
    "expected",
    "here",
    "sd",
    "low",
    "high",
    "test",
    "p",
    "p_holm",
    "equivalence_p",
    "power",
    "detectable",
    "n",
    "verdict",
    "reason",
    "formula",
    "filter",
    "rows",
    "rows_sha256",
    "plan_sha256",
    "source",
    "link",
)
# Claims whose figures depend on the verdicts, in the order of the sensitivity table.
GRADED = ("C1", "C2", "C3", "C4", "C5", "C5b", "C7", "C8", "Q1")
# Of these, differences of the student and the student.
STUDENT_ONLY = ("C7", "C8", "Q1")


def read_published(path: str | Path) -> dict[str, Any]:
    """Read the published claims.

    Args:
        path: resources/published.yaml.

    Returns:
        Its content.

    Raises:
        ValueError: If a claim lacks a field or names no formula.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    needed = ("id", "claim", "formula", "unit", "expected", "estimands", "sample", "source")
    for claim in content["claims"]:
        for name in needed:
            if name not in claim:
                raise ValueError(f"{path}: claim {claim.get('id')}: no {name}; add it")
        if claim["formula"] not in FORMULAS:
            raise ValueError(
                f"{path}: claim {claim['id']}: formula {claim['formula']!r} is none of "
                f"{', '.join(sorted(FORMULAS))}"
            )
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


def assemble(
    rows: Sequence[Tested], settings: Mapping[str, Any], formula: str = "formula"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Adjust over the family, judge every row and lay out both tables.

    Args:
        rows: Tested rows in order.
        settings: See `GradedAnswers`.
        formula: Key of the claim that names the formula used.

    Returns:
        The claims table and the table of row ids (claim, estimand, column, row).
    """
    alpha, published = float(settings["alpha"]), bool(settings["published"])
    plan = AnalysisPlan.read(settings).sha256()
    family = [
        index
        for index, row in enumerate(rows)
        if row.p is not None and not row.entry.claim["id"].startswith("Q")
    ]
    adjusted = dict(zip(family, holm([rows[index].p for index in family]), strict=True))
    lines, sources = [], []
    for index, row in enumerate(rows):
        entry, found = row.entry, row.finding
        p_holm = adjusted.get(index)
        outcome, reason = verdict(row, p_holm, alpha=alpha, published=published)
        here = found.estimate if found else None
        scale = found.scale if found else 1.0
        cells = {
            "here": None if here is None else scale * here.estimate,
            "low": None if here is None else scale * here.low,
            "high": None if here is None else scale * here.high,
            "sd": None if found is None or found.sd is None else scale * found.sd,
            "p": row.p,
            "p_holm": p_holm,
            "equivalence_p": row.equivalence_p,
            "power": row.power,
            "detectable": row.detectable,
        }
        used = [] if found is None else found.rows
        lines.append(
            {
                "id": entry.claim["id"],
                "claim": entry.claim["claim"],
                "estimand": entry.estimand,
                "unit": entry.claim["unit"],
                "published": entry.value,
                "published_sd": entry.published.get("sd"),
                "expected": EXPECTED.get(entry.claim["expected"]),
                "test": row.test or (here.test if here else None),
                "n": None if here is None or not here.n else here.n,
                "verdict": outcome,
                "reason": reason,
                "formula": entry.claim[formula],
                "filter": None if found is None else found.filter,
                "rows": len(set(used)),
                "rows_sha256": rows_sha256(used),
                "plan_sha256": plan,
                "source": entry.claim["source"],
                "link": entry.claim.get("link"),
                **cells,
            }
        )
        computed = [
            column
            for column in ("here", "low", "high", "sd", "p", "equivalence_p")
            if cells[column] is not None
        ]
        sources += [
            (entry.claim["id"], entry.estimand, column, source)
            for column in computed or ["reason"]
            for source in sorted(set(used))
        ]
    table = pd.DataFrame(lines, columns=list(COLUMNS)).astype(object)
    return (
        table.where(table.notna(), None),
        pd.DataFrame(sources, columns=["claim", "estimand", "column", "row"]),
    )


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
    return assemble([_tested(study, entry) for entry in listed], study.settings)


def _named(study: GradedAnswers, published: Mapping[str, Any]) -> GradedAnswers:
    return replace(study, settings={**study.settings, "competition": published["competition"]})


def _tested(study: GradedAnswers, entry: Entry) -> Tested:
    try:
        finding = find(entry, study)
    except MissingAnswersError as error:
        return Tested(entry, None, missing=str(error))
    return examine(
        entry,
        finding,
        alpha=study.alpha,
        margin=float(study.settings["margin"]) / 100,
        published=bool(study.settings["published"]),
    )


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten the claims table for people: one column per thing they compare.

    Args:
        table: The claims table.

    Returns:
        A frame of texts with columns id, claim, estimand, published, expected, here, interval,
        test, p, Holm p, power, verdict, table; the columns that are blank throughout left out.
    """

    def with_sd(value: float | None, sd: float | None) -> str:
        return shown(value) + (f" ({shown(sd)})" if sd is not None and value is not None else "")

    rows = []
    for _, row in table.iterrows():
        whole = row["unit"] in ("iteration", "levels")
        digits = 0 if whole else 2
        between = ""
        if row["low"] is not None and row["unit"] != "levels":
            between = f"{shown(row['low'], digits)} to {shown(row['high'], digits)}"
        rows.append(
            {
                "id": row["id"],
                "claim": row["claim"],
                "estimand": row["estimand"].replace("_", " "),
                "published": shown(row["published"], 0)
                if whole
                else with_sd(row["published"], row["published_sd"]),
                "expected": row["expected"] or "",
                "here": shown(row["here"], 0) if whole else with_sd(row["here"], row["sd"]),
                "interval": between,
                "test": row["test"] or "",
                "p": p_text(row["p"]),
                "Holm p": p_text(row["p_holm"]),
                "power": "" if row["power"] is None else f"{100 * row['power']:.0f} %",
                "verdict": row["verdict"],
                "table": row["link"] or "",
            }
        )
    frame = pd.DataFrame(rows)
    return frame[[name for name in frame.columns if (frame[name] != "").any()]]


def links(names: Sequence[str]) -> dict[str, str]:
    """Addresses of the tables that rows refer to, relative to the folder of the claims."""
    return {name: f"../tables/{name}.md" for name in names}


def reasons(table: pd.DataFrame) -> list[str]:
    """List the reason of each row, headed by its id and estimand."""
    return [
        f"{row['id']}, {row['estimand'].replace('_', ' ')}: {row['verdict']}. {row['reason']}"
        for _, row in table.iterrows()
    ]


def judge_gradings(
    study: GradedAnswers, published: Mapping[str, Any], sources: Sources | None = None
) -> pd.DataFrame:
    """Judge every graded claim under each reading of the verdicts.

    Args:
        study: The study's graded answers.
        published: Content of resources/published.yaml.
        sources: Filled with the graded answers behind each cell.

    Returns:
        A frame with id, estimand, grading, here, low, high, p_holm, verdict and changed (whether
        the verdict differs from the primary one). A reading whose column is absent or empty is
        left out; so are best and worst for C7, C8 and Q1, whose two sides are both the student's,
        so that favouring the student bounds nothing.
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
        table, used = assemble(rows, study.settings)
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
    primary = table[table["grading"] == "primary"].set_index(["id", "estimand"])["verdict"]
    table["changed"] = [row.verdict != primary[row.id, row.estimand] for row in table.itertuples()]
    names = ["id", "estimand", "grading", "here", "low", "high", "p_holm", "verdict", "changed"]
    order = {name: place for place, name in enumerate(GRADED)}
    table["place"] = table["id"].map(order)
    return table.sort_values(["place", "estimand"], kind="stable")[names].reset_index(drop=True)
