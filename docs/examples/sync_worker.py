"""A sync that fails and is tried again, told to Daybook over Kafka: python sync_worker.py CONNECTION_ID."""

import asyncio
import os
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
from faststream.kafka import KafkaBroker, TopicPartition

from daybook_contracts.ids import entry_id

PREFIX = os.environ.get("DAYBOOK_TOPIC_PREFIX", "daybook.")
HEADERS = {"daybook-principal": "service:shop-worker", "reply-partition": "0"}
RUNS = "SELECT status, error_message FROM sync_runs WHERE connection_id = $1 ORDER BY started_at"
kafka = KafkaBroker(os.environ["DAYBOOK_KAFKA_BOOTSTRAP"], acks="all", enable_idempotence=True, logger=None)
waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}


@kafka.subscriber(partitions=[TopicPartition(f"{PREFIX}results", 0)])
async def take_reply(reply: dict[str, Any]) -> None:
    outcome = waiting.get(reply.get("command_id", ""))
    if outcome is not None and not outcome.done():
        outcome.set_result(reply)


async def send(org_id: str, type_: str, command_id: str, **data: object) -> str:
    """Returns the outcome's position. However often it is sent, with its id it acts once."""
    command: dict[str, Any] = {"id": command_id, "type": type_, "org_id": org_id, "data": data}
    outcome = waiting[command_id] = asyncio.get_running_loop().create_future()
    while not outcome.done():
        await kafka.publish(command, f"{PREFIX}commands", key=org_id.encode(), headers=HEADERS)
        await asyncio.wait([outcome], timeout=5)
    if (reply := outcome.result())["result"] == "failure":
        raise SystemExit(f"{type_}: {reply['code']}")
    return str(reply["position"])


def read_source(attempt: int) -> Iterator[dict[str, Any]]:
    """Stands for the source. At the first attempt one of its events is broken, and then it hangs up."""
    yield {"event": "PURCHASE_APPROVED", "product": 7 if attempt > 1 else None}
    if attempt == 1:
        raise ConnectionError("the source hung up")


async def sync(org_id: str, connection_id: str, attempt: int) -> str:
    start_id, end_id = str(uuid4()), str(uuid4())
    run_id = entry_id(org_id, start_id, 0)  # known before anything is sent
    await send(org_id, "START_SYNC", start_id, connection_id=connection_id)
    try:
        for event in read_source(attempt):
            if event["product"] is None:
                dead = {"connection_id": connection_id, "payload": event, "error": "product is missing"}
                await send(org_id, "RECORD_DLQ_EVENT", str(uuid4()), **dead)
    except ConnectionError as error:
        return await send(org_id, "FAIL_SYNC", end_id, sync_run_id=run_id, error_message=str(error))
    return await send(org_id, "COMPLETE_SYNC", end_id, sync_run_id=run_id, stats={"attempt": attempt})


async def main(connection_id: str) -> None:
    database = await asyncpg.connect(os.environ["DAYBOOK_DATABASE_URL"])
    org_id = await database.fetchval("SELECT org_id::text FROM source_connections WHERE id = $1", connection_id)
    async with kafka:
        await kafka.start()
        ends = [await sync(org_id, connection_id, attempt) for attempt in (1, 2)]
    await database.fetchval("SELECT daybook.wait_for($1)", ends[-1])  # a statement of its own
    for run in await database.fetch(RUNS, connection_id):
        print(": ".join(filter(None, run)))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
