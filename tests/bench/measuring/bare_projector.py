"""The projector of a bare system: it reads the entries of bare_commands.py in batches, parses each, and writes a row
for each into a table like `audit_log`, but without foreign keys. Each transaction also moves a checkpoint.

Run as a program, `python -m bench.measuring.bare_projector PORT` with Daybook's settings in its environment, until
SIGTERM. Listens on PORT as soon as it reads.
"""

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.entry_batches import MAX_BATCH_BYTES
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.settings import Settings, load_settings

TABLE = "bare_log"
MAKE_TABLE = f"""
CREATE TABLE {TABLE} (LIKE public.audit_log INCLUDING ALL);
INSERT INTO daybook.checkpoints VALUES (0, 0, 0, '', 0);
"""
CHECKPOINT = "UPDATE daybook.checkpoints SET next_offset = $1, position = $1 WHERE partition = 0"
COLUMNS = (
    *("id", "org_id", "project_id", "actor_user_id", "action", "entity_type", "entity_id", "result"),
    *("metadata_json", "created_at"),
)
PAUSE_SECONDS = 0.02
"""Between transactions, as in Daybook, so that they have more rows."""
MOST = 5_000
"""The most rows in one transaction."""


def row_of(value: bytes) -> tuple[Any, ...]:
    entry = orjson.loads(value)
    return (
        *(entry["id"], entry["org_id"], entry["project_id"], entry["actor_user_id"]),
        *(entry["action"], entry["entity_type"], entry["entity_id"], entry["result"]),
        orjson.dumps(entry["metadata_json"]).decode(),
        datetime.fromisoformat(entry["created_at"]),
    )


async def project(settings: Settings, consumer: AIOKafkaConsumer, database: OwnConnection, port: int) -> None:
    place = TopicPartition(Topics(settings.topic_prefix).audit_log, 0)
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with listening:
        while True:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=MOST)).values():
                async with database.transaction():
                    rows = [row_of(record.value or b"") for record in records]
                    await database.copy_records_to_table(TABLE, columns=COLUMNS, records=rows)
                    await database.execute(CHECKPOINT, records[-1].offset + 1)
            await asyncio.sleep(PAUSE_SECONDS)


async def main(port: int) -> None:
    settings = load_settings()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=MAX_BATCH_BYTES
    )
    async with consumer, connect(settings, "bench") as database:
        projecting = asyncio.ensure_future(project(settings, consumer, database, port))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, projecting.cancel)
        with suppress(asyncio.CancelledError):
            await projecting


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
