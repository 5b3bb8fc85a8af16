"""The page of a study in a browser, from file://: skipped where there is no Chromium."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from distil.audit.account import read_account
from distil.audit.chains import as_json
from distil.audit.explain import Explainer
from distil.claims.formulas import base, student
from distil.claims.selections import paired, read_study
from distil.content.files import read_jsonl, write_jsonl
from distil.content.hashing import canonical_json, sha256_text
from distil.inference.gains import paired_gain
from distil.inference.levels import section_contrast, trend
from distil.report.page import copies, shards
from distil.report.page.copies import write_zip
from distil.review.corrections import read_corrections
from distil.review.crops import read_crops
from distil.review.page import entry_text
from distil.study.shape import ReleaseStudy, Study
from tests.front.test_command_line import distil
from tests.programs import CHROMIUM, needs_chromium
from tests.workflow.checkout import ROOT

WEB = ROOT / "distil" / "report" / "page" / "web"
PARTS = ROOT / "build" / "page" / "node_modules"
# Names of runs on the page, and in the files.
CELL = ["run", "level", "problem"]
RUNS = {"base": "base", "seed-1": "temporal/prompt/seed-1", "seed-2": "temporal/prompt/seed-2"}
# Words of an exam that stand in corrections only: before, after, and in a problem that was put in.
PLANTED = [f"planted {what}" for what in ("was", "value", "statement", "option", "key", "row")]
WIDTHS = {"small phone": 360, "phone": 390, "laptop": 1280, "screen": 1920}


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, finished):
    """Open an address of the micro study's page; whatever is asked of another host is kept."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.elsewhere, page.faults = [], []
    page.on("request", lambda asked: page.elsewhere.append(asked.url)
            if not asked.url.startswith(("file:", "data:", "blob:")) else None)  # fmt: skip
    page.on("pageerror", lambda error: page.faults.append(str(error)))

    def go(address: str = "", top: Path = finished.path / "results" / "micro"):
        page.goto("about:blank")
        page.goto(f"{(top / 'index.html').as_uri()}#{address}")
        page.wait_for_selector("main")
        return page

    yield go
    context.close()
    assert page.elsewhere == []
    assert page.faults == []


def table(finished, name="claims/claims.csv") -> list[dict[str, str]]:
    path = finished.path / "results" / "micro" / name
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def shown(text: str, unit: str) -> str:
    digits = 0 if unit in ("iteration", "levels") else 2 if unit[:6] in ("percen", "points") else 3
    return f"{float(text):.{digits}f}" if text else ""


@needs_chromium
def test_every_claim_stands_on_the_page_with_its_value_and_verdicts(opened, finished):
    page = opened()
    for row in table(finished):
        line = page.locator(f'a.claim[href="#{row["id"]}/{row["estimand"]}"]')
        assert line.count() == 1
        assert row["claim"] in line.inner_text()
        assert shown(row["here"], row["unit"]) in line.inner_text()
        for name in ("verdict", "direction", "size"):
            assert row.get(name, "").replace("_", " ") in line.inner_text()


# Goes to another view as soon as the first one is put in place, before it is painted.
HURRIES = """
new MutationObserver((changes, observer) => {
  if (!document.getElementById("main")) return;
  observer.disconnect();
  location.hash = "levels";
}).observe(document, { childList: true, subtree: true });
"""


@needs_chromium
def test_an_address_that_is_asked_before_the_page_is_painted_is_gone_to(opened):
    opened().add_init_script(HURRIES)
    page = opened("C4/held_out")
    page.wait_for_selector('nav a[href="#levels"][aria-current="page"]', timeout=10_000)


@needs_chromium
def test_of_a_question_whose_file_is_missing_nothing_is_said_but_that(opened, finished, tmp_path):
    """The card of a question of another year is open before: none of it stays. So in each view."""
    shutil.copytree(finished.path / "results/micro/page", tmp_path / "page")
    shutil.copy(finished.path / "results/micro/index.html", tmp_path)
    (tmp_path / "page/texts/2012.js").unlink()
    page = opened("C4/in_sample/2011-fs-01/seed-1", tmp_path)
    page.wait_for_selector(".card .verdict-line")
    page.evaluate("location.hash = 'C4/in_sample/2012-fs-01/seed-1'")
    page.wait_for_selector(".card .fault")
    told = page.locator(".card").inner_text()
    assert "page/texts/2012.js is missing beside this page" in told
    assert "was not asked" not in told
    page.evaluate("location.hash = 'C4/in_sample/2011-fs-02/seed-1'")
    page.wait_for_selector(".card .verdict-line")
    assert page.locator(".card .fault").count() == 0
    for name in ("texts/2014", "cells", "verdicts/temporal"):
        (tmp_path / f"page/{name}.js").unlink()
    for address, missing in (
        ("problem/2012-fs-01", "texts/2012"),
        ("C4/in_sample", "verdicts/temporal"),
        ("answers/R1", "verdicts/temporal"),
        ("review/2012-fs-01", "texts/2012"),
        ("levels", "texts/2014"),
        ("levels", "cells"),
        ("training", "cells"),
        ("data", "cells"),
        ("table/levels/student_accuracy/1", "cells"),
    ):
        page = opened(address, tmp_path)
        said = page.locator(".fault", has_text=f"page/{missing}.js is missing beside this page")
        said.first.wait_for()


@needs_chromium
def test_a_cell_leads_to_the_page_of_the_exam_the_answer_and_its_verdict(
    opened, finished, monkeypatch
):
    monkeypatch.chdir(finished.path)
    rows = pd.read_parquet("results/micro/claims/rows.parquet")
    rows = rows[rows["row"].str.contains("#") & (rows["claim"] == "C4")]
    graded = pd.read_parquet("results/micro/grades/answers.parquet")
    graded = graded.drop_duplicates("row").set_index("row")
    explainer = Explainer("micro")
    for row, estimand in random.Random(2).sample(
        sorted(set(zip(rows["row"], rows["estimand"], strict=True))), 10
    ):
        run = row.partition("#")[0]
        answer = graded.loc[row]
        slug = run if run in ("base", "teacher") else run.rpartition("/")[2]
        page = opened(f"C4/{estimand}/{answer['problem']}/{slug}")
        page.wait_for_selector(".card .verdict-line")
        assert page.locator(".card .picture img").first.evaluate("one => one.naturalWidth") > 50
        compare_with_chain(page, explainer, row)
    done = distil(
        "explain", f"results/micro/grades/answers.parquet#{row}", "--json", cwd=finished.path
    )
    target = f"results/micro/grades/answers.parquet#{row}"
    assert json.loads(done.stdout) == json.loads(as_json(explainer.explain(target)))


def told(chain: dict, stage: str) -> dict:
    """The first entry of a stage, as `distil explain --json` has it."""
    return next(iter(entries(chain, stage)), {})


def entries(chain: dict, stage: str) -> list[dict]:
    return next((one["entries"] for one in chain["chain"] if one["stage"] == stage), [])


def compare_with_chain(page, explainer, row: str) -> None:
    """Compare every number, text and hash of the card that is open with the answer's chain."""
    target = f"results/micro/grades/answers.parquet#{row}"
    chain = json.loads(as_json(explainer.explain(target)))
    card = page.locator(".card")
    text = card.inner_text()
    grade, said = told(chain, "grades"), told(chain, "predictions")
    answer = told(chain, "graded answers")
    # Behind a student's answer stand its training problems, too.
    own = {answer["problem"], f"{answer['problem']} statement", f"{answer['problem']} key"}
    problem = next((one for one in entries(chain, "problems") if one["id"] in own), {})
    pages = [one for one in entries(chain, "pages") if one["id"] in own]
    assert card.locator('[data-test="verdict"]').inner_text() == grade["verdict"]
    assert f"by rule {grade['rule']}" in text
    assert f"strict reading: {grade['strict_verdict'] or 'none'}" in text
    assert f"second grader: {grade['second_verdict'] or 'none'}" in text
    assert f"{said['words']} words, " in text
    assert f"level {answer['level']}" in text
    for line in said["text"].split("\n"):
        if line and not re.search(r"[\\^_]", line):
            assert line.strip() in card.locator(".response").inner_text()
    for name in ("prompt_sha256", "token_ids_sha256", "adapter_sha256"):
        assert said.get(name) is None or said[name] in text, name
    assert problem.get("pdf_sha256") is None or problem["pdf_sha256"] in text
    pictures = card.locator(".picture")
    assert pictures.count() == len(pages)
    for entry in pages:
        what = "key" if entry["id"].endswith(" key") else "paper"
        picture = card.locator(".picture", has_text=f"printed in the {what}, page {entry['page']}")
        box = ", ".join(str(int(edge + 0.5)) for edge in entry["box"])
        assert f"box {box} pt" in picture.inner_text()
        assert picture.locator(".place").get_attribute("title").endswith(entry["sha256"])
        data = picture.locator("img").get_attribute("src").partition("base64,")[2]
        name = entry["id"].partition(" ")[0]
        crops = read_crops(f"results/micro/crops/{answer['year']}.parquet")
        crop = crops[name, "key" if what == "key" else "statement"]
        assert base64.b64decode(data) == crop["png"]


@needs_chromium
def test_ten_cells_of_each_table_lead_to_the_crop_and_agree_with_explain(
    opened, finished, monkeypatch
):
    monkeypatch.chdir(finished.path)
    explainer, draw = Explainer("micro"), random.Random(3)
    page, walked = opened("data"), set()
    for name in explainer.tables.names[1:]:
        rows = list(explainer.tables.rows(name))
        behind_it = pd.read_parquet(f"results/micro/tables/{name}.rows.parquet")
        known = {(cell, column) for cell, columns in zip(behind_it["cell"], behind_it["column"], strict=True)
                 for column in columns.split(" ")}  # fmt: skip
        cells = [cell for cell in explainer.tables.cells()
                 if cell.table == name and cell.value and (cell.row, cell.column) in known]  # fmt: skip
        for cell in draw.sample(cells, min(10, len(cells))):
            behind = explainer.tables.sources(cell)
            address = f"table/{name}/{cell.column}/{rows.index(cell.row) + 1}"
            page.evaluate("address => { location.hash = address }", address)
            page.wait_for_selector(f'.claim-head code:text-is("{explained(cell)}")')
            assert page.locator('[data-test="cell"]').inner_text() == cell.value.strip()
            walked.add(name)
            answers = sorted(row for row in behind if "#" in row)
            if not answers:
                listed = page.locator(".ids code").all_text_contents()
                assert set(listed) == set(sorted(behind)[:200])
                page.locator(".more summary").click()
                if page.locator(".ids a").count():  # stops and losses are of no one problem
                    page.locator(".ids a").first.click()
                    page.wait_for_selector(".card .picture img")
                continue
            page.wait_for_selector("table.grid td")
            asked = page.locator("table.grid td").filter(has=page.locator(".cell:not(.none)"))
            asked.nth(draw.randrange(asked.count())).click()
            page.wait_for_selector(".card .verdict-line")
            command = page.locator(".card .copy code").last.inner_text()
            row = command.partition("answers.parquet#")[2]
            assert row in behind or row.startswith(("base#", "teacher#")), "those stand beside"
            compare_with_chain(page, explainer, row)
    assert {"levels", "seeds", "stops", "graders", "leakage", "agreement"} <= walked


def explained(cell) -> str:
    return f"distil explain {cell.address} --study micro"


def exact(page, name: str) -> float:
    """A number of the arithmetic with the ten digits of the tables."""
    return float(page.locator(f'[data-test="{name}"]').get_attribute("data-value"))


@needs_chromium
def test_the_arithmetic_gives_the_numbers_of_the_table_to_the_last_digit(opened, finished):
    checked = set()
    for row in table(finished):
        page = opened(f"{row['id']}/{row['estimand']}")
        if row["here"] == "":
            assert page.locator(".arithmetic").count() == 0
            continue
        page.wait_for_selector(".arithmetic")
        page.locator(".arithmetic summary").click()
        names = ["here"] if row["unit"] == "levels" else ["here", "low", "high"]
        for name in names:
            found = exact(page, "estimate" if name == "here" else name)
            assert found == pytest.approx(float(row[name]), rel=2e-9, abs=1e-12), (row["id"], name)
        checked.add(row["formula"])
    made = {row["formula"] for row in table(finished) if row["here"] != ""}
    assert checked == made, "every row with a number says how it follows"


@pytest.fixture
def answered(finished, monkeypatch):
    """What the claims of the micro study are computed from."""
    monkeypatch.chdir(finished.path)
    record = json.loads(Path("results/micro/lineage/judge_claims/job.json").read_text())
    files = {"stops": [], "curves": []}
    for one in record["input"]:
        if one["name"] in files:
            files[one["name"]].append(one["path"])
    return read_study("results/micro/grades/answers.parquet", files["stops"], record["params"])


def toggle(page, address: str, answers: list[tuple[str, str]]) -> None:
    """Turn the verdicts of (question, run) in a claim's grid."""
    for problem, slug in answers:
        page.evaluate("address => { location.hash = address }", f"{address}/{problem}/{slug}")
        page.wait_for_selector(f'.card h3:has-text("{problem}"):has-text("{slug.split("-")[-1]}")')
        page.wait_for_selector(".card .verdict-line")
        page.get_by_role("button", name=re.compile("what if")).click()


def assert_changed(page, expected) -> None:
    for name, value in (("changed", expected.estimate), ("changed-low", expected.low),
                        ("changed-high", expected.high)):  # fmt: skip
        assert exact(page, name) == pytest.approx(100 * value, rel=2e-9, abs=1e-9), name


@needs_chromium
def test_what_if_gives_what_the_estimators_give(opened, answered):
    tuned, plain = paired(student(answered, "held_out"), base(answered, "held_out"))
    right = tuned.right.to_numpy() - plain.right.to_numpy()
    names = list(tuned.right.index)
    page = opened("C4/held_out")
    toggle(page, "C4/held_out", [(names[0], f"seed-{next(iter(tuned.right))}")])
    changed = right.copy()
    changed[0, 0] += 1 if tuned.right.iloc[0, 0] == 0 else -1
    assert_changed(page, paired_gain(changed, tuned.clusters, answered.alpha, tuned.strata))
    page.get_by_role("button", name="take the toggle back").click()
    page.get_by_role("button", name="strike this question").click()
    strata = None if tuned.strata is None else tuned.strata[1:]
    assert_changed(page, paired_gain(right[1:], tuned.clusters[1:], answered.alpha, strata))
    page.get_by_role("button", name="put back").click()
    assert page.locator('[data-test="changed"]').count() == 0


@needs_chromium
def test_what_if_at_several_levels_gives_what_the_estimators_give(opened, answered):
    levels = paired(*(student(answered, "held_out", level=level) for level in answered.levels))
    matrices = [one.right.copy() for one in levels]
    names, seeds = list(matrices[0].index), list(matrices[0])
    chosen = [(0, 0, 0), (1, 1, 0), (5, 0, 0), (7, 0, 5), (8, 1, 0)]  # question, seed, level
    for question, seed, level in chosen:
        matrices[level].iloc[question, seed] = 1 - matrices[level].iloc[question, seed]
    turned = [(names[question], f"seed-{seeds[seed]}.{answered.levels[level]}")
              for question, seed, level in chosen]  # fmt: skip
    page = opened("C7/held_out")
    toggle(page, "C7/held_out", turned)
    means = np.column_stack([matrix.mean(axis=1) for matrix in matrices])
    words = [one.words for one in levels]
    assert_changed(
        page, trend(means, words, levels[0].clusters, permutations=0, alpha=answered.alpha)
    )
    page = opened("C8/held_out")
    toggle(page, "C8/held_out", turned)
    drops = matrices[0].to_numpy() - matrices[-1].to_numpy()
    speed = answered.plan.speed_section
    assert_changed(
        page,
        section_contrast(drops, levels[0].sections, speed, levels[0].clusters, answered.alpha),
    )


@needs_chromium
def test_the_samples_of_a_question_stand_in_one_cell_and_each_has_its_card(
    opened, sampled, monkeypatch
):
    monkeypatch.chdir(sampled.path)
    graded = pd.read_parquet("results/micro/grades/answers.parquet")
    explainer = Explainer("micro")
    top = sampled.path / "results" / "micro"
    page = opened("C7/held_out", top)
    page.wait_for_selector("table.grid td")
    # What a cell tells is what the graded answers hold.
    drawn = graded[graded["role"] != "teacher"].drop_duplicates("row")
    shares = drawn["verdict"].eq("right").groupby([drawn[name] for name in CELL]).sum()
    told = {}
    for cell in page.locator("table.grid td[aria-label]").all():
        label = cell.get_attribute("aria-label")
        question, run, level, said = re.fullmatch(
            r"([\w-]+), ([\w-]+)\.(R\d): (.+)", label
        ).groups()
        if run != "teacher":
            told[question, run, level] = said
            assert said == f"{shares[RUNS[run], level, question]} of 2 right"
            assert cell.inner_text() == said.removesuffix(" right")
            assert cell.locator(".cell").count() == 2
    assert {said[0] for said in told.values()} == {"0", "1", "2"}
    # A question of which one sample is right: both cards on a phone, each against its chain.
    page.set_viewport_size({"width": WIDTHS["small phone"], "height": 800})
    chosen = next(cell for cell, said in told.items() if said[0] == "1" and cell[1] != "base")
    page.locator('td[aria-label^="{}, {}.{}:"]'.format(*chosen)).click()
    verdicts, texts, addresses = [], [], []
    for number in (1, 2):
        page.wait_for_selector(f'.card h3:has-text("sample {number}")')
        page.wait_for_selector(".card .verdict-line")
        page.wait_for_function(
            "['.card h3', '.samples'].every(one => {"
            " const box = document.querySelector(one).getBoundingClientRect();"
            " return box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth; })"
        )
        addresses.append(page.locator(".card .fine a", has_text="#C7").inner_text())
        assert page.url.endswith(addresses[-1])
        row = page.locator(".card .copy code").last.inner_text().partition("answers.parquet#")[2]
        assert row.endswith(".s2") == (number == 2)
        compare_with_chain(page, explainer, row)
        verdicts.append(page.locator('.card [data-test="verdict"]').inner_text())
        texts.append(page.locator(".card .response").inner_text())
        page.locator(".samples a").nth(1).click()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) <= 0
    assert verdicts.count("right") == 1
    assert texts[0] != texts[1]
    page.get_by_role("button", name=re.compile("what if")).click()
    right = 2 if verdicts[1] != "right" else 0
    assert f"{right} of 2 samples right" in page.locator(".samples").inner_text()
    label = page.locator("table.grid td.here").get_attribute("aria-label")
    assert label.endswith(f"{right} of 2 right, toggled")
    # Paper is as wide as it is.
    page = opened("C7/held_out", top)
    page.wait_for_selector("table.grid td")
    page.set_viewport_size({"width": 673, "height": 1000})
    page.emulate_media(media="print")
    cut = "one => one.scrollWidth - one.clientWidth"
    assert page.locator(".grid-box").evaluate(cut) <= 1
    page.emulate_media(media="screen")
    # The address alone leads to each.
    for address, verdict, text in zip(addresses, verdicts, texts, strict=True):
        page = opened(address.removeprefix("#"), top)
        page.wait_for_selector(".card .verdict-line")
        assert page.locator('.card [data-test="verdict"]').inner_text() == verdict
        assert page.locator(".card .response").inner_text() == text
        assert page.locator('.samples a[aria-current="true"]').count() == 1


@needs_chromium
def test_the_grid_is_walked_by_keyboard_and_filtered(opened):
    page = opened("C4/held_out")
    page.wait_for_selector("table.grid")
    page.locator('td[tabindex="0"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card")
    assert label.partition(",")[0] in page.locator(".card h3").first.inner_text()
    before = page.locator("table.grid tbody tr").count()
    page.locator('input[type="search"]').fill("fs-0")
    assert 0 < page.locator("table.grid tbody tr").count() <= before


@needs_chromium
def test_a_correction_made_on_the_page_is_one_that_the_study_takes(opened, tmp_path):
    page = opened("review/2014-fs-04")
    item = page.locator("#review-2014-fs-04")
    item.get_by_role("button", name="edit").first.click()
    item.get_by_role("textbox").first.fill("It's 5 o'clock: what is 2 + 2?")
    item.get_by_role("button", name="confirm").last.click()
    with page.expect_download() as waiting:
        page.get_by_text("download corrections.yaml").click()
    path = tmp_path / "corrections.yaml"
    waiting.value.save_as(path)
    entries = read_corrections(path, [2014])[2014]
    assert {entry["field"] for entry in entries} == {"statement", "answer"}
    changed = next(entry for entry in entries if entry["field"] == "statement")
    assert changed["value"] == "It's 5 o'clock: what is 2 + 2?"
    assert changed["was"] != changed["value"]
    confirmed = next(entry for entry in entries if entry["field"] == "answer")
    assert confirmed["was"] == confirmed["value"]


@needs_chromium
def test_what_the_review_lets_one_download_is_what_the_rerun_takes(opened, study, tmp_path):
    """Fields corrected before, problems out of the study, one put in by hand, and a missed one."""
    target, folder = "results/micro/problems/2014.jsonl", study.path / "results/micro"
    extracted = read_jsonl(folder / "extractions/2014.jsonl")
    four = next(row for row in extracted if row["id"] == "2014-fs-04")
    plain = {**four, "flags": [], "options": []}
    extracted += [
        {**plain, "id": "2014-fs-96", "statement": "no problem", "statement_plain": "no problem"},
        {**plain, "id": "2014-fs-97", "answer": None, "answer_raw": None, "flags": ["no_answer"]},
    ]
    write_jsonl(folder / "extractions/2014.jsonl", extracted)
    signed = {"who": "A. Teacher", "when": "2026-11-28", "why": "compared with the paper"}
    added = {"page": "1", "statement": "What is 1 + 1?", "options": None, "answer": "2"}
    entries = [
        {"id": "2014-fs-04", "field": "answer", "was": four["answer"], "value": "1234", **signed},
        {"id": "2014-fs-96", "field": "statement", "was": "no problem", "value": None, **signed},
        {"id": "2014-fs-98", "field": "problem", "value": added, **signed},
    ]
    mine = study.path / "mine.yaml"
    mine.write_text("\n".join(map(entry_text, entries)), encoding="utf-8")
    study.edit("config.micro.yaml", "corrections: null", "corrections: mine.yaml")

    def correct():  # the run ends by naming the extraction that was written by hand
        done = study.snakemake("--", target, check=False)
        assert "Finished jobid: 0 (Rule: correct_problems)" in done.stdout + done.stderr

    correct()
    build(study.path, tmp_path, read_corrections(mine, [2014])[2014])

    def item(name):
        page = opened(f"review/{name}", tmp_path)
        page.wait_for_selector(f"#review-{name} .field")
        return page, page.locator(f"#review-{name}")

    page, four = item("2014-fs-04")
    assert "1234" in four.locator(".field", has_text="answer").inner_text()
    page.locator("select").select_option("2014")

    def write(name, field, text):
        own = page.locator(f"#review-{name}")
        own.get_by_role("button", name=f"edit the {field} of").click()
        box = own.get_by_role("textbox", name=f"{field} of {name}")
        box.fill("")
        box.press_sequentially(text)

    assert "not in the study: struck out" in page.locator("#review-2014-fs-96").inner_text()
    assert "not in the study: no key" in page.locator("#review-2014-fs-97").inner_text()
    write("2014-fs-04", "answer", "56 78")
    write("2014-fs-96", "statement", "It is one, \\{after all.")
    write("2014-fs-97", "answer", "{9")
    assert "brace" in page.locator("#review-2014-fs-97 .fault").inner_text()
    assert "first mend 2014-fs-97" in page.locator(".basket").inner_text()
    assert page.get_by_text("download corrections.yaml").count() == 0
    page.get_by_role("textbox", name="answer of 2014-fs-97").fill("9")
    write("2014-fs-98", "statement", "What is 1 + 1, again?")
    page.locator(".missed summary").click()
    for label, text in (("problem, as", "2014-fs-97"), ("answer in the key", "5")):
        page.locator(".missed label", has_text=label).locator("input").fill(text)
    page.locator(".missed textarea").fill("What is 2 + 3?")
    assert "2014-fs-97 was read" in page.locator(".missed").inner_text()
    button = page.get_by_role("button", name="add it")
    assert button.is_disabled()
    page.locator(".missed label", has_text="problem, as").locator("input").fill("2019-fs-07")
    assert "no year of this study" in page.locator(".missed").inner_text()
    page.locator(".missed label", has_text="problem, as").locator("input").fill("2014-fs-99")
    button.click()
    with page.expect_download() as waiting:
        page.get_by_text("download corrections.yaml").click()
    waiting.value.save_as(mine)
    correct()
    rows = {row["id"]: row for row in read_jsonl(study.path / target)}
    assert rows["2014-fs-04"]["answer_raw"] == "56 78"
    assert rows["2014-fs-96"]["statement"] == "It is one, \\{after all."
    assert rows["2014-fs-97"]["answer"] == "9"
    assert rows["2014-fs-98"]["statement"] == "What is 1 + 1, again?"
    assert rows["2014-fs-98"]["answer"] == "2"
    assert rows["2014-fs-99"]["statement"] == "What is 2 + 3?"
    assert len(read_corrections(mine, [2014])[2014]) == 5


@needs_chromium
def test_a_copy_without_statements_takes_no_corrections(opened, hostile, tmp_path):
    study = hostile / "page" / "study.js"
    before = study.read_bytes()
    try:
        shards.write(study, "study", {**shards.decode(before), "include_statements": False})
        write_zip(hostile, tmp_path / "papers.zip")
    finally:
        study.write_bytes(before)
    with zipfile.ZipFile(tmp_path / "papers.zip") as packed:
        packed.extractall(tmp_path)
    page = opened("review/2014-fs-97", tmp_path / hostile.name)
    page.wait_for_selector("#review-2014-fs-97 .flags")
    assert "not part of this copy" in page.locator(".review > .stub").inner_text()
    assert page.locator(".review").get_by_role("button", name="confirm").count() == 0
    assert page.locator(".missed").count() == 0
    for address in ("workflow", "compare", "data", "C4/held_out/2014-fs-04/seed-1"):
        page = opened(address, tmp_path / hostile.name)
        page.wait_for_selector(VIEWS.get(address, ".card .stub"))


@needs_chromium
def test_the_head_says_that_a_rehearsal_is_one_and_how_many_jobs_are_fresh(
    opened, finished, tmp_path
):
    top = tmp_path / "micro"
    shutil.copytree(finished.path / "results/micro", top)
    content = shards.decode((top / "page/study.js").read_bytes())
    columns = content["claims"]["columns"]
    content["claims"]["rows"][0][columns.index("published")] = "1.0"
    for kind, told in (("papers", "Full study"), ("rehearsal", "Rehearsal")):
        shards.write(top / "page/study.js", "study", {**content, "kind": kind})
        line = opened(top=top).locator(".kind-line").inner_text()
        assert line.startswith(told)
    assert "no number here is a result" in line
    records = len(list((top / "lineage").glob("*/*.json")))
    jobs = opened().locator(".fact", has_text="jobs").inner_text()
    assert f"{records} of {records} fresh" in jobs


def test_a_job_is_fresh_while_its_files_code_and_the_jobs_above_it_are(study, monkeypatch):
    monkeypatch.chdir(study.path)
    before = read_account("micro")
    count = len(before["jobs"])
    assert before["fresh"] == {"jobs": count, "all": count}
    Path("results/micro/grades/base.parquet").unlink()
    states = {job["job"]: job["state"] for job in read_account("micro")["jobs"]}
    assert states["grade_predictions(run=base)"] == "missing"
    assert states["judge_claims"] == states["build_page"] == "stale", "below one that is missing"
    assert states["grade_predictions(run=teacher)"] == "fresh"
    study.edit("scripts/crop_problems.py", "\n\n\ndef ", "\n\nONE_MORE = 1\n\n\ndef ")
    Path("results/micro/lineage/correct_problems/year=2014.json").unlink()
    distil("verify", cwd=study.path)
    told = shards.decode(Path("results/micro/page/run.js").read_bytes())
    states = {job["job"]: job["state"] for job in told["jobs"]}
    assert states["crop_problems(year=2014)"] == "stale", "its code is another"
    assert states["grade_predictions(run=base)"] == "at fault"
    assert states["extract_problems(year=2014)"] == "fresh"
    fresh = sum(state == "fresh" for state in states.values())
    assert told["fresh"] == {"jobs": fresh, "all": count}, "one that left no record is counted"


@needs_chromium
def test_the_head_says_what_was_not_run(opened):
    page = opened()
    page.locator(".not-run summary").click()
    text = page.locator(".not-run").inner_text()
    assert "a student of the published size" in text
    assert "a chat model as grader (grading.judge)" in text


@needs_chromium
def test_a_printed_card_is_the_card_without_what_can_only_be_clicked(opened):
    page = opened("C4/held_out/2014-fs-04/seed-1")
    page.wait_for_selector(".card .verdict-line")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("nav", ".filters", ".grid-box", ".what-buttons"):
        assert not page.locator(hidden).first.is_visible(), hidden
    for shown in (".passport h1", ".claim-head h2", ".card .picture img", ".card .verdict-line"):
        assert page.locator(shown).first.is_visible(), shown
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)", "paper is white in the dark, too"


@needs_chromium
def test_paper_holds_every_row_and_column(opened):
    for address in ("C7/held_out", "levels", "training", "data"):
        page = opened(address)
        page.wait_for_selector(VIEWS[address])
        asked = page.locator("table.grid").get_attribute("aria-rowcount") if "/" in address else 0
        page.set_viewport_size({"width": 673, "height": 1000})  # A4 within its margins
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.wait_for_timeout(100)
        cut = page.locator("main .scroll, main .grid-box").evaluate_all(
            "all => all.filter(one => one.scrollWidth > one.clientWidth + 1)"
            ".map(one => one.getAttribute('aria-label'))"
        )
        assert cut == [], address
        assert page.locator("table.grid tr:not(.space)").count() == int(asked)


@needs_chromium
def test_columns_of_the_grid_are_narrowed_to_a_level_and_a_stop(opened):
    page = opened("C7/held_out")
    page.wait_for_selector("table.grid")
    page.locator(".choice", has_text="level").locator("select").select_option("R6")
    names = page.locator("table.grid thead th span").all_inner_texts()
    assert names, "columns are left"
    assert all("R6" in name or name.startswith(("base", "teacher")) for name in names)
    page = opened("Q1/held_out")
    page.wait_for_selector("table.grid")
    before = page.locator("table.grid thead th").count()
    stop = page.locator(".choice", has_text="stop")
    if stop.count():  # the two stops chose different checkpoints
        stop.locator("select").select_option("horizon")
        assert page.locator("table.grid thead th").count() < before
    page = opened("answers/R1@horizon/competition")
    page.wait_for_selector("table.grid")
    assert page.locator(".choice", has_text="stop").locator("select").input_value() == "horizon"
    page.locator("table.grid td").last.click()
    page.wait_for_selector(".card .fine")
    assert "#answers/R1@horizon/competition/" in page.locator(".card").inner_text()


@needs_chromium
def test_a_rule_of_the_workflow_shows_its_files_code_and_the_claims_on_it(opened, finished):
    page = opened("workflow")
    page.wait_for_selector(".dag .node")
    stages = page.locator(".dag .node").count()
    page.get_by_role("button", name="unfold every stage").click()
    assert page.locator(".dag .node").count() > stages
    page.locator('.dag .node[data-node="train_adapter"]').focus()
    page.keyboard.press("Enter")
    panel = page.locator(".node-panel")
    folder = finished.path / "results/micro/lineage/train_adapter"
    record = json.loads((folder / "fold=temporal,seed=1,variant=prompt.json").read_text())
    job = panel.locator('details:has(summary:has-text("seed=1,"))')
    job.locator("summary").click()
    text = job.inner_text()
    for side in ("input", "output"):
        assert all(one["path"] in text for one in record[side][:12])
    assert record["code"][:12] in text
    assert "lineage/train_adapter/fold=temporal,seed=1,variant=prompt.json" in text
    assert "logs/train_adapter/temporal/prompt/seed-1.log" in text
    resting = set(job.locator(".resting a").all_inner_texts())
    assert {"C4 held out", "C6 validation"} <= resting
    assert not {"C1 held out", "C2 held out"} & resting, "base and teacher rest on no adapter"
    job.get_by_role("button", name="made by split_datasets").first.click()
    assert panel.locator("h3").inner_text() == "split_datasets"
    page.locator('.workflow input[type="search"]').fill("seed-2.parquet")
    page.wait_for_selector(".dag .node.dim")
    assert page.locator('.dag .node.dim[data-node="predict_answers"]').count() == 0
    before = page.locator("svg.dag").evaluate("svg => svg.getBoundingClientRect().width")
    page.get_by_role("button", name="larger").click()
    assert page.locator("svg.dag").evaluate("svg => svg.getBoundingClientRect().width") > before


@needs_chromium
def test_two_runs_are_compared_from_a_file_chosen_on_the_page(opened, finished, tmp_path):
    top = tmp_path / "other"
    shutil.copytree(finished.path / "results/micro", top)
    path = top / "claims" / "claims.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[(frame["id"] == "C1") & (frame["estimand"] == "held_out"), "low"] = "12.5"
    frame.to_csv(path, index=False)
    done = distil("diff", finished.path / "results/micro", top, "--json", cwd=finished.path)
    moved = json.loads(done.stdout)
    assert "C1:low:held_out" in {one["cell"] for one in moved}
    (tmp_path / "moved.json").write_text(done.stdout, encoding="utf-8")
    page = opened("compare")
    assert "one run only" in page.locator("main").inner_text()
    page.locator('input[type="file"]').set_input_files(tmp_path / "moved.json")
    page.wait_for_selector(".moved")
    for one in moved:
        line = page.locator(".moved tr", has=page.get_by_text(one["cell"], exact=True)).first
        assert line.locator("td").nth(0).get_attribute("title") == (one["before"] or "")
        assert line.locator("td").nth(1).get_attribute("title") == (one["after"] or "")
        for cause, evidence in one["causes"].items():
            assert page.locator(f".cause.{cause}").count() >= 1
            assert all(page.get_by_text(said, exact=True).count() for said in evidence)
    page.get_by_role("link", name="C1:low:held_out").click()
    page.wait_for_selector('.claim-head .crumb:has-text("C1")')
    (tmp_path / "other.json").write_text('{"cells": 3}', encoding="utf-8")
    page = opened("compare")
    page.locator('input[type="file"]').set_input_files(tmp_path / "other.json")
    assert "no output of distil diff" in page.locator('[role="alert"]').inner_text()


@needs_chromium
def test_the_last_two_runs_are_compared_on_the_page(opened, study):
    """A run that changes a setting is told beside the page, with the cells that it moved."""
    study.edit("config.micro.yaml", "alpha: 0.05", "alpha: 0.01")
    study.snakemake()
    page = opened("compare", top=study.path / "results" / "micro")
    page.wait_for_selector(".moved")
    assert page.locator(".compare caption", has_text="Runs of this study").count() == 1
    assert page.get_by_role("link", name="C4:low:held_out").count() == 1
    assert page.locator(".cause.params").count() >= 1
    assert "alpha" in page.locator(".moved").first.inner_text()


# Every view, with what is shown once it is there.
VIEWS = {
    "": ".claim-list",
    "C4/held_out": "table.grid",
    "C4/held_out/2014-fs-04/seed-1": ".card .verdict-line",
    "C7/held_out": "table.grid",
    "answers": "table.grid",
    "problem/2014-fs-04": ".card .picture",
    "levels": ".example",
    "training": ".chart",
    "data": "table.plain a",
    "table/levels/gain/1": "table.grid",
    "review/2014-fs-04": "#review-2014-fs-04 .picture",
    "workflow": ".dag .node",
    "compare": ".compare table",
}


@needs_chromium
def test_no_violation_of_accessibility_is_found(opened):
    axe = Path(pytest.importorskip("axe_playwright_python").__file__).with_name("axe.min.js")
    page = opened()
    page.evaluate(axe.read_text(encoding="utf-8"))
    # The rows of a table are alike; hundreds of them take axe half a minute.
    page.add_style_tag(content="tbody tr:nth-child(n+6) { display: none }")
    for address, shown in VIEWS.items():
        page.evaluate("address => { location.hash = address }", address)
        page.wait_for_selector(shown)
        page.evaluate(
            "document.querySelectorAll('main details').forEach(one => { one.open = true })"
        )
        if address == "workflow":
            page.locator(".dag .node").first.press("Enter")
            page.wait_for_selector(".node-panel")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            # Only colours differ in the dark.
            rules = '{runOnly: ["color-contrast"]}' if scheme == "dark" else "{}"
            found = page.evaluate(f"axe.run({rules}).then(found => found.violations.map(one => "
                                  "[one.id, one.nodes.slice(0, 3).map(node => node.html)]))")  # fmt: skip
            assert found == [], (address, scheme)


@needs_chromium
def test_every_table_has_a_caption_and_headers_that_people_read(opened):
    page = opened()
    for address, shown in VIEWS.items():
        page.evaluate("address => { location.hash = address }", address)
        page.wait_for_selector(shown)
        for one in page.locator("main table").all():
            named = one.get_attribute("aria-label") or one.locator("caption").text_content()
            assert re.match(r"[A-Z].* ", named), f"{address}: {named!r} is no caption"
            for head in one.locator("thead th").all_text_contents():
                assert "_" not in head, (address, named, head)
    # Those of studies that are not at hand here, too.
    captions = (WEB / "src" / "tables.jsx").read_text(encoding="utf-8")
    captions = captions.partition("CAPTIONS = {")[2].partition("\n};")[0]
    made = {*Study.tables_made, *ReleaseStudy.tables_made}
    assert made == set(re.findall(r"^  (\w+):", captions, re.M))


@needs_chromium
def test_no_view_is_wider_than_its_screen(opened):
    for address, shown in VIEWS.items():
        page = opened(address)
        page.wait_for_selector(shown)
        for width in WIDTHS.values():
            page.set_viewport_size({"width": width, "height": 900})
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, (address, width)


def build(study: Path, top: Path, corrections: list[dict], **files: list[str]) -> None:
    """Build the page of a micro study into a folder, some of its inputs exchanged."""
    sys.path.insert(0, str(ROOT))
    from scripts import build_page

    record = json.loads(
        (study / "results/micro/lineage/build_page/job.json").read_text(encoding="utf-8")
    )
    lists = ("tables", "table_rows", "problems", "benchmarks", "answers", "predictions", "grades", "crops",
             "solutions", "traces", "curves", "stops", "duplicates", "excluded")  # fmt: skip
    given = {name: [] for name in lists}
    for one in record["input"]:
        path = str(study / one["path"])
        if one["name"] in given:
            given[one["name"]].append(path)
        else:
            given[one["name"]] = path
    places = {path.partition("/grades/")[2].removesuffix(".parquet"): path
              for path in given["grades"]}  # fmt: skip
    runs = record["params"]["runs"]
    given["grades"] = [places[run] for run in runs]
    given["predictions"] = [path.replace("/grades/", "/predictions/") for path in given["grades"]]
    outputs = {"verdicts": [], "texts": []}
    for one in record["output"]:
        path = str(top / Path(one["path"]).relative_to("results/micro"))
        if one["name"] in outputs:
            outputs[one["name"]].append(path)
        else:
            outputs[one["name"]] = path
    build_page.main(
        input=SimpleNamespace(**given | files),
        output=SimpleNamespace(**outputs),
        params=SimpleNamespace(study="micro", **record["params"] | {"corrections": corrections}),
    )


@pytest.fixture(scope="module")
def hostile(finished, tmp_path_factory) -> Path:
    """The page of the micro study with statements that nobody should print unescaped."""
    top = tmp_path_factory.mktemp("hostile")
    corrections = planted_corrections()
    files = {"problems": [], "excluded": []}
    for name in files:
        (top / name).mkdir()
    for path in sorted((finished.path / "results/micro/problems").glob("*.jsonl")):
        rows = read_jsonl(path)
        for row in rows:
            if row["id"] == "2014-fs-04":
                row |= {"corrections": corrections, "of_a_later_state": PLANTED[5]}
                row["statement"] = (
                    "<script>window.broken = 1</script></script><img src=x onerror=broken=1> "
                    + "\u202eabc\u2067 \\href{javascript:broken=1}{x} \\htmlClass{a}{b} "
                    + "x" * 10_000
                )
        out = [{**rows[0], "id": f"{path.stem}-fs-97", "statement": PLANTED[5], "excluded": ["x"]}]
        out = out if path.stem == "2014" else []
        for name, content in (("problems", rows), ("excluded", out)):
            files[name].append(str(top / name / path.name))
            write_jsonl(files[name][-1], content)
    build(finished.path, top, corrections, **files)
    account = shards.decode((finished.path / "results/micro/page/run.js").read_bytes())
    told = [job for job in account["jobs"] if "corrections" in job["params"]]
    assert {job["rule"] for job in told} == {"build_page", "correct_problems"}
    for job in told:
        job["params"]["corrections"] = corrections
    change = f"correct_problems: corrections: [] -> {json.dumps(corrections)}"
    moved = {"before": PLANTED[0], "after": PLANTED[1], "causes": {"params": [change]}}
    account["compared"] = {
        "before": "a",
        "after": "b",
        "moved": [
            {"cell": "disagreements:2014-fs-04:statement", **moved},
            {"cell": "C4:low:held_out", **moved, "before": "1", "after": "2"},
        ],
    }
    shards.write(top / "page" / "run.js", "run", account)
    return top


def planted_corrections() -> list[dict]:
    signed = {"who": "A. Teacher", "when": "2026-11-28", "why": "compared with the paper"}
    was, value, statement, option, key, _ = PLANTED
    added = {"page": "1", "statement": statement, "options": {"A": option, "B": "2"}, "answer": key}
    return [
        {"id": "2014-fs-04", "field": "statement", "was": was, "value": value, **signed},
        {"id": "2014-fs-98", "field": "problem", "was": None, "value": added, **signed},
    ]


@needs_chromium
def test_a_hostile_statement_is_text(opened, hostile):
    page = opened("problem/2014-fs-04", hostile)
    page.wait_for_selector(".card .mixed")
    assert "<script>window.broken = 1</script>" in page.locator(".card .mixed").first.inner_text()
    assert page.evaluate("window.broken") is None
    assert page.locator("a[href^='javascript']").count() == 0
    page.get_by_role("button", name=re.compile("show all")).click()
    assert "x" * 10_000 in page.locator(".card .mixed").first.inner_text()


def test_the_zip_of_others_exams_leaves_their_words_out(finished, hostile, tmp_path):
    done = distil("page", tmp_path / "sample.zip", cwd=finished.path)
    assert (done.returncode, done.stderr) == (0, "")
    with zipfile.ZipFile(tmp_path / "sample.zip") as packed:
        assert (
            packed.read("micro/index.html")
            == (finished.path / "results/micro/index.html").read_bytes()
        )
        own = shards.decode(packed.read("micro/page/texts/2014.js"))
    assert own["problems"]["2014-fs-04"]["statement"]
    study = hostile / "page" / "study.js"
    before = study.read_bytes()
    try:
        shards.write(study, "study", {**shards.decode(before), "include_statements": False})
        assert not write_zip(hostile, tmp_path / "papers.zip")
    finally:
        study.write_bytes(before)
    with zipfile.ZipFile(tmp_path / "papers.zip") as packed:
        assert f"{hostile.name}/page/run.js" in packed.namelist()
        for name in packed.namelist():
            told = packed.read(name).decode()
            if name.endswith(".js"):
                told += json.dumps(shards.decode(packed.read(name)), ensure_ascii=False)
            for words in ("window.broken = 1", *PLANTED):
                assert words not in told, name
        texts = shards.decode(packed.read(f"{hostile.name}/page/texts/2014.js"))
        run = shards.decode(packed.read(f"{hostile.name}/page/run.js"))
    assert texts["pictures"] == {}
    assert "statement" not in texts["problems"]["2014-fs-04"]
    (page,) = [job for job in run["jobs"] if job["rule"] == "build_page"]
    digest = sha256_text(canonical_json(planted_corrections()))
    assert page["params"]["corrections"] == f"sha256:{digest}"
    assert page["params"]["include_statements"] is True, "what holds no text is shown"
    (moved,) = run["compared"]["moved"]
    assert moved["causes"] == {"params": ["correct_problems: corrections"]}


def test_every_table_is_one_of_which_it_is_said_what_copies_hold(finished):
    made = {*Study.tables_made, *ReleaseStudy.tables_made}
    assert made | {"duplicates"} == {*copies.OPEN_TABLES, *copies.COLUMNS}
    for name in copies.COLUMNS.keys() & set(Study.tables_made):
        (columns,) = {tuple(row) for row in table(finished, f"tables/{name}.csv")[:1]} or [()]
        assert set(columns) - set(copies.COLUMNS[name]) <= {"statement", "key"}, name


def test_a_second_build_gives_the_same_bytes(finished, hostile):
    top = finished.path / "results" / "micro"
    names = [path.relative_to(top) for path in sorted(top.glob("page/**/*.js"))]
    assert (hostile / "index.html").read_bytes() == (top / "index.html").read_bytes()
    same = [name for name in names if name.name not in ("2014.js", "study.js", "run.js")]
    assert len(same) >= 5
    for name in same:
        assert (hostile / name).read_bytes() == (top / name).read_bytes(), name


def test_the_bundle_was_made_of_these_sources():
    names = ["build.mjs", "package.json", "package-lock.json"]
    names += [f"src/{path.name}" for path in (WEB / "src").iterdir()]
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}\n".encode() + (WEB / name).read_bytes() + b"\n")
    text = (WEB.parent / "page.html").read_text(encoding="utf-8")
    assert f'content="sha256:{digest.hexdigest()}"' in text, "run: make page-bundle"


def test_node_makes_the_same_bundle(tmp_path):
    if shutil.which("node") is None or not PARTS.is_dir():
        pytest.skip("no node with the page's parts here: make page-bundle")
    shutil.copytree(WEB, tmp_path / "web")
    (tmp_path / "web" / "node_modules").symlink_to(PARTS)
    subprocess.run(
        ["node", "build.mjs", "made.html"], cwd=tmp_path / "web", check=True, capture_output=True
    )
    made = (tmp_path / "web" / "made.html").read_bytes()
    assert made == (WEB.parent / "page.html").read_bytes()
