"""A service that only does what every command waits for, one thing after another: it looks up a command in PostgreSQL
with Daybook's own reader, appends a record of an entry's size to Kafka, and answers. It checks and decides nothing, and
keeps nothing. Run as a program, with Daybook's settings in its environment, until SIGTERM:

- `http PORT TOPIC ORG`: FastAPI on stock uvicorn; answers each POST to /v1/commands;
- `kafka PORT TOPIC ORG COMMANDS`: answers each record of the topic COMMANDS in the first partition of the results;
  listens on PORT as soon as it reads.

It appends to TOPIC, and looks up commands of ORG. TOPIC and COMMANDS are names without the topic prefix.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from fastapi import FastAPI

from bench.measuring.echo import Envelope
from bench.measuring.kafka_load import REPLIES
from daybook_command.postgres import child_sql
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.entries.identity import Identity
from daybook_contracts.routing import partition_of
from daybook_infra.runtime.postgres.connections import keep_session, open_pool
from daybook_infra.runtime.settings import Settings, load_settings
from support.driving import fresh_id

ENTRY = bytes(900)


def needs_of_one(org_id: str) -> Needs:
    """What the shard must look up for a member's command, if it has the org in memory."""
    identity = Identity("org", org_id, None, fresh_id())
    return Needs((identity,), (OrgNeeds(org_id, generation=0),), users=(fresh_id(),))


@dataclass(slots=True)
class Parts:
    settings: Settings
    snapshots: SnapshotReader
    producer: AIOKafkaProducer
    topic: str
    org_id: str

    async def work(self) -> None:
        place = partition_of(self.org_id, self.settings.partitions)
        await self.snapshots.read({place: needs_of_one(self.org_id)})
        await self.producer.send_and_wait(self.topic, ENTRY, partition=0)


@asynccontextmanager
async def parts(topic: str, org_id: str) -> AsyncIterator[Parts]:
    settings = load_settings()
    pool = await open_pool(settings, "bench", session=child_sql.SESSION, reset=keep_session)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all", enable_idempotence=True)
    async with pool, producer:
        yield Parts(settings, SnapshotReader(pool), producer, settings.topic_prefix + topic, org_id)


def app_of(topic: str, org_id: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with parts(topic, org_id) as app.state.parts:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/commands")
    async def command(envelope: Envelope) -> Envelope:
        await app.state.parts.work()
        return envelope

    return app


async def serve_kafka(port: int, topic: str, org_id: str, commands: str) -> None:
    async with parts(topic, org_id) as each:
        prefix = each.settings.topic_prefix
        consumer = AIOKafkaConsumer(bootstrap_servers=each.settings.kafka_bootstrap, enable_auto_commit=False)
        async with consumer:
            consumer.assign([TopicPartition(prefix + commands, 0)])
            await consumer.seek_to_end()
            listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
            async with listening:
                async for record in consumer:
                    await each.work()
                    await each.producer.send(f"{prefix}results", record.value, partition=REPLIES)


async def main() -> None:
    match sys.argv[1:]:
        case ["http", port, topic, org_id]:
            app = app_of(topic, org_id)
            config = uvicorn.Config(app, port=int(port), http="httptools", access_log=False, log_level="warning")
            await uvicorn.Server(config).serve()
        case ["kafka", port, topic, org_id, commands]:
            answering = asyncio.ensure_future(serve_kafka(int(port), topic, org_id, commands))
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, answering.cancel)
            with suppress(asyncio.CancelledError):
                await answering
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
