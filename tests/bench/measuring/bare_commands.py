"""The command side of a bare system: it does only what no design can leave out, for all waiting commands at once. It
parses them, looks up in one statement which of their ids are in the table, makes an entry of the usual size with a
hash for each, appends all entries together, and answers. It checks and decides nothing.

Run as a program, `python -m bench.measuring.bare_commands PORT` with Daybook's settings in its environment. Until
SIGTERM, it serves HTTP on PORT (/v1/commands, and lists of commands at /v1/commands:batch), and answers the records in
the first partition of the commands topic. It appends to the first partition of the topic of entries.
"""

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.measuring.bare_projector import TABLE
from bench.measuring.kafka_load import REPLIES
from daybook_command.postgres import child_sql
from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.entry_batches import MAX_BATCH_BYTES
from daybook_infra.runtime.postgres.connections import Connection, keep_session, open_pool
from daybook_infra.runtime.settings import load_settings

Command = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Respond = Callable[[dict[str, Any]], Awaitable[None]]
KNOWN = f"SELECT id::text FROM {TABLE} WHERE id = ANY($1::uuid[])"
MOST = 2_000
"""The most commands over Kafka that are handled at once: their entries fit into one batch."""
PRINCIPAL = "service:loader"
A_HASH, A_SALT = "0" * 64, "0" * 32


@dataclass(slots=True)
class Request:
    commands: Sequence[Command]
    answered: asyncio.Future[list[Command]]


@dataclass(slots=True)
class BareCommands:
    producer: AIOKafkaProducer
    database: Connection
    topics: Topics
    position: int = 0
    head: str = A_HASH
    done: dict[str, int] = field(default_factory=dict)
    waiting: list[Request] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, commands: Sequence[Command]) -> list[Command]:
        """The answers to the commands, once their entries are in the log."""
        request = Request(commands, asyncio.get_running_loop().create_future())
        self.waiting.append(request)
        self.arrived.set()
        return await request.answered

    async def run(self) -> None:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            taken, self.waiting = self.waiting, []
            await self.append([command for request in taken for command in request.commands])
            for request in taken:
                request.answered.set_result([self.answer_to(command["id"]) for command in request.commands])

    def answer_to(self, command_id: str) -> Command:
        return {"command_id": command_id, "position": f"0.{self.done[command_id]}", "result": "success"}

    async def append(self, commands: Sequence[Command]) -> None:
        """A command with the id of an earlier one gets no entry."""
        known = await self.database.fetch(KNOWN, [command["id"] for command in commands])
        self.done |= dict.fromkeys((row[0] for row in known if row[0] not in self.done), 0)
        created_at = datetime.now(UTC).isoformat()
        values = [self.entry(command, created_at) for command in commands if command["id"] not in self.done]
        await self.publish(self.topics.audit_log, 0, values)

    def entry(self, command: Command, created_at: str) -> bytes:
        id_, org_id, actor = command["id"], command.get("org_id"), command.get("actor_user_id")
        metadata = {
            "command_id": id_,
            "commit": A_HASH,
            "data": command["data"],
            "entries": 1,
            "hash": A_HASH,
            "key": org_id,
            "ordinal": 0,
            "partition": 0,
            "position": self.position,
            "prev": self.head,
            "principal": PRINCIPAL,
            "request": A_HASH,
            "salt": A_SALT,
            "scope": "org",
            "v": 1,
        }
        entry = {
            "action": command["type"],
            "actor_user_id": actor,
            "created_at": created_at,
            "entity_id": id_,
            "entity_type": "source_connection",
            "id": id_,
            "metadata_json": metadata,
            "org_id": org_id,
            "project_id": None,
            "result": "success",
        }
        value = orjson.dumps(entry)
        self.head = hashlib.sha256(value).hexdigest()
        self.done[id_] = self.position
        self.position += 1
        return value

    async def publish(self, topic: str, partition: int, values: Iterable[bytes]) -> None:
        """Publishes the values in as few batches as possible; returns when all are acknowledged."""
        acks, batch = [], self.producer.create_batch()
        for value in values:
            if batch.append(timestamp=None, key=None, value=value) is None:
                acks.append(await self.producer.send_batch(batch, topic, partition=partition))
                batch = self.producer.create_batch()
                batch.append(timestamp=None, key=None, value=value)
        if batch.record_count() > 0:
            acks.append(await self.producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*acks)

    async def answer_http(self, scope: dict[str, Any], receive: Receive, respond: Respond) -> None:
        """An ASGI app."""
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        sent = orjson.loads(body)
        if scope["path"].endswith(":batch"):
            answer = orjson.dumps(await self.answer(sent))
        else:
            answer = orjson.dumps((await self.answer([sent]))[0])
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await respond({"type": "http.response.start", "status": 200, "headers": headers})
        await respond({"type": "http.response.body", "body": answer})

    async def answer_kafka(self, consumer: AIOKafkaConsumer) -> None:
        """Publishes a reply for each command, and meanwhile handles the next ones."""
        replying: Awaitable[Any] = asyncio.sleep(0)
        while True:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=MOST)).values():
                answers = await self.answer([orjson.loads(record.value or b"") for record in records])
                await replying
                replies = self.publish(self.topics.results, REPLIES, map(orjson.dumps, answers))
                replying = asyncio.create_task(replies)


async def main(port: int) -> None:
    settings = load_settings()
    topics, servers = Topics(settings.topic_prefix), settings.kafka_bootstrap
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_BATCH_BYTES,
    )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, max_partition_fetch_bytes=MAX_BATCH_BYTES
    )
    async with AsyncExitStack() as closing:
        for client in (producer, consumer):
            await closing.enter_async_context(client)
        pool = await open_pool(settings, "bench", session=child_sql.SESSION, reset=keep_session)
        await closing.enter_async_context(pool)
        database = await closing.enter_async_context(pool.acquire())
        consumer.assign([TopicPartition(topics.commands, 0)])
        await consumer.seek_to_end()
        bare = BareCommands(producer, database, topics)
        group = await closing.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(each) for each in (bare.run(), bare.answer_kafka(consumer))]
        options: dict[str, Any] = {"interface": "asgi3", "lifespan": "off", "proxy_headers": False, "access_log": False}
        config = uvicorn.Config(bare.answer_http, port=port, http="httptools", log_level="warning", **options)
        await uvicorn.Server(config).serve()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
