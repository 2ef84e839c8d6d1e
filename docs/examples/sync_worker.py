"""Runs two syncs and reports them to Daybook over Kafka; the first one fails: python sync_worker.py CONNECTION_ID."""

import asyncio
import os
import sys

import asyncpg

from daybook_client import Accepted, Command, Daybook, commands, new_id_of

RUNS = "SELECT status, error_message FROM sync_runs WHERE connection_id = $1 ORDER BY started_at"


def reports(org: str, connection: str, sku: int | None) -> list[Command]:
    start = commands.StartSync(org_id=org, connection_id=connection)
    run = new_id_of(start)  # known before anything is sent
    if sku is not None:
        return [start, commands.CompleteSync(org_id=org, sync_run_id=run, stats={"events": 1})]
    letter = commands.RecordDlqEvent(org_id=org, connection_id=connection, payload={"sku": None}, error="no sku")
    return [start, letter, commands.FailSync(org_id=org, sync_run_id=run, error_message="the source hung up")]


async def main(connection: str) -> None:
    kafka, position = Daybook.over_kafka(principal="service:shop-worker"), ""
    async with kafka as daybook, asyncpg.create_pool(os.environ["DAYBOOK_DATABASE_URL"]) as pool:
        org = await pool.fetchval("SELECT org_id::text FROM source_connections WHERE id = $1", connection)
        async for outcome in daybook.send_many(each for sku in (None, 7) for each in reports(org, connection, sku)):
            if not isinstance(outcome, Accepted):
                raise SystemExit(str(outcome))
            position = outcome.position
        await pool.fetchval("SELECT daybook.wait_for($1)", position)  # a statement of its own
        print(*[": ".join(filter(None, run)) for run in await pool.fetch(RUNS, connection)], sep="\n")


asyncio.run(main(sys.argv[1]))
