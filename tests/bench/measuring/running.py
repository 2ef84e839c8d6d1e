"""A system for one benchmark: Kafka, PostgreSQL with fsync as in production, one instance of each service, and orgs. At
the end, verifies the whole log and all tables, as an auditor would.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from bench.figures import say
from bench.measuring import http_load, kafka_load
from bench.measuring.kafka_load import Mode, command_record
from bench.measuring.orgs import ORGS, Orgs, batch_body, plan_orgs
from daybook_infra.runtime.kafka import clients as kafka
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.embedded import EmbeddedStack
from support.driving import open_database
from support.processes import DAYBOOK, PROGRAM, System, Systems, environment
from support.publisher import Send, token
from support.stack import Fresh, own_stack

UNLIMITED: dict[str, Any] = {"rate": 1e9, "burst": 10**9, "wait_seconds": 60.0}
PROJECTED_SECONDS = 300
TOPIC = "bench"
CHECKPOINTS = "SELECT coalesce(sum(next_offset), 0)::bigint FROM daybook.checkpoints"


@dataclass(slots=True)
class Bench:
    system: System
    stack: EmbeddedStack
    systems: Systems
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.system.settings

    @property
    def door(self) -> str:
        return self.system.commands[0].url

    @property
    def servers(self) -> dict[str, int]:
        return server_pids(self.stack)

    @property
    def processes(self) -> dict[str, int]:
        return self.servers | {
            "command": self.system.commands[0].process.pid,
            "projector": self.system.projectors[0].process.pid,
        }

    def request(self, send: Send) -> bytes:
        return http_load.request("/v1/commands", send.body, self.bearer(send.principal))

    def batch(self, sends: Sequence[Send], principal: str = "service:loader") -> bytes:
        return http_load.request("/v1/commands:batch", batch_body(sends), self.bearer(principal))

    def bearer(self, principal: str) -> str:
        if principal not in self.tokens:
            self.tokens[principal] = f"Bearer {token(self.settings, principal)}"
        return self.tokens[principal]

    async def found(self, orgs: Orgs) -> None:
        """Registers the users and founds the orgs over Kafka, which is fastest, and waits until all is projected."""
        for sends in (orgs.registrations, orgs.founding):
            records = [command_record(send, self.settings.partitions) for send in sends]
            await kafka_load.run(self.settings, Mode.FLOOD, "commands", records)
            await self.until_projected()
        async with open_database(self.settings) as database:
            refused = await database.fetchval("SELECT count(*) FROM audit_log WHERE result = 'failure'")
        assert refused == 0, f"{refused} founding commands were rejected"

    async def create_topic(self, name: str = TOPIC) -> str:
        """Creates a topic with one partition, for records other than Daybook's. The topic is called `name`, with the
        topic prefix before it. Returns `name`.
        """
        async with kafka.admin(self.settings) as client:
            await client.create_topics([NewTopic(f"{self.settings.topic_prefix}{name}", 1, 1)])
        return name

    def create_database(self) -> str:
        """Creates an empty database on the same server. Returns its URL."""
        return self.systems.fresh_settings(init=False).database_url.get_secret_value()

    async def until_projected(self, seconds: float = PROJECTED_SECONDS) -> int:
        return await until_projected(self.settings, seconds)

    def another(self, **changes: Any) -> "Bench":
        """A second system on the same servers."""
        return Bench(self.systems.start(**(UNLIMITED | changes)), self.stack, self.systems)

    def verify(self) -> None:
        done = subprocess.run(
            [DAYBOOK, "audit", "verify"], env=environment(self.settings), capture_output=True, text=True, check=False
        )
        say(f"daybook audit verify: {done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr}")
        assert done.returncode == 0, done.stdout + done.stderr


async def until_projected(settings: Settings, seconds: float = PROJECTED_SECONDS) -> int:
    """Waits until the tables show the whole log. Returns how many entries it has."""
    end = await log_end(settings)
    async with asyncio.timeout(seconds), open_database(settings) as database:
        while await database.fetchval(CHECKPOINTS) < end:  # noqa: ASYNC110 - another process moves them
            await asyncio.sleep(0.005)
    return end


async def log_end(settings: Settings) -> int:
    topic = f"{settings.topic_prefix}audit_log"
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap) as consumer:
        ends = await consumer.end_offsets([TopicPartition(topic, at) for at in range(settings.partitions)])
    return sum(ends.values())


def server_pids(stack: EmbeddedStack) -> dict[str, int]:
    kafka, postgres = (server.process() for server in stack._kafka_and_postgres())
    assert kafka is not None
    assert postgres is not None
    return {"kafka": kafka.pid, "postgres": postgres.pid}


@contextmanager
def bench_system(*, program: Sequence[str] = PROGRAM, **changes: Any) -> Iterator[Bench]:
    """`program`: what runs as the command service. `changes` are settings. The HTTP door's rate limit is off, because
    a few principals send everything.
    """
    with own_stack(durable=True) as stack, tempfile.TemporaryDirectory() as folder:
        systems = Systems(Fresh(stack.servers()), Path(folder))
        try:
            system = systems.start(commands=0, projectors=0, **(UNLIMITED | changes))
            system.start("projector")
            system.start("command", program)
            system.wait_ready()
            bench = Bench(system, stack, systems)
            yield bench
            bench.verify()
        finally:
            systems.stop()


@contextmanager
def bench_orgs(count: int = ORGS) -> Iterator[tuple[Bench, Orgs]]:
    """A system with founded orgs."""
    orgs = plan_orgs(count)
    with bench_system() as bench:
        asyncio.run(bench.found(orgs))
        yield bench, orgs
