"""Sends the statements that PostgREST sends for a GET of rows, in the same order, on a connection of its login."""

import json
from collections.abc import Mapping
from typing import Any

from daybook_infra.runtime.postgres.connections import OwnConnection

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
SETTINGS = """
SELECT set_config('search_path', '"public"', true), set_config('role', $1, true),
    set_config('request.jwt.claims', $2, true), set_config('request.method', 'GET', true),
    set_config('request.path', $3, true), set_config('request.headers', $4, true),
    set_config('request.cookies', '{}', true)
"""
PRE_REQUEST = "SELECT daybook.pre_request()"
ROWS = """
WITH source AS (SELECT * FROM public.{table} {where} LIMIT 1000)
SELECT count(row)::bigint, coalesce(json_agg(row), '[]')::text, nullif(current_setting('response.status', true), '')
FROM (SELECT * FROM source) AS row
"""
Json = dict[str, Any]


async def get(
    connection: OwnConnection,
    table: str,
    claims: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    where: str = "",
    pre_request: str = PRE_REQUEST,
) -> list[Json]:
    """`claims`: the verified token's; without `role`, the request is anonymous. Raises PostgreSQL's errors."""
    role = claims.get("role", "anon")
    sent = {
        "accept": "application/json",
        "user-agent": "test",
        **{name.lower(): text for name, text in headers.items()},
    }
    await connection.execute(BEGIN)
    try:
        claimed = json.dumps({**claims, "role": role})
        await connection.execute(SETTINGS, role, claimed, f"/{table}", json.dumps(sent))
        await connection.execute(pre_request)
        row = await connection.fetchrow(ROWS.format(table=table, where=where))
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    assert row is not None
    rows: list[Json] = json.loads(row[1])
    return rows
