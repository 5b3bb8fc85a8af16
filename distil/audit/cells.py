"""The cells of a study's tables: their addresses, their values, and the rows behind each."""

from __future__ import annotations

import csv
import difflib
import functools
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distil.content.addresses import row_id
from distil.content.sources import StoredSources, row_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CLAIMS = "claims"
# A claim's Holm-adjusted p, and what is read off it, rests on every claim of the family.
FAMILY = ("p_holm", "direction", "reason")
# Taken over from resources/published.yaml.
PUBLISHED = (
    "id", "label", "claim", "kind", "unit", "published", "published_sd", "expected", "source",
    "link",
)  # fmt: skip


class NotFoundError(LookupError):
    """Nothing of that name is in the study; the message says what there is."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the nearest of some names, or nothing where none is near."""
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return f"; did you mean {folded[near[0]]}?" if near else ""


@dataclass(frozen=True)
class Cell:
    """One cell, or a whole row where `column` is empty.

    Attributes:
        table: claims, or the name of a file in tables/.
        row: the row's name (distil/content/sources.py).
        column: the column's name.
        value: what stands there, as text; a dict for a whole row.
    """

    table: str
    row: str
    column: str
    value: Any

    @property
    def address(self) -> str:
        """What `distil explain` takes: C4:here:held_out, levels:R1/fs:gain."""
        if self.table == CLAIMS:
            claim, _, estimand = self.row.partition("/")
            return ":".join(filter(None, (claim, self.column, estimand)))
        return ":".join(filter(None, (self.table, self.row, self.column)))


class Tables:
    """The tables of one study, read from its results.

    Args:
        top: results/STUDY.
    """

    def __init__(self, top: Path) -> None:
        """Nothing is read before it is asked for."""
        self.top = top

    @functools.cached_property
    def names(self) -> list[str]:
        """The tables there are, the claims first."""
        tables = sorted(path.stem for path in self.top.glob("tables/*.csv"))
        return [*([CLAIMS] if self.path(CLAIMS).is_file() else []), *tables]

    def path(self, table: str) -> Path:
        """Return the CSV of a table."""
        folder = "claims" if table == CLAIMS else "tables"
        return self.top / folder / f"{table}.csv"

    @functools.cache  # noqa: B019 - one object a command
    def rows(self, table: str) -> dict[str, dict[str, str]]:
        """Return a table's rows by their names."""
        return parse(self.path(table).read_text(encoding="utf-8"))

    @functools.cache  # noqa: B019 - one object a command
    def stored(self, table: str) -> StoredSources | None:
        """Return what the cells of a table were computed from; None where no file says so."""
        name = "rows.parquet" if table == CLAIMS else f"{table}.rows.parquet"
        path = self.path(table).with_name(name)
        return StoredSources(path) if path.is_file() else None

    def cells(self, *tables: str) -> Iterator[Cell]:
        """Yield every cell of some tables, or of all."""
        for table in tables or self.names:
            for row, values in self.rows(table).items():
                for column, value in values.items():
                    yield Cell(table, row, column, value)

    def computed(self, cell: Cell) -> bool:
        """Whether something computed stands in a cell, rather than a label or nothing."""
        stored = self.stored(cell.table)
        return bool(cell.value) and (
            (stored is not None and (cell.row, cell.column) in stored.cells)
            or (cell.table == CLAIMS and cell.column in FAMILY)
        )

    def behind(self, cell: Cell) -> list[tuple[str, str]]:
        """Return the cells, row and column, whose stored sources are those of a cell.

        A cell that is not itself computed from rows (a label, a note) rests on those of its row.
        """
        stored = self.stored(cell.table)
        if stored is None or (cell.table == CLAIMS and cell.column in PUBLISHED):
            return []
        if (cell.row, cell.column) in stored.cells:
            return [(cell.row, cell.column)]
        rows = {cell.row}
        if cell.table == CLAIMS and cell.column in FAMILY:
            claims = self.rows(CLAIMS)
            if claims[cell.row].get("p_holm"):
                rows = {row for row, values in claims.items() if values.get("p_holm")}
        return [key for key in stored.cells if key[0] in rows]

    def sources(self, cell: Cell) -> set[str]:
        """Return the ids of the rows that a cell was computed from."""
        stored, keys = self.stored(cell.table), self.behind(cell)
        if stored is not None and keys:
            return stored.of(keys)
        if cell.table == CLAIMS:
            return {row_id("published", claim=cell.row.partition("/")[0])}
        return set()

    def find(self, target: str) -> list[Cell]:
        """Return the cells that an address names.

        Args:
            target: `C4`, `C4:low`, `C4:here:held_out`; `levels:R1/fs:gain`, a row being named by
                its values; `levels:R1/fs` for a whole row, `levels` for all rows.

        Raises:
            NotFoundError: there is no such cell; the message lists what there is.
        """
        table, _, rest = target.partition(":")
        if table not in self.names:
            return self._find_claim(target)
        key, _, column = rest.rpartition(":") if ":" in rest else (rest, "", "")
        rows = self.rows(table)
        columns = list(next(iter(rows.values()), {}))
        parts = [part for part in key.split("/") if part]
        found = [key] if key in rows else [
            name for name, values in rows.items() if set(parts) <= set(values.values())
        ]  # fmt: skip
        if not found or (column and column not in columns):
            raise NotFoundError(
                f"{target}: no such cell; columns: {', '.join(columns)}; rows: "
                f"{', '.join(list(rows)[:8])}{' ...' if len(rows) > 8 else ''}"
            )
        return [self._cell(table, name, column) for name in found]

    def _find_claim(self, target: str) -> list[Cell]:
        name, _, rest = target.partition(":")
        rows = self.rows(CLAIMS) if CLAIMS in self.names else {}
        known = list(dict.fromkeys(values["id"] for values in rows.values()))
        found = {key: row for key, row in rows.items() if row["id"].casefold() == name.casefold()}
        if not found:
            near = did_you_mean(name, [*known, *self.names])
            raise NotFoundError(
                f"{target}: no such claim{near or ';'} "
                f"There are {', '.join(known)}; tables: {', '.join(self.names)}"
            )
        columns = list(next(iter(found.values())))
        column, _, estimand = rest.partition(":")
        if column and column not in columns and not estimand:
            column, estimand = "", column  # C4:held_out
        chosen = [
            self._cell(CLAIMS, key, column or "here")
            for key, values in found.items()
            if estimand in ("", values["estimand"], values["estimand"].replace(" ", "_"))
            and (column or "here") in columns
        ]
        if not chosen:
            estimands = [values["estimand"].replace(" ", "_") for values in found.values()]
            near = did_you_mean(estimand or column, [*columns, *estimands])
            raise NotFoundError(
                f"{target}: {name} has no such column or estimand{near or ';'} "
                f"It has the columns {', '.join(columns)} and the estimands {', '.join(estimands)}"
            )
        return chosen

    def _cell(self, table: str, row: str, column: str) -> Cell:
        values = self.rows(table)[row]
        return Cell(table, row, column, values[column] if column else dict(values))


def parse(text: str) -> dict[str, dict[str, str]]:
    """Read the CSV of a table into its rows by their names."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return dict(zip(row_names(rows), rows, strict=True))
