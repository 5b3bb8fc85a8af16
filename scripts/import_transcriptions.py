"""Turn the release's transcribed questions into problems, one file a year.

Input: `transcriptions`, the release's datafile/YEAR.json of each year. Output: `problems`, JSONL of
each year, in the same order. Params: `years`, in that order.

All years are read in one job because a question may repeat one of another year: placeholders are
flagged `placeholder`, verbatim repetitions `duplicate-of:ID`.
"""

from collections import Counter

from distil.content.files import write_jsonl
from distil.release.files import evaluated, flag_exact_duplicates
from distil.release.transcriptions import read_transcription


def main(*, input, output, params) -> None:  # noqa: A002
    rows = flag_exact_duplicates(
        row
        for year, path in zip(params.years, input.transcriptions, strict=True)
        for row in read_transcription(path, year)
    )
    for year, path in zip(params.years, output.problems, strict=True):
        write_jsonl(path, [row for row in rows if row["year"] == year])
    repeated = sum(flag.startswith("duplicate-of:") for row in rows for flag in row["flags"])
    sections = Counter(row["section"] for row in evaluated(rows))
    print(f"{len(rows)} rows, {len(evaluated(rows))} questions: {dict(sorted(sections.items()))}")
    print(f"{repeated} repeat another question verbatim")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
