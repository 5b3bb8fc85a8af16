"""Fuzz the reading of exams: `python -m benchmarks.fuzzing [--seconds 600] [--keep FOLDER]`.

Pages of the sample study's papers (and of `../shared/data/contests`, where it is) are written with
open streams, then changed at random: bytes by the fuzzer, and numbers of the drawing operators by
ourselves, since these move glyphs and rules. Whatever comes of it, `distil.exams.extract` must give
rows or an `ExamError`; anything else is a crash. A death of the process (PDFium's, or a limit) is
read once more by `extract_safely`, which must turn it into an `ExamError`.

The engine is atheris, put into a throw-away folder from the package index; where it cannot be had,
the same changes are made without guidance by coverage, and the summary says so.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from distil.exams.errors import ExamError  # noqa: E402
from distil.exams.extraction import extract, extract_safely  # noqa: E402

CONTESTS = ROOT.parent / "shared" / "data" / "contests"
LIMITS = {"memory": 2 * 1024**3, "cpu_seconds": 20, "wall_seconds": 30}
MAX_BYTES = 200_000
STREAM = re.compile(rb"<<((?:(?!endobj).)*?)>>\s*stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
NUMBER = re.compile(rb"(?<![\w.#-])-?\d+(?:\.\d+)?(?![\w.])")
STRANGE = [
    b"0", b"-1", b"1", b"0.0001", b"-0.5", b"32768", b"2147483648", b"-2147483649", b"1e9", b"nan",
    b"99999999999999999999", b"3.5", b"612", b"(", b"[", b"<<", b"/F1", b"null",
]  # fmt: skip


def open_streams(data: bytes) -> bytes:
    """Return a PDF with its compressed streams written out; PDFium finds the objects itself."""

    def inflate(match: re.Match) -> bytes:
        head, body = match.groups()
        if b"/FlateDecode" not in head or re.search(
            rb"/Length1|/DecodeParms|/Image|/Type1C|/CIDFontType0C|/OpenType", head
        ):
            return match[0]
        try:
            body = zlib.decompress(body)
        except zlib.error:
            return match[0]
        head = re.sub(rb"/Filter\s*(\[\s*)?/FlateDecode(?(1)\s*\])", b"", head)
        head = re.sub(rb"/Length\s+\d+(\s+\d+\s+R)?", b"/Length %d" % len(body), head)
        return b"<<%s>>\nstream\n%s\nendstream" % (head, body)

    return STREAM.sub(inflate, data)


def make_seeds(folder: Path) -> int:
    """Write single pages of real papers to a folder; return how many."""
    import pypdfium2
    import typeset_exams

    sample = folder.parent / "sample"
    sample.mkdir()
    typeset_exams.main(
        input=SimpleNamespace(template=str(ROOT / "resources" / "sample" / "exam.typ")),
        output=SimpleNamespace(
            papers=[str(sample / f"2011-{section}.pdf") for section in ("fs", "js", "tp")],
            truth=str(sample / "truth.jsonl"),
            transfer=str(sample / "transfer.jsonl"),
        ),
        params=SimpleNamespace(
            years=[2011],
            sections={"fs": "Freshman-Sophomore", "js": "Junior-Senior", "tp": "Two-Person Speed"},
            questions={"fs": 12, "js": 12, "tp": 8},
            seed=77,
            transfer=5,
        ),
    )
    folder.mkdir()
    count = 0
    for paper in [*sorted(sample.glob("*.pdf")), *sorted(CONTESTS.glob("*.pdf"))]:
        whole = pypdfium2.PdfDocument(paper)
        for index in range(len(whole)):
            single = pypdfium2.PdfDocument.new()
            single.import_pages(whole, [index])
            path = folder / f"{paper.stem}-{index + 1}.pdf"
            single.save(path)
            single.close()
            data = open_streams(path.read_bytes())
            path.write_bytes(data)
            if len(data) > MAX_BYTES:
                path.unlink()
            else:
                count += 1
        whole.close()
    return count


def change(data: bytes, dice: random.Random) -> bytes:
    """Return a PDF with some numbers changed, and now and then a stretch left out or doubled."""
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        start = dice.randrange(max(1, len(data)))
        match = NUMBER.search(data, start)
        kind = dice.random()
        if match and kind < 0.8:
            new = dice.choice(STRANGE)
            if dice.random() < 0.6:
                value = float(match[0]) + dice.choice((-200, -12, -3, -0.5, 0.5, 3, 12, 200))
                new = b"%.3f" % value
            data = data[: match.start()] + new + data[match.end() :]
        elif kind < 0.9:
            data = data[:start] + data[start + dice.choice((1, 8, 64, 512)) :]
        else:
            piece = data[start : start + dice.choice((8, 64, 512))]
            data = data[:start] + piece + data[start:]
    return data


def read_one(data: bytes, folder: Path) -> None:
    """Read one input; leave what it raised, if not an ExamError, under `crashes`."""
    path = folder / "current.pdf"
    path.write_bytes(data)
    with (folder / "count").open("ab") as counter:
        counter.write(b".")
    try:
        extract(path)
    except ExamError:
        return
    except Exception as error:  # noqa: BLE001
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = f"{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
        (folder / "crashes" / f"{name}.pdf").write_bytes(data)
        (folder / "crashes" / f"{name}.txt").write_text(traceback.format_exc(), encoding="utf-8")


def fuzz(folder: Path, seconds: int, seed: int) -> None:
    """Read changed pages until the time is over; this process may die at any of them."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        import atheris
    except ImportError:
        dice = random.Random(seed)  # noqa: S311
        pages = [path.read_bytes() for path in sorted((folder / "seeds").iterdir())]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ctypes.CDLL(None).alarm(LIMITS["wall_seconds"])
            read_one(change(dice.choice(pages), dice), folder)
        return
    os.dup2(devnull, 1)
    with atheris.instrument_imports(include=["distil.exams"]):
        from distil.exams import answer_sheets, problems  # noqa: F401
        from distil.exams.text import columns, glyphs, layout, mathematics  # noqa: F401

    def mutate(data: bytes, size: int, start: int) -> bytes:
        dice = random.Random(start)  # noqa: S311
        data = change(data, dice) if dice.random() < 0.7 else atheris.Mutate(data, len(data))
        return data[:size]

    arguments = [
        sys.argv[0], str(folder / "corpus"), str(folder / "seeds"), f"-max_len={MAX_BYTES}",
        f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={LIMITS['wall_seconds']}",
        f"-rss_limit_mb={LIMITS['memory'] // 1024**2}", f"-artifact_prefix={folder}/artifact-",
    ]  # fmt: skip
    atheris.Setup(arguments, lambda data: read_one(data, folder), custom_mutator=mutate)
    atheris.Fuzz()


def install_atheris(folder: Path) -> str:
    """Put atheris into a folder; return the name of the engine that can be used."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:",
         "--target", str(folder), "atheris"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return "random changes without coverage (atheris cannot be installed here)"
    version = next(folder.glob("atheris-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    return f"atheris {version.removesuffix('.dist')}"


def run(seconds: int, folder: Path) -> dict:
    """Fuzz for some seconds.

    Args:
        seconds: on the clock, the making of the seeds left out.
        folder: empty; the crashes stay there.

    Returns:
        engine, seconds, seeds (pages), readings, deaths (of the process, all turned into an
        ExamError by `extract_safely`) and crashes (names; the inputs lie in `folder/crashes`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine = install_atheris(folder / "engine")
    seeds = make_seeds(folder / "seeds")
    for name in ("corpus", "crashes"):
        (folder / name).mkdir()
    (folder / "count").touch()
    deaths = 0
    clock = time.monotonic()
    while (left := int(seconds - (time.monotonic() - clock))) > 1:
        command = [sys.executable, "-m", "benchmarks.fuzzing", "--inside", str(folder)]
        done = subprocess.run(
            [*command, "--seconds", str(left), "--seed", str(deaths + 1)],
            cwd=ROOT, check=False, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(folder / "engine")},
        )  # fmt: skip
        if done.returncode == 0:
            continue
        deaths += 1
        current = folder / "current.pdf"
        if not current.exists():
            raise RuntimeError(f"the fuzzer does not start: {done.stderr[-2000:]}")
        saved = folder / f"death-{deaths}.pdf"
        saved.write_bytes(current.read_bytes())
        (folder / f"death-{deaths}.txt").write_text(done.stderr[-4000:], encoding="utf-8")
        try:
            extract_safely(saved, **LIMITS)
        except ExamError as error:
            if "failed" in error.cause:
                saved.rename(folder / "crashes" / saved.name)
        except Exception:  # noqa: BLE001
            saved.rename(folder / "crashes" / saved.name)
    return {
        "engine": engine,
        "seconds": round(time.monotonic() - clock),
        "seeds": seeds,
        "readings": (folder / "count").stat().st_size,
        "deaths": deaths,
        "crashes": sorted(path.stem for path in (folder / "crashes").glob("*.pdf")),
    }


def main() -> int:
    """Fuzz and print the summary; return 1 if there was a crash."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", type=Path, help="a new folder for the inputs that crash")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        fuzz(options.inside, options.seconds, options.seed)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        summary = run(options.seconds, options.keep or Path(scratch))
    print(json.dumps(summary, indent=1))
    return bool(summary["crashes"])


if __name__ == "__main__":
    sys.exit(main())
