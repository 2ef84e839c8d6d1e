"""The rows that an entry of a quarantined org still inserts, as PostgreSQL stores them: an entry in, rows out. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec.structs import replace

from daybook_contracts.entries.reading import LooseEntry
from daybook_projector.partition.batch_rows import key_inserts
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.projections.changes import FoldError, Insert, Row, Value


def kept_rows(entry: PartitionEntry) -> Iterable[Insert]:
    """Returns values in the form in which PostgreSQL returns them. An entry that cannot be trusted may write them in
    another form.
    """
    inserts = key_inserts([entry])
    return (_normalised(insert) for insert in inserts) if isinstance(entry.columns, LooseEntry) else inserts


def _normalised(insert: Insert) -> Insert:
    row: Row = {column: _value(insert.table.columns[column], value) for column, value in insert.row.items()}
    return replace(insert, row=row)


def _value(sql_type: str, value: Value) -> Value:
    if isinstance(value, str) and sql_type == "uuid":
        return value.lower()
    if isinstance(value, str) and sql_type == "timestamptz":
        return _utc(value)
    return value


def _utc(text: str) -> str:
    """The time in UTC, with six fraction digits and `Z`. Raises `FoldError`."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FoldError("created_at is not a time of the years 1 to 9999") from error
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
