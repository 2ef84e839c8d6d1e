"""Values of live rows, exactly as PostgreSQL stores them: fields of a binary COPY in; a row's JCS out, and the values
that have no canonical form (docs/verify.md). Pure.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from daybook_projector.audit.checks.numbers import Unhashable, read_jsonb
from daybook_projector.audit.checks.row_hash import json_value, row_bytes
from daybook_projector.projections.changes import Table

INFINITE: Final = {2**63 - 1: "infinity", -(2**63): "-infinity"}
"""The infinite times, in microseconds as PostgreSQL stores them."""

_DAY: Final = 86_400_000_000
_DAYS_TO_2000: Final = 730_425
"""The number of days from 0000-03-01 to the epoch of PostgreSQL, 2000-01-01."""


class OddValue(NamedTuple):
    """A value that no canonical row can hold, as text."""

    field: str
    found: str


class LiveRow(NamedTuple):
    """`key`: the bytes of its uuids, one after another. `row`: its JCS, with numbers as doubles; None if the row is
    unhashable. A number that is not exactly a double is odd, but does not make the row unhashable.
    """

    key: bytes
    row: bytes | None
    odd: tuple[OddValue, ...] = ()


class _NoTime(ValueError):
    """A time outside the years 1 to 9999. The message is the time, with a signed year of at least four digits, where
    year 0 comes before year 1.
    """


class RowReader:
    """Reads rows of one table. `read` takes the fields in the order of the table's columns, the key first."""

    def __init__(self, table: Table) -> None:
        self._uuids = len(table.key)
        self._columns = [
            (column, sql_type, _READERS.get(sql_type, _text)) for column, sql_type in table.columns.items()
        ]

    def read(self, fields: Sequence[bytes | None]) -> LiveRow:
        row: dict[str, Any] = {}
        odd: list[OddValue] = []
        is_hashable = True
        for (column, sql_type, read), field in zip(self._columns, fields, strict=True):
            if field is None:
                row[column] = None
                continue
            try:
                row[column] = _document(column, field, odd) if sql_type == "jsonb" else read(field)
            except (Unhashable, _NoTime) as reason:
                odd.append(OddValue(column, str(reason)))
                is_hashable = False
        key = b"".join(field or b"" for field in fields[: self._uuids])
        return LiveRow(key, row_bytes(row) if is_hashable else None, tuple(odd))


def _document(column: str, field: bytes, odd: list[OddValue]) -> object:
    # jsonb's binary form is a version byte and its text.
    document = read_jsonb(field[1:].decode())
    if document.inexact is not None:
        odd.append(OddValue(column, document.inexact))
    return json_value(document.jcs)


def _text(field: bytes) -> str:
    return field.decode()


def _uuid(field: bytes) -> str:
    digits = field.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _boolean(field: bytes) -> bool:
    return field == b"\1"


def _integer(field: bytes) -> int:
    return int.from_bytes(field, signed=True)


def _timestamp(field: bytes) -> str:
    """Raises `_NoTime`."""
    stored = int.from_bytes(field, signed=True)
    if stored in INFINITE:
        return INFINITE[stored]
    days, microseconds = divmod(stored, _DAY)
    seconds, fraction = divmod(microseconds, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    year, day = _date(days)
    rest = f"{day}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"
    if not 1 <= year <= 9999:
        raise _NoTime(f"{year:+05}-{rest}")
    return f"{year:04}-{rest}"


@lru_cache(maxsize=4096)
def _date(days: int) -> tuple[int, str]:
    """The year, and `MM-DD`, of the day that is `days` after 2000-01-01 in the proleptic Gregorian calendar. Python's
    dates cannot do this, because they end with the year 9999. By H. Hinnant, "chrono-compatible low-level date
    algorithms": years begin in March.
    """
    era, day_of_era = divmod(days + _DAYS_TO_2000, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    return 400 * era + year_of_era + (month <= 2), f"{month:02}-{day:02}"


_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "uuid": _uuid,
    "timestamptz": _timestamp,
    "boolean": _boolean,
    "integer": _integer,
}
"""The readers by SQL type. PostgreSQL sends values of all other types as text."""
