r"""Extraction against other tools: `python benchmarks/extraction.py [--tools] [--scans [NAME]]`.

Reads the text PDFs of `../shared/data/contests` and compares with their ground truth. Other tools
run from a throw-away environment beside the system's temporary files (`--tools` installs pypdf,
pdfplumber, pdfminer.six, pymupdf4llm and rapidocr there, none of which the study uses but rapidocr,
if asked; pdftotext and tesseract are used if they are on PATH); all of them get the same splitting
at numbers, since they give text only. pymupdf4llm gives Markdown, whose raised text counts as
exponents. With `--scans` the scanned papers of `../shared/data/jobmc-release` are read and compared
with the release's own transcription, with `--tools` beside plain tesseract and rapidocr alone;
`--third rapidocr==3.10.0` reads them with that third reading, as a study file may ask for.

Scores: F1 of problems found with their number and a text at least 80 % alike; mean similarity of
characters (difflib, spaces left out); share of problems with every exponent, fraction, subscript
right; processor milliseconds a page, each paper's fastest of five readings by every tool, since
others use the machine too (ratios count, not absolute values).
"""

from __future__ import annotations

import argparse
import difflib
import functools
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from distil.exams.extraction import extract  # noqa: E402
from distil.notation.plain import plain  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
ROUNDS = 5
TARGET = {
    "f1": 0.99, "similarity": 0.98, "sup": 0.98, "frac": 0.95, "sub": 0.97, "ms_page": 60.0,
}  # fmt: skip
OTHERS = {
    "pypdf": "import sys,pypdf\nprint('\\n'.join(p.extract_text() for p in "
    "pypdf.PdfReader(sys.argv[1]).pages))",
    "pdfplumber": "import sys,pdfplumber\nprint('\\n'.join(p.extract_text() or '' for p in "
    "pdfplumber.open(sys.argv[1]).pages))",
    "pdfminer.six": "import sys\nfrom pdfminer.high_level import extract_text\n"
    "print(extract_text(sys.argv[1]))",
}
# pymupdf4llm asks rapidocr for pages that it takes for scans, if it is there.
MARKDOWN = "import sys,pymupdf4llm\nprint(pymupdf4llm.to_markdown(sys.argv[1],show_progress=False))"
# Each page drawn at the dots per inch that the reader likes best, then read by it alone.
TESSERACT = """import io,os,subprocess,sys,pypdfium2
os.environ["OMP_THREAD_LIMIT"]="1"  # threads cost more than they bring
for page in pypdfium2.PdfDocument(sys.argv[1]):
    drawn=io.BytesIO()
    page.render(scale=300/72).to_pil().save(drawn,"PNG")
    command=["tesseract","-","-","--psm","6"]  # else the numbers are a column of their own
    print(subprocess.run(command,input=drawn.getvalue(),capture_output=True).stdout.decode())
"""
RAPIDOCR = """import sys,pypdfium2,numpy
from rapidocr import RapidOCR
engine=RapidOCR(params={"Global.log_level":"error"})
for page in pypdfium2.PdfDocument(sys.argv[1]):
    found=engine(numpy.asarray(page.render(scale=200/72).to_pil().convert("RGB"))[:,:,::-1])
    print("\\n".join(found.txts or ()))
"""
PYPDFIUM = (
    "import sys,pypdfium2\nprint('\\n'.join(p.get_textpage().get_text_bounded() for p in "
    "pypdfium2.PdfDocument(sys.argv[1])))"
)


def squeeze(text: str) -> str:
    """Return text without spaces, its quotes and dashes in one form."""
    text = text.replace("\u2212", "-").replace("\u0302", "").replace("\u2019", "'")
    return re.sub(r"\s+", "", text)


def similarity(one: str, other: str) -> float:
    """Return how alike two texts are, 0 to 1, spaces left out."""
    return difflib.SequenceMatcher(None, squeeze(one), squeeze(other), autojunk=False).ratio()


def atoms(latex: str) -> dict[str, Counter]:
    """Return the exponents, subscripts and fractions of a LaTeX-ish text, flat and counted."""
    # The truth counts no upper limits of big operators as exponents.
    latex = re.sub(
        r"(\\(?:sum|prod|bigcup|bigcap|int)(?:_\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})?)\^\{[^{}]*\}",
        r"\1",
        latex,
    )
    found: dict[str, Counter] = {"sup": Counter(), "sub": Counter(), "frac": Counter()}
    for match in re.finditer(r"[\^_](?=\{)|\\frac(?=\{)", latex):
        inner, end = group(latex, match.end())
        flat = squeeze(plain(inner, brackets=False))
        if match.group() == r"\frac":
            below, _ = group(latex, end)
            found["frac"][flat, squeeze(plain(below, brackets=False))] += 1
        elif flat not in ("\u2218", "'"):
            found["sup" if match.group() == "^" else "sub"][flat] += 1
    return found


def group(text: str, start: int) -> tuple[str, int]:
    """Return what the brace group at `start` holds, and where it ends."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "{" and text[index - 1] != "\\":
            depth += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            depth -= 1
            if depth == 0:
                return text[start + 1 : index], index + 1
    return text[start + 1 :], len(text)


def split_numbers(text: str) -> dict[str, str]:
    """Split a tool's text at its numbers: the longest run 1, 2, 3 ... (the last of equals)."""
    return max(reversed(number_runs(text)), key=len, default={})


def number_runs(text: str, jump: int = 1) -> list[dict[str, str]]:
    """Return every run 1, 2, 3 ... of line starts, with the text up to the next number.

    Args:
        text: of a paper.
        jump: how far from one number to the next, where recognition may lose some, or the space
            after some, or give them lines of their own.
    """
    after = r"\s|$|(?=[A-Z(])" if jump > 1 else r"\s"
    lines = text.replace("\r", "").split("\n")
    starts = [
        (index, int(match[1]), match.end())
        for index, line in enumerate(lines)
        if (match := re.match(rf"\s*(\d{{1,2}})[.)](?:{after})", line))
    ]
    found = []
    for first in range(len(starts)):
        if starts[first][1] > jump:
            continue
        run = [starts[first]]
        for other in starts[first + 1 :]:
            if run[-1][1] < other[1] <= run[-1][1] + jump:
                run.append(other)
        problems = {}
        for place, (index, number, cut) in enumerate(run):
            stop = run[place + 1][0] if place + 1 < len(run) else len(lines)
            problems[str(number)] = " ".join([lines[index][cut:], *lines[index + 1 : stop]])
        found.append(problems)
    return found


def truth_of_contests() -> dict[str, dict[str, dict]]:
    """Return the ground truth by file and number."""
    truth: dict[str, dict[str, dict]] = {}
    for line in (DATA / "contests" / "ground_truth.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        truth.setdefault(row["pdf"], {})[str(row["number"])] = row
    return truth


def score(found: dict[str, dict[str, str]], latex: bool, misses: list | None = None) -> dict:
    """Return the scores of problems found, by file and number, against the ground truth."""
    truth = truth_of_contests()
    hits = spurious = total = 0
    alike = []
    right, asked = Counter(), Counter()
    for name, rows in truth.items():
        got = found.get(name, {})
        total += len(rows)
        spurious += len(set(got) - set(rows))
        for number, row in rows.items():
            text = got.get(number, "")
            flat = plain(text, brackets=False) if latex else text
            ratio = similarity(flat, row["plain"])
            alike.append(ratio)
            hits += ratio >= 0.8
            spurious += bool(text) and ratio < 0.8
            mine = atoms(text) if latex else None
            if misses is not None and ratio < 0.97:
                misses.append((row["id"], "similarity", round(ratio, 3), flat, row["plain"]))
            for kind in ("sup", "sub", "frac"):
                gold = Counter(
                    tuple(squeeze(p) for p in atom) if kind == "frac" else squeeze(atom)
                    for atom in row["atoms"][kind]
                )
                if not gold:
                    continue
                asked[kind] += 1
                if mine is not None and mine[kind] == gold:
                    right[kind] += 1
                elif misses is not None:
                    misses.append(
                        (row["id"], kind, dict(gold - mine[kind]), dict(mine[kind] - gold))
                    )
    precision = hits / max(1, hits + spurious)
    recall = hits / total
    return {
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "similarity": sum(alike) / len(alike),
        **{kind: (right[kind], asked[kind]) for kind in ("sup", "frac", "sub")},
    }


def plain_markdown(text: str) -> str:
    """Return Markdown as LaTeX-like text: raised text as exponents, without emphasis and heads."""
    text = re.sub(r"<sup>(.*?)</sup>", r"^{\1}", text)
    return re.sub(r"</?u>|~~|\*\*|(?<!\w)_|_(?!\w)|^#+ ", "", text, flags=re.M)


def fastest(read: Callable[[], Any], rounds: int = ROUNDS) -> tuple[Any, float]:
    """Return what a function gives, and the least processor seconds of some calls of it."""
    seconds = []
    for _ in range(rounds):
        clock = processor_time()
        found = read()
        seconds.append(processor_time() - clock)
    return found, min(seconds)


def processor_time() -> float:
    """Return processor seconds of this process and its ended children."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def run_extract(papers: list[Path]) -> tuple[dict, float]:
    """Return what `extract` finds and its seconds."""
    found, total = {}, 0.0
    for paper in papers:
        rows, seconds = fastest(lambda paper=paper: extract(paper))
        found[paper.name] = {row["number"]: row["statement"] for row in rows}
        total += seconds
    return found, total


def run_command(
    papers: list[Path],
    command: list[str],
    imports: list[str],
    rounds: int = ROUNDS,
    read: Callable[[str], str] = str,
) -> tuple[dict, float]:
    """Return what a tool's text splits into, and its seconds less those of starting it."""
    found, total = {}, 0.0
    idle = fastest(lambda: run(imports), rounds)[1] if imports else 0.0
    for paper in papers:
        words = [part if part != "PDF" else str(paper) for part in command]
        text, seconds = fastest(lambda words=words: run(words), rounds)
        found[paper.name] = split_numbers(read(text))
        total += max(0.0, seconds - idle)
    return found, total


def run(command: list[str]) -> str:
    """Return what a command prints."""
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")


def tools_environment() -> str:
    """Make the throw-away environment of the other tools; return its Python."""
    folder = Path(tempfile.gettempdir()) / "extraction-tools"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "pypdf", "pdfplumber", "pdfminer.six",
         "pymupdf4llm>=1,<2", "rapidocr==3.10.0", "onnxruntime", "pypdfium2"],
        check=True,
    )  # fmt: skip
    return str(python)


def contests(with_tools: bool, show_misses: bool) -> None:
    """Print the table of the text PDFs."""
    papers = sorted((DATA / "contests").glob("*.pdf"))
    import pypdfium2

    pages = 0
    for paper in papers:
        document = pypdfium2.PdfDocument(paper)
        pages += len(document)
        document.close()
    results = {}
    misses: list = []
    found, seconds = run_extract(papers)
    results["distil.exams"] = {
        **score(found, latex=True, misses=misses), "ms_page": 1000 * seconds / pages,
    }  # fmt: skip
    jobs = [("pypdfium2", sys.executable, PYPDFIUM)]
    if with_tools:
        python = tools_environment()
        jobs += [(name, python, code) for name, code in OTHERS.items()]
    commands = {
        name: ([python, "-c", code, "PDF"], [python, "-c", code[: code.rindex("\nprint(")]])
        for name, python, code in jobs
    }
    if shutil.which("pdftotext"):
        commands["pdftotext -layout"] = ["pdftotext", "-layout", "PDF", "-"], []
    for name, (command, imports) in commands.items():
        found, seconds = run_command(papers, command, imports)
        results[name] = {**score(found, latex=False), "ms_page": 1000 * seconds / pages}
    if with_tools:
        code = MARKDOWN
        command = [python, "-c", code, "PDF"], [python, "-c", code[: code.rindex("\nprint(")]]
        found, seconds = run_command(papers, *command, rounds=1, read=plain_markdown)
        results["pymupdf4llm"] = {**score(found, latex=True), "ms_page": 1000 * seconds / pages}
    print("| tool | F1 | similarity | exponents | fractions | subscripts | ms/page |")
    print("|---|---|---|---|---|---|---|")
    for name, row in results.items():
        parts = [f"{row[kind][0]}/{row[kind][1]}" for kind in ("sup", "frac", "sub")]
        print(
            f"| {name} | {row['f1']:.3f} | {row['similarity']:.4f} | {' | '.join(parts)} "
            f"| {row['ms_page']:.0f} |"
        )
    print("| target | .99 | .98 | 98 % | 95 % | 97 % | 60 |")
    if show_misses:
        for miss in misses:
            print(*miss, sep="\n   ")


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", action="store_true", help="install and run the other tools")
    parser.add_argument("--misses", action="store_true", help="list what is not right")
    parser.add_argument("--scans", nargs="*", help="read scanned papers too: all, or those named")
    parser.add_argument("--third", metavar="PACKAGE", help="the scans' third reading, if any")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA} is absent; the benchmark needs its papers")
    contests(options.tools, options.misses)
    if options.scans is not None:
        import scans

        print("== this repository")
        reader = functools.partial(extract, third_reading=options.third)
        scans.report(DATA / "jobmc-release", options.scans, read=reader)
        if options.tools:
            for name, code in (("tesseract", TESSERACT), ("rapidocr", RAPIDOCR)):
                print(f"== {name} alone")
                scans.report(DATA / "jobmc-release", options.scans, False, read_alone(code))


def read_alone(code: str) -> Callable[[Path], list[dict]]:
    """Return a reader of papers that gives what another tool's text splits into."""
    python = tools_environment()

    def read(paper: Path) -> list[dict]:
        return [
            {"section": str(place), "number": number, "statement_plain": text, "options": [],
             "answer": None, "answer_raw": None, "flags": ["given by another tool"]}
            for place, problems in enumerate(number_runs(run([python, "-c", code, str(paper)]), 3))
            for number, text in problems.items()
        ]  # fmt: skip

    return read


if __name__ == "__main__":
    main()
