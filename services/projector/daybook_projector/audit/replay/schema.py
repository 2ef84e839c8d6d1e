"""The schema of a replay: made like the live tables, marked by a comment, and dropped without touching anything that a
replay did not make. Everything runs in the caller's transaction.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import asyncpg

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import AUDITED_TABLES

DEFAULT_SCHEMA: Final = "daybook_replay"
REBUILD_PREFIX: Final = "daybook_rebuild"
"""The names of a rebuild's schemas begin like this, and names of replays must not."""
REPLAYED: Final[tuple[Table, ...]] = (*AUDITED_TABLES, AUDIT_LOG)
"""The tables of a replay, parents before children."""

_MARK: Final = "daybook audit replay: "
_NAME: Final = re.compile(rf"(?!pg_|{REBUILD_PREFIX})[a-z_][a-z0-9_]{{0,62}}", re.ASCII)
_IS_PLAIN: Final = "SELECT quote_ident($1) = $1"
_FIND: Final = "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = $1"
_MAY_CREATE: Final = "SELECT has_database_privilege(current_database(), 'CREATE'), current_user, current_database()"
# Default privileges may open new schemas to others.
_OTHERS: Final = """
SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(grantee::regrole::text) END
  FROM pg_namespace, aclexplode(nspacl) WHERE nspname = $1 AND grantee <> nspowner
"""
# Without a search path, all names in definitions are qualified.
_QUALIFIED: Final = "SET LOCAL search_path = ''"
_KEYS: Final = """
SELECT relname, conname, pg_get_constraintdef(c.oid), contype = 'f'
  FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = conrelid
 WHERE t.relnamespace = 'public'::regnamespace AND relname = ANY ($1::text[]) AND contype IN ('p', 'u', 'f')
 ORDER BY contype = 'f', contype, relname, conname
"""
_INDEXES: Final = """
SELECT relname, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class AS t ON t.oid = indrelid
 WHERE t.relnamespace = 'public'::regnamespace AND relname = ANY ($1::text[])
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
 ORDER BY relname, indexrelid::regclass::text
"""


class SchemaRefused(DaybookError):
    """The schema cannot be made, or dropped. The message says why, and what to do."""


def replay_name(table: Table) -> str:
    """The table's name in the replay's schema."""
    return "auth_users" if table is AUTH_USERS else table.name.partition(".")[2]


def require_name(schema: str) -> None:
    """Raises `SchemaRefused` for a name with the prefix of a rebuild, or with characters that would need quoting in
    plain SQL.
    """
    if _NAME.fullmatch(schema) is None:
        raise SchemaRefused(
            f"{schema!r} is no name for the schema: use at most 63 lower-case letters, digits and _, "
            f"and begin with a letter or _, but not with pg_ or {REBUILD_PREFIX}"
        )


async def require_free(connection: Connection, schema: str, *, replace: bool) -> None:
    """Raises `SchemaRefused` if the schema cannot be made, or if its name is a keyword of SQL."""
    if not await connection.fetchval(_IS_PLAIN, schema):
        raise SchemaRefused(
            f"{schema!r} is no name for the schema: it is a keyword of SQL, so queries would have to quote it"
        )
    may_create, user, database = await connection.fetchrow(_MAY_CREATE) or (False, "", "")
    if not may_create:
        raise SchemaRefused(
            f'{user} may not make schemas in this database: GRANT CREATE ON DATABASE "{database}" TO "{user}", '
            "or use a login that may"
        )
    found = await _find(connection, schema)
    if found is not None and not replace:
        raise SchemaRefused(
            f"schema {schema} has a replay already ({found}): add --replace, or name another one with --schema"
        )


async def drop_schema(connection: Connection, schema: str) -> bool:
    """Returns whether there was one. Raises `SchemaRefused` if it was not made by a replay, or if anything else is in
    it or depends on it.
    """
    if await _find(connection, schema) is None:
        return False
    tables = ", ".join(f"{schema}.{replay_name(table)}" for table in REPLAYED)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {tables}")
        await connection.execute(f"DROP SCHEMA {schema}")
    except (asyncpg.DependentObjectsStillExistError, asyncpg.WrongObjectTypeError) as error:
        raise SchemaRefused(
            f"schema {schema} holds more than its replay, or something depends on it: drop that first ({error})"
        ) from error
    return True


async def create_schema(connection: Connection, schema: str, description: str) -> None:
    """Makes the schema with tables that have no keys yet."""
    await _make(connection, schema)
    with _refusals():
        for (other,) in await connection.fetch(_OTHERS, schema):
            await connection.execute(f"REVOKE ALL ON SCHEMA {schema} FROM {other}")
        # COMMENT takes no parameters.
        comment = await connection.fetchval("SELECT quote_literal($1::text)", _MARK + description)
        await connection.execute(f"COMMENT ON SCHEMA {schema} IS {comment}")
        for table in REPLAYED:
            await connection.execute(f"CREATE TABLE {schema}.{replay_name(table)} ({_columns(table)})")


async def _make(connection: Connection, schema: str) -> None:
    """Raises `SchemaRefused` if somebody else makes it at the same time."""
    try:
        await connection.execute(f"CREATE SCHEMA {schema}")
    except (asyncpg.DuplicateSchemaError, asyncpg.UniqueViolationError) as error:  # the latter from pg_namespace
        raise SchemaRefused(f"schema {schema} was made by somebody else meanwhile: try again") from error


async def add_keys(connection: Connection, schema: str, tables: Sequence[Table], *, references: bool) -> None:
    """Adds the live tables' keys and indexes, or their foreign keys, under the same names. Raises asyncpg's
    `UniqueViolationError`, and `SchemaRefused` for a row without its parent.
    """
    await connection.execute(_QUALIFIED)
    names = [replay_name(table) for table in tables]
    if AUTH_USERS in tables and not references:
        await connection.execute(f"ALTER TABLE {schema}.auth_users ADD CONSTRAINT auth_users_pkey PRIMARY KEY (id)")
    with _refusals():
        for table, name, definition, is_reference in await connection.fetch(_KEYS, names):
            if is_reference == references:
                own = _in_schema(definition, schema)
                await connection.execute(f'ALTER TABLE {schema}.{table} ADD CONSTRAINT "{name}" {own}')
    if not references:
        for table, definition in await connection.fetch(_INDEXES, names):
            await connection.execute(definition.replace(f" ON public.{table} ", f" ON {schema}.{table} ", 1))


async def _find(connection: Connection, schema: str) -> str | None:
    """What the schema's comment says of its replay; None if there is no such schema. Raises `SchemaRefused`."""
    comment: str | None = await connection.fetchval(_FIND, schema)
    if comment is not None and not comment.startswith(_MARK):
        raise SchemaRefused(f"schema {schema} was not made by a replay: it is left alone; name another with --schema")
    return None if comment is None else comment.removeprefix(_MARK)


def _columns(table: Table) -> str:
    if table is AUTH_USERS:
        return "id uuid NOT NULL, created_at timestamptz"
    return f"LIKE {table.name} INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING STORAGE"


def _in_schema(definition: str, schema: str) -> str:
    users = definition.replace(" REFERENCES auth.users(", f" REFERENCES {schema}.auth_users(", 1)
    return users.replace(" REFERENCES public.", f" REFERENCES {schema}.", 1)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        raise SchemaRefused(
            f"the entries up to the given moment violate {error.constraint_name}: run `daybook audit verify`"
        ) from error
