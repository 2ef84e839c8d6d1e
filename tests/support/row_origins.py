"""Computes what the auditors' `explain` must say about each row: folds the entries with the tests' own fold, and
compares all tables before and after each entry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from support.chain import Json, jcs
from support.tables import COLUMNS, Tables, post

RowKey = tuple[str, tuple[str, ...]]
"""The name of the table, and the key of the row."""


@dataclass(slots=True)
class Origins:
    """`places`: the places of the entries that changed the row. `columns`: for each column, its present or last value,
    and the place of the entry that set this value.
    """

    exists: bool = True
    places: list[str] = field(default_factory=list)
    columns: dict[str, tuple[Any, str]] = field(default_factory=dict)


def row_origins(entries: Iterable[Json]) -> dict[RowKey, Origins]:
    """The origins of every row that exists or ever existed, except the rows of `audit_log`."""
    found: dict[RowKey, Origins] = {}
    tables: Tables = {name: {} for name in COLUMNS}
    for entry in entries:
        before = {name: dict(rows) for name, rows in tables.items()}
        post(tables, entry)
        place = f"{entry['metadata_json']['partition']}.{entry['metadata_json']['position']}"
        for name in COLUMNS:
            if name != "audit_log":
                _note(found, name, before[name], tables[name], place)
    return found


def _note(found: dict[RowKey, Origins], name: str, before: Any, after: Any, place: str) -> None:
    keys, others = COLUMNS[name]
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old is new or are_same(old, new):
            continue
        row = found.setdefault((name, key), Origins())
        row.places.append(place)
        row.exists = new is not None
        if new is not None:
            values = dict(zip((*keys, *others), (*key, *new), strict=True))
            earlier = {} if old is None else dict(zip((*keys, *others), (*key, *old), strict=True))
            row.columns |= {
                column: (value, place)
                for column, value in values.items()
                if old is None or not are_same(value, earlier[column])
            }


def are_same(one: Any, other: Any) -> bool:
    """Compares the values as JSON, because False == 0 in Python."""
    return jcs(one) == jcs(other)
