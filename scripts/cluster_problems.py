"""Group the questions that are one question, or one template: the units that statistics resample.

Input: `problems` and `benchmarks` (lists of JSONL). Output: `clusters`, Parquet with one row per
question, sorted: problem, cluster (the smallest id among its duplicates, near duplicates and
template siblings), duplicates (the same for duplicates and near duplicates alone), size (of the
cluster). Params: none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.files import read_jsonl
from distil.datasets.duplicates import KINDS, find_pairs, group
from distil.notation.normal import problem_text


def cluster_rows(problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per problem: problem, cluster, duplicates, size.

    Raises:
        ValueError: two problems have the same id.
    """
    texts: dict[str, str] = {}
    for problem in problems:
        if problem["id"] in texts:
            raise ValueError(f"{problem['id']}: the id stands twice; ids are unique in a study")
        texts[problem["id"]] = problem_text(problem)
    pairs = find_pairs(texts)
    clusters = group(texts, pairs, KINDS)
    duplicates = group(texts, pairs, ("duplicate", "near"))
    sizes = Counter(clusters.values())
    return [
        {"problem": key, "cluster": root, "duplicates": duplicates[key], "size": sizes[root]}
        for key, root in sorted(clusters.items())
    ]


def main(*, input, output) -> None:  # noqa: A002
    rows = cluster_rows(
        row for path in [*input.problems, *input.benchmarks] for row in read_jsonl(path)
    )
    pq.write_table(pa.Table.from_pylist(rows), output.clusters)
    print(f"{len(rows)} questions in {len({row['cluster'] for row in rows})} clusters")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
