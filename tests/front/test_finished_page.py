"""The page of a study in a browser, from file://: skipped where there is no Chromium."""

from __future__ import annotations

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

from distil.claims.selections import paired, read_study
from distil.content.files import read_jsonl, write_jsonl
from distil.inference.gains import accuracy, paired_gain
from distil.report.page import shards
from distil.report.page.copies import write_zip
from distil.review.corrections import read_corrections
from tests.front.test_command_line import distil
from tests.workflow.checkout import ROOT

WEB = ROOT / "distil" / "report" / "page" / "web"
PARTS = ROOT / "build" / "page" / "node_modules"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)
WIDTHS = {"phone": 390, "laptop": 1280, "screen": 1920}


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


@needs_chromium
def test_a_cell_leads_to_the_page_of_the_exam_the_answer_and_its_verdict(
    opened, finished, monkeypatch
):
    monkeypatch.chdir(finished.path)
    rows = pd.read_parquet("results/micro/claims/rows.parquet")
    rows = rows[rows["row"].str.contains("#") & (rows["claim"] == "C4")]
    graded = pd.read_parquet("results/micro/grades/answers.parquet")
    graded = graded.drop_duplicates("row").set_index("row")
    for row, estimand in random.Random(2).sample(
        sorted(set(zip(rows["row"], rows["estimand"], strict=True))), 10
    ):
        run, _, name = row.partition("#")
        answer = graded.loc[row]
        slug = run if run in ("base", "teacher") else run.rpartition("/")[2]
        page = opened(f"C4/{estimand}/{answer['problem']}/{slug}")
        page.wait_for_selector(".card .verdict-line")
        card = page.locator(".card")
        said = pd.read_parquet(f"results/micro/predictions/{run}.parquet").set_index("id").loc[name]
        grade = pd.read_parquet(f"results/micro/grades/{run}.parquet").set_index("id").loc[name]
        assert card.locator('[data-test="verdict"]').inner_text() == grade["verdict"]
        assert grade["rule"] in card.inner_text()
        lines = [
            line for line in said["text"].split("\n") if line and not re.search(r"[\\^_]", line)
        ]
        for line in lines:
            assert line.strip() in card.locator(".response").inner_text()
        assert said["token_ids_sha256"] in card.locator(".chain").inner_text() or run == "teacher"
        problem = next(
            one for one in read_jsonl(f"results/micro/problems/{int(answer['year'])}.jsonl")
            if one["id"] == answer["problem"]
        )  # fmt: skip
        assert problem["pdf_sha256"] in card.locator(".chain").inner_text()
        assert f"page {problem['page']}" in card.locator(".picture").first.inner_text()
        width = card.locator(".picture img").first.evaluate("image => image.naturalWidth")
        assert width > 50
    done = distil(
        "explain", f"results/micro/grades/answers.parquet#{row}", "--json", cwd=finished.path
    )
    assert said["token_ids_sha256"] in done.stdout or run == "teacher"
    assert problem["pdf_sha256"] in done.stdout


def arithmetic(page) -> dict[str, float]:
    page.locator(".arithmetic summary").click()
    return {
        name: float(page.locator(f'[data-test="{name}"]').inner_text())
        for name in ("estimate", "low", "high")
    }


@needs_chromium
def test_the_arithmetic_gives_the_numbers_of_the_table(opened, finished):
    checked = set()
    for row in table(finished):
        page = opened(f"{row['id']}/{row['estimand']}")
        if row["here"] == "" or row["low"] == "":
            continue
        if page.locator(".grid").count() == 0 and page.locator(".arithmetic-none").count() == 0:
            page.wait_for_timeout(300)
        if page.locator(".arithmetic").count() == 0:
            continue
        found = arithmetic(page)
        wanted = {"estimate": row["here"], "low": row["low"], "high": row["high"]}
        for name, text in wanted.items():
            assert found[name] == pytest.approx(float(text), abs=0.00501), (row["id"], name)
        checked.add(row["id"])
    assert {"C1", "C3", "C4"} <= checked


@needs_chromium
def test_what_if_gives_what_the_estimators_give(opened, finished, monkeypatch):
    monkeypatch.chdir(finished.path)
    record = json.loads(Path("results/micro/lineage/judge_claims/job.json").read_text())
    files = {"stops": [], "curves": []}
    for one in record["input"]:
        if one["name"] in files:
            files[one["name"]].append(one["path"])
    from distil.claims.formulas import base, student

    study = read_study("results/micro/grades/answers.parquet", files["stops"], record["params"])
    tuned, plain = paired(student(study, "held_out"), base(study, "held_out"))
    right = tuned.right.to_numpy() - plain.right.to_numpy()
    names = list(tuned.right.index)
    page = opened(f"C4/held_out/{names[0]}/seed-{next(iter(tuned.right))}")
    page.wait_for_selector(".card .verdict-line")
    page.get_by_role("button", name=re.compile("what if")).click()
    changed = right.copy()
    changed[0, 0] += 1 if tuned.right.iloc[0, 0] == 0 else -1
    expected = paired_gain(changed, tuned.clusters, study.alpha, tuned.strata)
    for name, value in (("changed", expected.estimate), ("changed-low", expected.low),
                        ("changed-high", expected.high)):  # fmt: skip
        assert float(page.locator(f'[data-test="{name}"]').inner_text()) == pytest.approx(
            100 * value, abs=0.00501
        )
    page.get_by_role("button", name="take the toggle back").click()
    page.get_by_role("button", name="strike this question").click()
    strata = None if tuned.strata is None else tuned.strata[1:]
    expected = paired_gain(right[1:], tuned.clusters[1:], study.alpha, strata)
    assert float(page.locator('[data-test="changed"]').inner_text()) == pytest.approx(
        100 * expected.estimate, abs=0.00501
    )
    assert np.isfinite(accuracy(tuned.right, tuned.clusters).low)


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
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_of_accessibility_is_found(opened, scheme):
    axe = PARTS / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("no axe-core here: make page-bundle")
    for address in ("", "C4/held_out", "levels", "training", "data", "review", "workflow"):
        page = opened(address)
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)
        page.evaluate(axe.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(found => found.violations.map(one => "
                              "[one.id, one.nodes.slice(0, 3).map(node => node.html)]))")  # fmt: skip
        assert found == [], address


@needs_chromium
def test_no_view_is_wider_than_its_screen(opened):
    for address in ("", "C4/held_out/2014-fs-04/seed-1", "levels", "training", "data", "review"):
        page = opened(address)
        for width in WIDTHS.values():
            page.set_viewport_size({"width": width, "height": 900})
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, (address, width)


@pytest.fixture(scope="module")
def hostile(finished, tmp_path_factory) -> Path:
    """The page of the micro study with statements that nobody should print unescaped."""
    sys.path.insert(0, str(ROOT))
    from scripts import build_page

    top = tmp_path_factory.mktemp("hostile")
    record = json.loads(
        (finished.path / "results/micro/lineage/build_page/job.json").read_text(encoding="utf-8")
    )
    lists = ("tables", "problems", "benchmarks", "answers", "predictions", "grades", "crops",
             "solutions", "traces", "curves", "stops", "duplicates")  # fmt: skip
    given = {name: [] for name in lists}
    for one in record["input"]:
        path = str(finished.path / one["path"])
        if one["name"] in given:
            given[one["name"]].append(path)
        else:
            given[one["name"]] = path
    places = {path.partition("/grades/")[2].removesuffix(".parquet"): path
              for path in given["grades"]}  # fmt: skip
    runs = record["params"]["runs"]
    given["grades"] = [places[run] for run in runs]
    given["predictions"] = [path.replace("/grades/", "/predictions/") for path in given["grades"]]
    problems = []
    for path in given["problems"]:
        rows = read_jsonl(path)
        for row in rows:
            if row["id"] == "2014-fs-04":
                row["statement"] = (
                    "<script>window.broken = 1</script></script><img src=x onerror=broken=1> "
                    + "\u202eabc\u2067 \\href{javascript:broken=1}{x} \\htmlClass{a}{b} "
                    + "x" * 10_000
                )
        problems.append(str(top / Path(path).name))
        write_jsonl(problems[-1], rows)
    given["problems"] = problems
    outputs = {"verdicts": [], "texts": []}
    for one in record["output"]:
        path = str(top / Path(one["path"]).relative_to("results/micro"))
        if one["name"] in outputs:
            outputs[one["name"]].append(path)
        else:
            outputs[one["name"]] = path
    build_page.main(
        input=SimpleNamespace(**given),
        output=SimpleNamespace(**outputs),
        params=SimpleNamespace(study="micro", **record["params"]),
    )
    return top


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
        shards.write(study, "study", {**shards.decode(before), "kind": "papers"})
        assert not write_zip(hostile, tmp_path / "papers.zip")
    finally:
        study.write_bytes(before)
    with zipfile.ZipFile(tmp_path / "papers.zip") as packed:
        for name in packed.namelist():
            if name.endswith(".js"):
                assert "window.broken = 1" not in json.dumps(shards.decode(packed.read(name)))
        texts = shards.decode(packed.read(f"{hostile.name}/page/texts/2014.js"))
    assert texts["pictures"] == {}
    assert "statement" not in texts["problems"]["2014-fs-04"]


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
