"""Rows of the integration hub, written straight into the tables as a projector would leave them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from daybook_infra.runtime.postgres.connections import Connection, Pool


def ids(count: int, start: int = 0) -> list[str]:
    """UUIDs in ascending order."""
    return [str(UUID(int=(0x0189_0000_0000_7000_8000 << 48) + number)) for number in range(start, start + count)]


async def put_org(pool: Connection | Pool) -> tuple[str, str]:
    """An org and its project."""
    org_id, project_id = str(uuid4()), str(uuid4())
    await pool.execute("INSERT INTO orgs VALUES ($1, 'Org', now())", org_id)
    await pool.execute("INSERT INTO projects VALUES ($1, $2, 'Site', now())", project_id, org_id)
    return org_id, project_id


async def put_connection(pool: Connection | Pool, org_id: str, project_id: str, config: str = "{}") -> str:
    connection_id = str(uuid4())
    row: tuple[Any, ...] = (connection_id, org_id, project_id, config)
    await pool.execute("INSERT INTO source_connections VALUES ($1, $2, $3, 'hotmart', 'Shop', $4, true)", *row)
    return connection_id


async def put_runs(pool: Connection | Pool, connection_id: str, statuses: Iterable[str]) -> list[str]:
    """Runs one after another, the last one the latest; a running one has no end time."""
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
    await pool.execute(
        "INSERT INTO dlq_events SELECT id, $2, '{}', $3, $4 FROM unnest($1::uuid[]) AS id",
        list(letters),
        connection_id,
        status,
        retry_count,
    )


async def put_alert(pool: Connection | Pool, project_id: str, alert_id: str, severity: str = "warning") -> str:
    await pool.execute("INSERT INTO integration_alerts VALUES ($1, $2, $3, 'x')", alert_id, project_id, severity)
    return alert_id


async def put_many_runs(connection: Connection | Pool, connection_id: str, status: str, count: int) -> None:
    """Runs later than all those of `put_runs`."""
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
