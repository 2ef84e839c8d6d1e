"""A Kafka load generator, in a process of its own. `run` starts it in one of three modes:

- FLOOD publishes commands as fast as Kafka takes them, in large batches, and reads their replies meanwhile;
- ONE_CLIENT publishes one command and awaits its reply before the next one;
- ACKS publishes one record and awaits the acknowledgement of an idempotent producer before the next one.

It uses aiokafka directly, because the client's own costs are measured elsewhere (client_overhead.py).
"""

import asyncio
import json
import pickle
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.measuring.comparison import Done
from bench.measuring.http_load import summary
from daybook_infra.runtime.settings import Settings
from support.chain import partition_of
from support.publisher import Send

REPLIES = 0
"""The partition of the results topic that gets the replies."""
BATCH_BYTES = 256 * 1024
FLUSH_EVERY = 2_000
WAIT_SECONDS = 300


class Mode(StrEnum):
    FLOOD = "flood"
    ONE_CLIENT = "one_client"
    ACKS = "acks"


@dataclass(frozen=True, slots=True)
class Record:
    partition: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def command_record(send: Send, partitions: int) -> Record:
    headers = (
        ("daybook-principal", send.principal.encode()),
        ("reply-partition", str(REPLIES).encode()),
        ("correlation-id", send.command["id"].encode()),
    )
    return Record(partition_of(send.key, partitions), send.key.encode(), send.body, headers)


async def run(settings: Settings, mode: Mode, topic: str, records: Sequence[Record]) -> Done:
    """`topic` is a name without the prefix. The values are latencies in seconds (none for FLOOD), and `began`, on the
    clock of `time.perf_counter`, which Linux shares between processes.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(pickle.dumps((settings.kafka_bootstrap, settings.topic_prefix, mode, topic, list(records))))
        file.flush()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.measuring.kafka_load", file.name),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the generator failed with {process.returncode}")
    found: dict[str, Any] = json.loads(out)
    return Done(len(records), found.pop("seconds"), found)


@dataclass(slots=True)
class Generator:
    producer: AIOKafkaProducer
    results: AIOKafkaConsumer
    topic: str

    async def flood(self, records: Sequence[Record]) -> list[float]:
        reading = asyncio.create_task(self._read(len(records)))
        batches: dict[int, Any] = {}
        for number, each in enumerate(records):
            if each.partition not in batches:
                batches[each.partition] = self.producer.create_batch()
            if not self._append(batches[each.partition], each):
                await self._send(batches, each.partition)
                batches[each.partition] = self.producer.create_batch()
                self._append(batches[each.partition], each)
            if number % FLUSH_EVERY == FLUSH_EVERY - 1:
                for partition in list(batches):
                    await self._send(batches, partition)
        for partition in list(batches):
            await self._send(batches, partition)
        await reading
        return []

    async def one_client(self, records: Sequence[Record]) -> list[float]:
        latencies = []
        for each in records:
            began = time.perf_counter()
            await self._publish(each)
            await self._read(1)
            latencies.append(time.perf_counter() - began)
        return latencies

    async def acks(self, records: Sequence[Record]) -> list[float]:
        latencies = []
        for each in records:
            began = time.perf_counter()
            await (await self._publish(each))
            latencies.append(time.perf_counter() - began)
        return latencies

    async def _publish(self, each: Record) -> Any:
        return await self.producer.send(
            self.topic, each.value, key=each.key, partition=each.partition, headers=list(each.headers)
        )

    @staticmethod
    def _append(batch: Any, each: Record) -> bool:
        made = batch.append(key=each.key, value=each.value, timestamp=None, headers=list(each.headers))
        return made is not None

    async def _send(self, batches: dict[int, Any], partition: int) -> None:
        await self.producer.send_batch(batches.pop(partition), self.topic, partition=partition)

    async def _read(self, count: int) -> None:
        """Counts replies, without reading what they say."""
        while count > 0:
            count -= sum(map(len, (await self.results.getmany(timeout_ms=1000)).values()))


async def drive(bootstrap: str, prefix: str, mode: Mode, topic: str, records: Sequence[Record]) -> dict[str, Any]:
    place = TopicPartition(f"{prefix}results", REPLIES)
    async with AsyncExitStack() as closing:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        results = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        for client in (producer, results):
            await closing.enter_async_context(client)
        results.assign([place])
        await results.seek_to_end(place)
        await results.position(place)
        generator = Generator(producer, results, f"{prefix}{topic}")
        began = time.perf_counter()
        latencies = await asyncio.wait_for(getattr(generator, mode)(records), WAIT_SECONDS)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "began": began, **(summary(latencies) if latencies else {})}


def main() -> None:
    with Path(sys.argv[1]).open("rb") as file:
        plan = pickle.load(file)  # noqa: S301 - written by `run`
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(drive(*plan))))


if __name__ == "__main__":
    main()
