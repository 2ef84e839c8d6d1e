"""Parses the name of a row: the words of a command line in, a table's name and a key out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from daybook_contracts.text import is_uuid
from daybook_infra.runtime.errors import DaybookError
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import AUDITED_TABLES

_BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in AUDITED_TABLES}
_ALIASES: Final = {"auth_users": AUTH_USERS.name, "users": AUTH_USERS.name}


class MalformedRowName(DaybookError):
    """The table does not exist, or the key does not fit the table. The message says what to give."""


@dataclass(frozen=True, slots=True)
class RowName:
    """`table`: with its schema, as in `public.orgs`. `key`: the ids of the primary key, in lower case. Can be sent to
    another process.
    """

    table: str
    key: tuple[str, ...]

    @property
    def projection(self) -> Table:
        return _BY_NAME[self.table]

    def __str__(self) -> str:
        return f"{self.table} {' '.join(self.key)}"


def read_row_name(table: str, key: Sequence[str]) -> RowName:
    """Accepts the table with or without `public.`. Raises `MalformedRowName`."""
    name = _table_name(table.strip().lower())
    columns = _BY_NAME[name].key
    if len(key) != len(columns):
        raise MalformedRowName(
            f"a row of {name} is named by {' and '.join(columns)}: give {len(columns)}, not {len(key)}"
        )
    for column, word in zip(columns, key, strict=True):
        if not is_uuid(word):
            raise MalformedRowName(f"{column} {word!r} is not an id: write it as 8-4-4-4-12 hex digits")
    return RowName(name, tuple(word.lower() for word in key))


def _table_name(word: str) -> str:
    if word.removeprefix("public.") == "audit_log":
        raise MalformedRowName("a row of audit_log is an entry itself, and never changes: read it with SQL")
    for name in (word, f"public.{word}", _ALIASES.get(word, "")):
        if name in _BY_NAME:
            return name
    known = ", ".join(name.removeprefix("public.") for name in _BY_NAME)
    raise MalformedRowName(f"there is no table {word}: the tables are {known}")
