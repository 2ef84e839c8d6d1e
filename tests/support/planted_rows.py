"""Writes rows into the tables directly, as a projector would."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

from daybook_infra.runtime.postgres.connections import Connection, Pool
from support.tables import SCHEMA

Rows = Mapping[str, Iterable[tuple[Any, ...]]]
POPULATED = "json_populate_recordset(null::{}, $1)"


def ids(count: int, start: int = 0) -> list[str]:
    """UUIDs in ascending order."""
    return [str(UUID(int=(0x0189_0000_0000_7000_8000 << 48) + number)) for number in range(start, start + count)]


async def plant(database: Connection | Pool, rows: Rows) -> None:
    """Inserts rows, by table, parents before children. A row has all columns in order; JSON columns take plain values,
    and time columns also accept `now`.
    """
    for table, tuples in rows.items():
        objects = [{c.name: value for c, value in zip(SCHEMA[table], row, strict=True)} for row in tuples]
        await database.execute(f"INSERT INTO {table} SELECT * FROM {POPULATED.format(table)}", json.dumps(objects))


async def put_org(pool: Connection | Pool) -> tuple[str, str]:
    """Inserts an org and its project; returns their ids."""
    org_id, project_id = str(uuid4()), str(uuid4())
    await plant(pool, {"orgs": [(org_id, "Org", "now")], "projects": [(project_id, org_id, "Site", "now")]})
    return org_id, project_id


async def put_connection(pool: Connection | Pool, org_id: str, project_id: str, config: str = "{}") -> str:
    connection_id = str(uuid4())
    row = (connection_id, org_id, project_id, "hotmart", "Shop", json.loads(config), True)
    await plant(pool, {"source_connections": [row]})
    return connection_id


async def put_activity(pool: Connection | Pool, connection_id: str) -> None:
    """Inserts the activity of a new connection. It does not count planted runs and dead letters."""
    await pool.execute("INSERT INTO daybook.connection_activity VALUES ($1, 0, 0, NULL)", connection_id)


async def put_runs(pool: Connection | Pool, connection_id: str, statuses: Iterable[str]) -> list[str]:
    """Inserts one run for each status, each later than the one before; returns their ids."""
    made = [(str(uuid4()), connection_id, status) for status in statuses]
    for hours, row in enumerate(made, start=1):
        finished = "NULL" if row[2] == "running" else "now() - interval '30 days' + make_interval(hours => $4)"
        await pool.execute(
            f"""INSERT INTO sync_runs
                SELECT $1, $2, $3, now() - interval '31 days' + make_interval(hours => $4), {finished}, NULL""",
            *row,
            hours,
        )
    return [row[0] for row in made]


async def put_dead_letters(
    pool: Connection | Pool,
    connection_id: str,
    letters: Iterable[str],
    *,
    status: str = "pending",
    retry_count: int = 0,
) -> None:
    await plant(pool, {"dlq_events": [(id_, connection_id, {}, status, retry_count) for id_ in letters]})


async def put_alert(pool: Connection | Pool, project_id: str, alert_id: str, severity: str = "warning") -> str:
    await plant(pool, {"integration_alerts": [(alert_id, project_id, severity, "x")]})
    return alert_id


async def put_many_runs(connection: Connection | Pool, connection_id: str, status: str, count: int) -> None:
    """Inserts runs that are later than all those of `put_runs`."""
    await connection.execute(
        """INSERT INTO sync_runs
           SELECT gen_random_uuid(), $1, $2, now(), CASE WHEN $2 <> 'running' THEN now() + make_interval(secs => n) END
           FROM generate_series(1, $3) AS n""",
        connection_id,
        status,
        count,
    )


async def put_many_dead_letters(connection: Connection | Pool, connection_id: str, status: str, count: int) -> None:
    await connection.execute(
        "INSERT INTO dlq_events SELECT gen_random_uuid(), $1, '{}', $2, 0 FROM generate_series(1, $3)",
        connection_id,
        status,
        count,
    )
