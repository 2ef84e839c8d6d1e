"""Prints what the client costs: `python tests/bench/client_overhead.py [--commands N] [--rounds N]`. Compares the rate
of `send_many`, and its CPU time in this process, with those of a bare aiokafka producer and a consumer of the replies,
and times the import of the client in a new process. It asserts nothing about time: compare the ratio.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.figures import say
from bench.systems import own_systems
from daybook_client import Accepted, Daybook, commands
from daybook_client.command import Command
from daybook_infra.runtime.settings import Settings
from support.chain import partition_of
from support.driving import open_database, until_projected
from support.processes import System

ORGS = 100
IN_FLIGHT = 2_000
PRINCIPAL = "service:bench"
IMPORT = "import time; began = time.perf_counter(); import daybook_client; print(time.perf_counter() - began)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000, help="commands for each way in each round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of both ways, in turn")
    args = parser.parse_args()
    imports = sorted(float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(7))
    say(f"import daybook_client: {imports[3]:.3f} s (p50 of 7), {imports[0]:.3f} s at best")
    with own_systems() as systems:
        asyncio.run(run(systems.start(partitions=4), args.commands, args.rounds))


async def run(system: System, count: int, rounds: int) -> None:
    settings = system.settings
    rates: dict[str, list[float]] = {"a bare producer": [], "send_many": []}
    cpu: dict[str, list[float]] = {way: [] for way in rates}
    kafka, prefix = settings.kafka_bootstrap, settings.topic_prefix
    async with Daybook.over_kafka(kafka, principal=PRINCIPAL, topic_prefix=prefix) as daybook:
        user, orgs = await found_orgs(daybook, settings)
        for at in range(rounds):
            for way in sorted(rates, reverse=bool(at % 2)):  # going first may be an advantage
                asked = [
                    commands.RenameOrg(org_id=orgs[n % ORGS], actor_user_id=user, name=f"{n}") for n in range(count)
                ]
                began, cpu_began = time.perf_counter(), time.process_time()
                await (send_many(daybook, asked) if way == "send_many" else send_bare(settings, asked))
                rates[way].append(count / (time.perf_counter() - began))
                cpu[way].append((time.process_time() - cpu_began) / count * 1e6)
                say(f"round {at}: {way:<16} {rates[way][-1]:8.0f} commands/s {cpu[way][-1]:6.1f} us of CPU for each")
    ratios = [client / bare for client, bare in zip(rates["send_many"], rates["a bare producer"], strict=True)]
    say(f"send_many reaches {statistics.median(ratios):.2f} of the bare producer's rate (median of {rounds} rounds)")
    say("us of CPU for each command: " + ", ".join(f"{way} {statistics.median(each):.1f}" for way, each in cpu.items()))


async def found_orgs(daybook: Daybook, settings: Settings) -> tuple[str, list[str]]:
    user, orgs = str(uuid4()), [str(uuid4()) for _ in range(ORGS)]
    registered = await daybook.send(commands.RegisterUser(user_id=user))
    if not isinstance(registered, Accepted):
        raise TypeError(registered)
    async with open_database(settings) as database:  # the orgs are in other partitions
        await until_projected(database, [registered.position])
    await send_many(daybook, [commands.CreateOrg(org_id=org, actor_user_id=user, name="x") for org in orgs])
    return user, orgs


async def send_many(daybook: Daybook, asked: Sequence[Command]) -> None:
    async with aclosing(daybook.send_many(asked, in_flight=IN_FLIGHT)) as outcomes:
        async for outcome in outcomes:
            if not isinstance(outcome, Accepted):
                raise TypeError(outcome)


async def send_bare(settings: Settings, asked: Sequence[Command]) -> None:
    """Sends as docs/topics.md says, with `IN_FLIGHT` commands in flight. No retries, checks or outcome objects."""
    place = TopicPartition(f"{settings.topic_prefix}results", 0)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all", enable_idempotence=True)
    results = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False)
    free, waiting = asyncio.Semaphore(IN_FLIGHT), {command.id for command in asked}
    async with producer, results:
        results.assign([place])
        await results.seek_to_end(place)
        await results.position(place)

        async def read() -> None:
            while waiting:
                for records in (await results.getmany(timeout_ms=1000)).values():
                    for record in records:
                        reply = json.loads(record.value or b"{}")
                        waiting.discard(reply["command_id"])
                        free.release()

        reading = asyncio.create_task(read())
        for command in asked:
            await free.acquire()
            headers = [
                ("daybook-principal", PRINCIPAL.encode()),
                ("reply-partition", b"0"),
                ("correlation-id", command.id.encode()),
            ]
            partition = partition_of(command.key, settings.partitions)
            topic = f"{settings.topic_prefix}commands"
            await producer.send(topic, command.to_json(), command.key.encode(), partition, headers=headers)
        await reading


if __name__ == "__main__":
    main()
