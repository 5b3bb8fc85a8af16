"""Grade pairs from the command line: `python -m distil.answers PAIRS.jsonl`.

Each line holds {"id", "gold", "output", "problem" (optional)}; each printed line holds
{"id", "verdict", "reason", "extracted", "rule"}.
"""

import json
import sys
from pathlib import Path

from distil.answers import judge_all


def read_pairs(path: Path) -> list[dict]:
    """Rows of a JSONL file of pairs.

    Args:
        path: the file.

    Returns:
        One dictionary per line that is not blank.

    Raises:
        ValueError: naming file and line, if a line is not a pair.
    """
    rows = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f"{where}: not JSON ({error}); write one object per line"
                ) from None
            if not isinstance(row, dict):
                raise ValueError(f"{where}: not an object; expected id, gold, output, problem")  # noqa: TRY004
            for field in ("id", "gold", "output"):
                if not isinstance(row.get(field), str):
                    raise ValueError(f"{where}: field {field} is missing or not a string")  # noqa: TRY004
            if not isinstance(row.get("problem"), str | None):
                raise ValueError(  # noqa: TRY004
                    f"{where}: field problem is not a string; leave it out or quote it"
                )
            rows.append(row)
    return rows


def main(arguments: list[str]) -> int:
    """Print a verdict per pair; 0 if all were read, 2 if the call or the file is wrong."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    path = Path(arguments[0])
    try:
        rows = read_pairs(path)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    verdicts = judge_all([(row["gold"], row["output"], row.get("problem")) for row in rows])
    for row, verdict in zip(rows, verdicts, strict=True):
        line = {
            "id": row["id"],
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "extracted": verdict.extracted,
            "rule": verdict.rule,
        }
        print(json.dumps(line, ensure_ascii=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
