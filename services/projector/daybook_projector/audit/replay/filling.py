"""Fills the schema of a replay: folded rows and spilled entries in, tables with all keys out. One transaction; memory
is bounded.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import asyncpg
import orjson
from msgspec import Raw

from daybook_contracts.entries.reading import LooseEntry
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.fold.store import key_texts
from daybook_projector.audit.replay.past_rows import PastRows, Rows
from daybook_projector.audit.replay.schema import (
    REPLAYED,
    SchemaRefused,
    add_keys,
    create_schema,
    drop_schema,
    replay_name,
)
from daybook_projector.postgres.row_ids import readable_identity
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.changes import Table
from daybook_projector.projections.fold import AUDITED_TABLES

Advance = Callable[[int], None]

# If this process is killed, the server must notice.
_SESSION: Final = """
SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL client_connection_check_interval = '1s'
"""
# Two entries may have the same first id. Then one of them has its row under its second id (docs/log.md, rule 19).
_SHARED_IDS: Final = """
SELECT a.id::text, org_id::text, project_id::text, actor_user_id::text, action, entity_type, entity_id::text, result,
       metadata_json::text, created_at::text, metadata_json->>'hash' AS hash
  FROM {0}.audit_log AS a
 WHERE a.id IN (SELECT id FROM {0}.audit_log GROUP BY id HAVING count(*) > 1) ORDER BY a.id, a.created_at
"""
_LIVE_HASH: Final = "SELECT metadata_json->>'hash' FROM public.audit_log WHERE id = $1"
_MOVE: Final = "UPDATE {0}.audit_log SET id = $1 WHERE id = $2 AND metadata_json->>'hash' = $3"


async def make_schema(
    settings: Settings, schema: str, description: str, past: PastRows, advance: Advance, *, replace: bool
) -> dict[str, int]:
    """Makes and fills the schema in one transaction. `advance` is called with the number of entries written since its
    last call. Returns the number of rows of each table. Raises `SchemaRefused` and `DatabaseAway`.
    """
    async with connect(settings, "daybook-replay", statement_seconds=0) as connection, connection.transaction():
        await connection.execute(_SESSION)
        if replace:
            await drop_schema(connection, schema)
        await create_schema(connection, schema, description)
        return await _fill(connection, schema, past, advance)


async def _fill(connection: Connection, schema: str, past: PastRows, advance: Advance) -> dict[str, int]:
    counts = {}
    for table in AUDITED_TABLES:
        counts[replay_name(table)] = await _copy(connection, schema, table, past)
    tag = await connection.copy_to_table(
        AUDIT_LOG.name.partition(".")[2],
        schema_name=schema,
        columns=list(AUDIT_LOG.columns),
        source=_sent(past.audit_rows(advance)),
        format="binary",
    )
    counts["audit_log"] = _number(tag)
    await _add_all_keys(connection, schema)
    for table in REPLAYED:
        await connection.execute(f"ANALYZE {schema}.{replay_name(table)}")
    return counts


async def _copy(connection: Connection, schema: str, table: Table, past: PastRows) -> int:
    records = _user_records(past) if table is AUTH_USERS else _records(table, past.rows(table))
    tag = await connection.copy_records_to_table(
        replay_name(table), schema_name=schema, columns=list(table.columns), records=records
    )
    return _number(tag)


async def _add_all_keys(connection: Connection, schema: str) -> None:
    try:
        async with connection.transaction():
            await add_keys(connection, schema, REPLAYED, references=False)
    except asyncpg.UniqueViolationError as error:
        if error.table_name != "audit_log":
            raise SchemaRefused(f"two rows of {error.table_name} share a key: run `daybook audit verify`") from error
        await _part_shared_ids(connection, schema)
        await add_keys(connection, schema, REPLAYED, references=False)
    await add_keys(connection, schema, REPLAYED, references=True)


async def _part_shared_ids(connection: Connection, schema: str) -> None:
    """The entry whose live row has the first id keeps this id. If there is none, the earliest entry keeps it. The
    others get their second ids.
    """
    rows = await connection.fetch(_SHARED_IDS.format(schema))
    for id_, found in groupby(rows, key=lambda row: row["id"]):
        sharing = list(found)
        live = await connection.fetchval(_LIVE_HASH, id_)
        keeper = next((row for row in sharing if row["hash"] == live), sharing[0])
        for row in sharing:
            if row is not keeper:
                await connection.execute(_MOVE.format(schema), _second_id(row), id_, row["hash"])


def _second_id(row: asyncpg.Record) -> str:
    columns = {name: row[name] for name in AUDIT_LOG.columns}
    metadata = Raw(columns.pop("metadata_json").encode())
    identity = readable_identity(LooseEntry(**columns, metadata_json=metadata))
    if identity is None:
        raise SchemaRefused(f"two entries have the id {row['id']}, and the second id of one cannot be computed")
    return identity.second_id()


def _user_records(past: PastRows) -> Iterator[tuple[Any, ...]]:
    for key, registered_at in past.users():
        yield key_texts(key)[0], None if registered_at is None else datetime.fromisoformat(registered_at)


def _records(table: Table, rows: Rows) -> Iterator[tuple[Any, ...]]:
    for _, jcs in rows:
        row = orjson.loads(jcs)
        yield tuple(_sendable(sql_type, row[column]) for column, sql_type in table.columns.items())


def _sendable(sql_type: str, value: Any) -> Any:
    """The value in the type that asyncpg takes."""
    if sql_type == "jsonb":
        return orjson.dumps(value).decode()
    return datetime.fromisoformat(value) if sql_type == "timestamptz" and value is not None else value


async def _sent(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _number(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
