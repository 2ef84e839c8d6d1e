"""Entries as Parquet, a row for each. Needs pyarrow, an optional dependency of this package."""

from collections.abc import Sequence
from io import RawIOBase
from typing import TYPE_CHECKING, Any, Final

from daybook_contracts.entries.reading import is_time
from daybook_contracts.timestamps import microseconds
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.audit.exports.tabular import COLUMNS, INTEGERS, Cell, row_of
from daybook_projector.audit.log.place import SourceRecord

if TYPE_CHECKING:
    import pyarrow as pa

# A row group is held in memory as a whole.
GROUP_ROWS: Final = 10_000
GROUP_BYTES: Final = 4 * 1024 * 1024


class ParquetMissing(DaybookError):
    """pyarrow is not installed."""


def require_pyarrow() -> Any:
    """The modules `pyarrow` and `pyarrow.parquet`. Raises `ParquetMissing`."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional, and slow to import
        from pyarrow import parquet  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ParquetMissing(
            "Parquet needs pyarrow, which is not installed: pip install 'daybook-projector[parquet]', "
            "or choose another --format"
        ) from error
    return pa, parquet


class ParquetFile:
    """`created_at` is a time in microseconds, UTC; null if the entry has no such time."""

    def __init__(self, file: RawIOBase) -> None:
        self._pa, parquet = require_pyarrow()
        self._schema = _schema(self._pa)
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[tuple[Cell, ...]] = []
        self._bytes = 0

    def write(self, records: Sequence[SourceRecord]) -> None:
        for record in records:
            if record.value is not None:
                self._rows.append(row_of(*record[:2], record.value))
                self._bytes += len(record.value)
                if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
                    self._write_group()

    def finish(self) -> None:
        if self._rows:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        columns = dict(zip(COLUMNS, map(list, zip(*self._rows, strict=True)), strict=True))
        columns["created_at"] = [_micros(cell) for cell in columns["created_at"]]
        self._writer.write_table(self._pa.table(columns, self._schema))
        self._rows, self._bytes = [], 0


def _schema(pa: Any) -> "pa.Schema":
    types = {name: pa.int64() if name in INTEGERS else pa.string() for name in COLUMNS}
    return pa.schema({**types, "created_at": pa.timestamp("us", tz="UTC")})


def _micros(cell: Cell) -> int | None:
    return microseconds(cell) if isinstance(cell, str) and is_time(cell) else None
