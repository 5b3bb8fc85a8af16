"""Functions, methods and names of `distil/` and `scripts/` that nothing uses: `make lint` runs this.

vulture reads Python only, so the words of the rules, which call methods of a study by name, are
handed to it as names in use. Tests do not count as use: code that only a test calls is dead.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).resolve().parents[1]
WORD = re.compile(r"[A-Za-z_]\w*")

# Used by a name that is made at run time, or by a library that calls back.
CALLED_BY_OTHERS = {
    "do_GET", "do_POST", "log_message", "close_connection", "daemon_threads", "request_queue_size",
    "protocol_version", "disable_nagle_algorithm", "wbufsize", "ConnectionCls",
    "pool_classes_by_scheme", "trust_env", "has_metadata", "has_outdated_metadata",
    "input_checksums", "serve_crops", "serve_extraction", "serve_survey", "normalizer", "pre_tokenizer", "decoder",
    "correctness_reward", "compute_score", "data_source",
}  # fmt: skip


def words(*paths: Path) -> str:
    """Return the identifiers in some files as a module that mentions each of them."""
    found = {word for path in paths for word in WORD.findall(path.read_text(encoding="utf-8"))}
    return "\n".join(sorted(word for word in found if not keyword.iskeyword(word)))


def unused() -> list[str]:
    """Return a line for each thing that nothing uses: FILE:LINE: unused KIND NAME."""
    vulture = Vulture(ignore_decorators=["@app.*", "@compares", "@edge"])
    vulture.scavenge([str(ROOT / "distil"), str(ROOT / "scripts"), str(ROOT / "benchmarks")])
    vulture.scan(words(ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))), "rules")
    return [
        f"{item.filename.relative_to(ROOT)}:{item.first_lineno}: unused {item.typ} {item.name}"
        for item in vulture.get_unused_code(min_confidence=60)
        if item.name not in CALLED_BY_OTHERS
        and item.filename.is_relative_to(ROOT)
        and not item.filename.is_relative_to(ROOT / "benchmarks")
    ]


if __name__ == "__main__":
    sys.exit("\n".join(unused()) or None)
