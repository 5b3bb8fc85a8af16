"""Broken and hostile PDFs: a clear error each, in bounded time and memory, and the rest goes on."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from distil.exams.errors import ExamError
from distil.exams.extraction import extract_safely

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30
MEMORY = 2 * 1024**3
TEXT = (
    b"BT /F1 12 Tf 72 700 Td (1. Find the sum of 1 and 2.) Tj 0 -40 Td (2. Find 3 times 4.) Tj ET"
)


def stream(data: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), extra, data)


def flate(data: bytes, extra: bytes = b"") -> bytes:
    return stream(zlib.compress(data, 9), b"/Filter /FlateDecode " + extra)


def pdf(objects: dict[int, bytes], root: int = 1, trailer: bytes = b"") -> bytes:
    """Return a PDF of numbered objects with a right cross-reference table."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    size = max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 %s \n" % (places.get(number, 0), b"n" if number in places else b"f")
    out += b"trailer\n<< /Size %d /Root %d 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size, root, trailer, start,
    )  # fmt: skip
    return bytes(out)


def paper(
    content: bytes = b"",
    *,
    box: bytes = b"[0 0 612 792]",
    resources: bytes = b"/Font << /F1 5 0 R >>",
    page: bytes = b"",
    more: dict[int, bytes] | None = None,
) -> bytes:
    """Return a PDF with one page."""
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents 4 0 R /Resources << %s >> %s >>"
            % (box, resources, page),
            4: content or stream(TEXT),
            5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            **(more or {}),
        }
    )


def bomb(size: int, unit: bytes = b" ") -> bytes:
    """Return compressed data that inflates to `size` bytes, made without holding them."""
    packer = zlib.compressobj(9)
    block = unit * (1024 * 1024 // len(unit))
    parts = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, packer.flush()])


def page_bomb() -> bytes:
    data = bomb(200 * 1024**2, b"0 0 m 1 1 l S\n")
    return paper(stream(data, b"/Filter /FlateDecode"))


def double_bomb() -> bytes:
    inner = bomb(1024**3)
    data = zlib.compress(inner, 9)
    return paper(stream(data, b"/Filter [/FlateDecode /FlateDecode]"))


def text_bomb() -> bytes:
    data = bomb(60 * 1024**2, b"BT /F1 9 Tf 1 0 0 1 72 700 Tm (aaaaaaaaaaaaaaaaaaaaaaaa) Tj ET\n")
    return paper(stream(data, b"/Filter /FlateDecode"))


def encrypted() -> bytes:
    data = paper()
    crypt = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -44 /O <%s> /U <%s> >> /ID [<%s> <%s>]" % (
        b"ab" * 32,
        b"cd" * 32,
        b"01" * 16,
        b"01" * 16,
    )
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R " + crypt)


def self_form(mutual: bool) -> bytes:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /X %d 0 R >> >>"
    return paper(
        stream(b"/X Do"),
        resources=b"/XObject << /X 6 0 R >>",
        more={
            6: stream(b"/X Do /X Do", form % (7 if mutual else 6)),
            7: stream(b"/X Do /X Do", form % 6),
        },
    )


def form_tree(depth: int) -> bytes:
    """Return forms that call the next one twice, 2 ** depth calls in all."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /X %d 0 R >> >>"
    more = {6 + level: stream(b"/X Do /X Do", form % (7 + level)) for level in range(depth)}
    more[6 + depth] = stream(b"0 0 m 9 9 l S", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    return paper(stream(b"/X Do"), resources=b"/XObject << /X 6 0 R >>", more=more)


def many_pages() -> bytes:
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [%s] /Count 3000 >>" % (b"3 0 R " * 3000),
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
    }
    return pdf(objects)


def loose_pages(kids: bytes, count: int) -> bytes:
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [%s] /Count %d /Parent 2 0 R >>" % (kids, count),
        }
    )


def big_image() -> bytes:
    return paper(
        stream(b"612 0 0 792 0 0 cm /I Do"),
        resources=b"/XObject << /I 6 0 R >>",
        more={
            6: stream(
                bomb(40 * 1024**2, b"\x00"),
                b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 "
                b"/ColorSpace /DeviceGray /Filter /FlateDecode",
            )
        },
    )


def self_cmap() -> bytes:
    return paper(
        more={
            5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
            6: stream(b"/Self usecmap begincmap 1 beginbfrange <00> <ff> <0000> endbfrange", b"/UseCMap 6 0 R"),
        }
    )  # fmt: skip


def self_pattern() -> bytes:
    return paper(
        stream(b"/Pattern cs /P scn 0 0 600 700 re f"),
        resources=b"/Pattern << /P 6 0 R >>",
        more={
            6: stream(
                b"/Pattern cs /P scn 0 0 9 9 re f",
                b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] "
                b"/XStep 0.001 /YStep 0.001 /Resources << /Pattern << /P 6 0 R >> >>",
            )
        },
    )


def xref_loop() -> bytes:
    data = paper()
    start = data.rindex(b"startxref")
    place = int(data[start + 10 :].split()[0])
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % place)


def object_stream_loop() -> bytes:
    data = stream(b"7 0 << /Type /ObjStm >>", b"/Type /ObjStm /N 1 /First 4 /Extends 6 0 R")
    return paper(more={6: data, 7: b"6 0 R"}, page=b"/Annots 7 0 R")


HOSTILE = {
    "empty": lambda: b"",
    "text": lambda: b"1. Find the sum.\n2. Find the product.\n",
    "html": lambda: b"<!DOCTYPE html><html><body>404 not found</body></html>",
    "html-upper": lambda: b"\n\n<HTML><BODY>Sign in</BODY></HTML>",
    "jpeg": lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(500),
    "zip": lambda: b"PK\x03\x04" + bytes(500),
    "header-only": lambda: b"%PDF-1.7\n",
    "header-and-end": lambda: b"%PDF-1.7\n%%EOF\n",
    "truncated": lambda: paper()[:300],
    "truncated-head": lambda: paper()[350:],
    "no-root": lambda: paper().replace(b"/Root 1 0 R", b""),
    "null-root": lambda: paper().replace(b"/Root 1 0 R", b"/Root null"),
    "root-is-page": lambda: pdf({1: b"<< /Type /Page >>"}),
    "zero-pages": lambda: loose_pages(b"", 0),
    "page-tree-loop": lambda: loose_pages(b"2 0 R", 1),
    "page-tree-wide-loop": lambda: loose_pages(b"2 0 R 2 0 R 2 0 R", 1_000_000),
    "kids-missing": lambda: loose_pages(b"9 0 R 10 0 R", 2),
    "count-lies": lambda: loose_pages(b"", 2_000_000_000),
    "many-pages": many_pages,
    "encrypted": encrypted,
    "no-contents": lambda: paper(b"null"),
    "blank": lambda: paper(stream(b"")),
    "prose": lambda: paper(stream(b"BT /F1 12 Tf 72 700 Td (Nothing is asked here.) Tj ET")),
    "contents-loop": lambda: paper(b"[4 0 R 4 0 R]"),
    "bad-deflate": lambda: paper(stream(b"\x78\x9c" + bytes(range(256)) * 4, b"/Filter /FlateDecode")),
    "inflates-to-200-MB": page_bomb,
    "inflates-to-1-GB": double_bomb,
    "sixty-megabytes-of-text": text_bomb,
    "self-form": lambda: self_form(mutual=False),
    "mutual-forms": lambda: self_form(mutual=True),
    "form-tree": lambda: form_tree(40),
    "huge-box": lambda: paper(box=b"[0 0 1000000000 1000000000]"),
    "large-box": lambda: paper(box=b"[0 0 200000 200000]"),
    "tiny-box": lambda: paper(box=b"[0 0 0.001 0.001]"),
    "not-a-number-box": lambda: paper(box=b"[0 0 nan 1e999]", content=stream(b"")),
    "huge-unit": lambda: paper(page=b"/UserUnit 1e9", content=stream(b"")),
    "huge-image": big_image,
    "self-cmap": lambda: self_cmap().replace(TEXT, b" " * len(TEXT)),
    "self-pattern": self_pattern,
    "xref-loop": lambda: xref_loop().replace(TEXT, b" " * len(TEXT)),
    "object-stream-loop": lambda: object_stream_loop().replace(TEXT, b" " * len(TEXT)),
    "nested-arrays": lambda: paper(b"[" * 200_000),
    "nested-dicts": lambda: paper(b"<< /A " * 200_000),
    "nested-states": lambda: paper(flate(b"q " * 3_000_000)),
    "no-font": lambda: paper(stream(b"BT (1. Find) Tj ET"), resources=b""),
    "invisible-text": lambda: paper(stream(b"BT 3 Tr /F1 12 Tf 72 700 Td (1. Find 2.) Tj ET")),
}  # fmt: skip


def test_there_are_at_least_thirty():
    assert len(HOSTILE) >= 30


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pdf_gives_a_clear_error_in_time(name, tmp_path):
    path = tmp_path / f"{name}.pdf"
    path.write_bytes(HOSTILE[name]())
    clock = time.monotonic()
    with pytest.raises(ExamError) as caught:
        extract_safely(path, memory=MEMORY, cpu_seconds=SECONDS - 10, wall_seconds=SECONDS - 5)
    assert time.monotonic() - clock < SECONDS
    text = str(caught.value)
    assert str(path) in text
    assert caught.value.cause
    assert caught.value.remedy
    assert len(text.splitlines()) == 1
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert used * (1 if sys.platform == "darwin" else 1024) <= MEMORY


def test_the_builder_of_these_files_also_makes_a_paper_that_can_be_read(tmp_path):
    path = tmp_path / "good.pdf"
    path.write_bytes(paper())
    rows = extract_safely(path)
    assert [row["statement"] for row in rows] == ["Find the sum of 1 and 2.", "Find 3 times 4."]


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.pdf", tmp_path):
        with pytest.raises(ExamError, match="no such file") as caught:
            extract_safely(path)
        assert caught.value.path == str(path)


def test_another_sha256_than_the_manifests_is_an_error(tmp_path):
    path = tmp_path / "good.pdf"
    path.write_bytes(paper())
    with pytest.raises(ExamError, match="sha256"):
        extract_safely(path, sha256="0" * 64)


def test_a_bad_key_is_named_not_the_paper(tmp_path):
    good, bad = tmp_path / "good.pdf", tmp_path / "bad-key.pdf"
    good.write_bytes(paper())
    bad.write_bytes(HOSTILE["html"]())
    with pytest.raises(ExamError, match="HTML") as caught:
        extract_safely(good, bad)
    assert caught.value.path == str(bad)


def test_a_worker_that_does_not_end_is_stopped_by_the_clock(tmp_path):
    path = tmp_path / "slow.pdf"
    path.write_bytes(text_bomb())
    clock = time.monotonic()
    with pytest.raises(ExamError, match="more than 1 s"):
        extract_safely(path, wall_seconds=1, cpu_seconds=60)
    assert time.monotonic() - clock < 10


def test_the_command_line_says_one_line_and_fails(tmp_path):
    path = tmp_path / "page.pdf"
    path.write_bytes(HOSTILE["html"]())
    done = subprocess.run(
        [sys.executable, "-m", "distil", "read", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert str(path) in done.stderr


def test_other_papers_are_read_after_a_hostile_one(tmp_path):
    bad, good = tmp_path / "bad.pdf", tmp_path / "good.pdf"
    bad.write_bytes(HOSTILE["page-tree-loop"]())
    good.write_bytes(paper())
    with pytest.raises(ExamError):
        extract_safely(bad)
    done = subprocess.run(
        [sys.executable, "-m", "distil", "read", str(good)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == ["1", "2"]


@pytest.mark.parametrize(
    "sign", [b"/F1 1000000000 Tf 1 0 0 1 72 300 Tm", b"/F1 12 Tf 1 0 0 1 72 -900000000 Tm"]
)
def test_signs_far_off_the_page_cost_no_memory(tmp_path, sign):
    path = tmp_path / "far.pdf"
    path.write_bytes(paper(stream(TEXT + b" BT " + sign + b" (x) Tj ET")))
    rows = extract_safely(path, memory=1024**3)
    assert [row["statement"] for row in rows] == ["Find the sum of 1 and 2.", "Find 3 times 4."]


def test_the_command_line_ends_quietly_when_its_reader_goes(tmp_path):
    path = tmp_path / "good.pdf"
    path.write_bytes(paper())
    process = subprocess.Popen(
        [sys.executable, "-m", "distil", "read", str(path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141, "as a program that SIGPIPE ends"


@pytest.mark.parametrize("name", ["missing", "folder", "html"])
def test_the_command_line_names_the_key_that_cannot_be_read(tmp_path, name):
    path, key = tmp_path / "good.pdf", tmp_path / f"{name}.pdf"
    path.write_bytes(paper())
    if name == "folder":
        key.mkdir()
    elif name == "html":
        key.write_bytes(HOSTILE["html"]())
    done = subprocess.run(
        [sys.executable, "-m", "distil", "read", str(path), "--key", str(key)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"read: {key}: ")
    assert len(done.stderr.splitlines()) == 1
