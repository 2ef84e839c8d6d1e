"""Entries as CSV (RFC 4180, UTF-8): one row for each, with a header. No cell can become a formula in a spreadsheet."""

import csv
from collections.abc import Sequence
from io import RawIOBase, StringIO
from typing import Final

from daybook_projector.audit.exports.tabular import COLUMNS, Cell, row_of
from daybook_projector.audit.log.place import SourceRecord

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""If a cell begins with one of these, a spreadsheet treats it as a formula, and runs it when the file is opened."""


class CsvFile:
    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self._write([COLUMNS])

    def write(self, records: Sequence[SourceRecord]) -> None:
        self._write([row_of(*record[:2], record.value) for record in records if record.value is not None])

    def finish(self) -> None:
        """Writes nothing: CSV needs no end."""

    def _write(self, rows: Sequence[Sequence[Cell]]) -> None:
        text = StringIO(newline="")
        csv.writer(text).writerows([[_defused(cell) for cell in row] for row in rows])
        self._file.write(text.getvalue().encode())


def _defused(cell: Cell) -> Cell:
    """A quote in front makes a spreadsheet treat the cell as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
