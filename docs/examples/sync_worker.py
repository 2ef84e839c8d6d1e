"""Runs two syncs and reports them to Daybook over Kafka; the first one fails: python sync_worker.py CONNECTION_ID."""

import asyncio
import os
import sys
from typing import Any
from uuid import uuid4

import asyncpg
from faststream.kafka import KafkaBroker, TopicPartition

from daybook_contracts.entries.identity import thing_id

PREFIX = os.environ.get("DAYBOOK_TOPIC_PREFIX", "daybook.")
HEADERS = {"daybook-principal": "service:shop-worker", "reply-partition": "0"}
RUNS = "SELECT status, error_message FROM sync_runs WHERE connection_id = $1 ORDER BY started_at"
kafka = KafkaBroker(os.environ["DAYBOOK_KAFKA_BOOTSTRAP"], acks="all", enable_idempotence=True, logger=None)
waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}


@kafka.subscriber(partitions=[TopicPartition(f"{PREFIX}results", 0)])
async def take_reply(reply: dict[str, Any]) -> None:
    if (outcome := waiting.get(reply.get("command_id", ""))) and not outcome.done():
        outcome.set_result(reply)


async def send(org_id: str, type_: str, command_id: str, **data: object) -> str:
    outcome = waiting[command_id] = asyncio.get_running_loop().create_future()
    while not outcome.done():  # sending it again is safe: it takes effect once
        command: dict[str, Any] = {"id": command_id, "type": type_, "org_id": org_id, "data": data}
        await kafka.publish(command, f"{PREFIX}commands", key=org_id.encode(), headers=HEADERS)
        await asyncio.wait([outcome], timeout=5)
    if (reply := outcome.result())["result"] == "failure":
        raise SystemExit(f"{type_}: {reply['code']}")
    return str(reply["position"])


async def sync(org_id: str, connection_id: str, event: dict[str, Any]) -> str:
    start_id, run = str(uuid4()), {"connection_id": connection_id}
    ended = {"sync_run_id": thing_id(org_id, start_id)}  # known before anything is sent
    await send(org_id, "START_SYNC", start_id, **run)
    if event["product"] is None:
        await send(org_id, "RECORD_DLQ_EVENT", str(uuid4()), **run, payload=event, error="product is missing")
        return await send(org_id, "FAIL_SYNC", str(uuid4()), **ended, error_message="the source hung up")
    return await send(org_id, "COMPLETE_SYNC", str(uuid4()), **ended, stats={"events": 1})


async def main(connection_id: str) -> None:
    async with kafka, asyncpg.create_pool(os.environ["DAYBOOK_DATABASE_URL"]) as database:
        org_id = await database.fetchval("SELECT org_id::text FROM source_connections WHERE id = $1", connection_id)
        await kafka.start()
        for product in (None, 7):  # in place of a real source: its first event is broken
            end = await sync(org_id, connection_id, {"event": "PURCHASE_APPROVED", "product": product})
        await database.fetchval("SELECT daybook.wait_for($1)", end)  # a statement of its own
        for run in await database.fetch(RUNS, connection_id):
            print(": ".join(filter(None, run)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
