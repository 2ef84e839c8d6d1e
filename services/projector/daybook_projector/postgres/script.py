"""Runs several statements in one message, so that they cost one round trip: statements and literals in, one script out,
which PostgreSQL runs as one transaction. A script cannot have parameters, so each statement is prepared once in each
session, and the script executes it with literals.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.projections.changes import Value

# The literals are written for this setting, so a session that runs scripts must have it.
SESSION: Final = {"standard_conforming_strings": "on"}
PREPARED: Final = "SELECT name FROM pg_prepared_statements"
# Sessions come and go. Above this number, it is forgotten what they have prepared, and read again.
MAX_SESSIONS = 100

Call = tuple[str, Sequence[str]]
"""A statement, and the literals of its parameters."""


class Scripts:
    """Knows which statements are prepared in which session. Shared by all connections of a pool."""

    def __init__(self) -> None:
        self._prepared: dict[int, set[str]] = {}

    async def run(self, connection: Connection, calls: Sequence[Call]) -> None:
        """Commits all or nothing. Must be called outside of a transaction. Raises asyncpg's errors, and `ValueError`
        for a text that PostgreSQL cannot store.
        """
        names = [_name(text) for text, _ in calls]
        script = "; ".join(
            [f"EXECUTE {name}({', '.join(literals)})" for name, (_, literals) in zip(names, calls, strict=True)]
        )
        _require_storable(script)
        session = connection.get_server_pid()
        try:
            await self._prepare(connection, session, {name: text for name, (text, _) in zip(names, calls, strict=True)})
            await connection.execute(script)
        except BaseException:
            # Maybe not all was prepared, or an ended session's id is used again: read it at the next script.
            self._prepared.pop(session, None)
            raise

    async def _prepare(self, connection: Connection, session: int, statements: dict[str, str]) -> None:
        if session not in self._prepared:
            if len(self._prepared) >= MAX_SESSIONS:
                self._prepared.clear()
            self._prepared[session] = {row[0] for row in await connection.fetch(PREPARED)}
        known = self._prepared[session]
        missing = statements.keys() - known
        if missing:
            await connection.execute("; ".join([f"PREPARE {name} AS {statements[name]}" for name in missing]))
            known |= missing


@cache
def _name(statement: str) -> str:
    """The same in every process, because a session may outlive its user."""
    return f"daybook_{sha256(statement.encode()).hexdigest()[:16]}"


def literal(text: str) -> str:
    """For a session with the settings in SESSION."""
    return "'" + text.replace("'", "''") + "'"


def array_literal(values: Sequence[Value]) -> str:
    return literal("{" + (_plain_elements(values) or ",".join(map(_element, values))) + "}")


def _plain_elements(values: Sequence[Value]) -> str | None:
    """The elements, much faster than one by one, if all are strings that need no escapes, such as ids."""
    if not values or not isinstance(values[0], str) or '"' in values[0]:
        return None
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]  # a value that is no string raises a TypeError
    except TypeError:
        return None
    return None if "\\" in joined or joined.count('"') != 2 * (len(values) - 1) else f'"{joined}"'


def _element(value: Value) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "NULL" if value is None else str(value)


def _require_storable(script: str) -> None:
    if "\0" in script:
        raise ValueError("a text contains NUL")
    script.encode()
