"""Files of a study made on demand, by Snakemake: what `distil review` does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def make(targets: Sequence[str], configfiles: Sequence[Path], cores: int = 1) -> int:
    """Have Snakemake make some files, as if it were typed in the repository's root.

    Returns:
        Snakemake's exit code.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *targets]
    return subprocess.run(
        [*command, "--configfile", *map(str, configfiles)], check=False
    ).returncode


def make_review_page(study: str, configfiles: Sequence[Path], cores: int = 1) -> int:
    """Read a study's exams into problems; write the page of what may have been misread.

    Returns:
        Snakemake's exit code.
    """
    page = f"results/{study}/review/problems.html"
    if code := make([page], configfiles, cores):
        return code
    corrections = Path(page).with_name("corrections.yaml")
    print(f"open {page}; corrections to fill in: {corrections}", flush=True)
    # After the page: a correction that fits no more stops these, and the page shows which it is.
    read = sorted(Path("results", study, "extractions").glob("*.jsonl"))
    problems = [f"results/{study}/problems/{path.name}" for path in read]
    return make(problems, configfiles, cores) if problems else 0
