"""Load every table of a description with mlcroissant, which checks it on the way.

Runs under the Python of an environment of its own. Usage: python check_croissant.py croissant.json

Prints {"warnings": [...], "rows": {table: number of rows that were read}}; an invalid description,
a file with another hash or a column that is not there ends it with an error.
"""

import json
import sys

import mlcroissant


def main(path: str) -> None:
    dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    rows = {
        table.id: sum(1 for _ in dataset.records(table.id))
        for table in dataset.metadata.record_sets
    }
    print(json.dumps({"warnings": sorted(issues.warnings), "rows": rows}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
