"""An org in a running system, with connections that have few or very many dead letters.

The dead letters are inserted into `dlq_events` directly, because a million commands would take too long. The log does
not have them, so the tables do not match it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import uuid_utils

from bench.json_connection import JsonConnection, json_connection
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Json, partition_of
from support.driving import open_database, until_projected
from support.processes import DAYBOOK, System, environment
from support.publisher import token

PROJECTED_SECONDS = 300.0
# Ids are spread evenly, as computed ids are. One in $4 dead letters was never retried; the others were retried once.
PLANT = """
INSERT INTO dlq_events
SELECT overlay(md5($1::uuid::text || n) PLACING '8' FROM 13 FOR 1)::uuid,
    $1, jsonb_build_object('event', 'PURCHASE_APPROVED', 'data', $3::text), 'pending', (n % $4 <> 0)::int
FROM generate_series(1, $2) AS n
"""
COUNT_PLANTED = "UPDATE daybook.connection_activity SET pending = pending + $2 WHERE connection_id = $1"
PAYLOAD = "HP17715690036014 " * 16
# Does at once what autovacuum would do later.
SETTLE = "VACUUM (ANALYZE) dlq_events, source_connections"
PLANTED = "SELECT id::text FROM dlq_events WHERE connection_id = $1 AND status = 'pending' ORDER BY id DESC LIMIT $2"


@dataclass(slots=True)
class BenchOrg:
    system: System
    http: JsonConnection
    database: Connection
    org_id: str
    owner: str = field(default_factory=lambda: str(uuid4()))
    project_id: str = ""

    @property
    def settings(self) -> Settings:
        return self.system.settings

    @property
    def command_pid(self) -> int:
        return self.system.commands[0].process.pid

    def envelope(self, kind: str, **data: Any) -> Json:
        """The envelope of a command that a service sends for the org's owner."""
        envelope = {"id": str(uuid_utils.uuid7()), "type": kind, "org_id": self.org_id, "actor_user_id": self.owner}
        return envelope | {"data": data}

    async def send(self, kind: str, **data: Any) -> Json:
        answer: Json = await self.http.post("/v1/commands", self.envelope(kind, **data))
        return answer

    async def create(self, kind: str, **data: Any) -> str:
        """Sends a command; returns the id of the thing that it has created."""
        id_: str = (await self.send(kind, **data))["entries"][0]["entity_id"]
        return id_

    async def send_many(self, envelopes: list[Json]) -> str:
        """Sends one batch; returns the position of the last command."""
        items = await self.http.post("/v1/commands:batch", envelopes)
        assert {item["status"] for item in items} == {200}, items
        position: str = items[-1]["position"]
        return position

    async def create_connection(self, letters: int, one_unretried_in: int = 1) -> str:
        """Creates a connection with this many pending dead letters; returns its id."""
        answer = await self.send("CREATE_CONNECTION", project_id=self.project_id, type="rss", name="Feed", config={})
        await self.wait_until_projected(answer["position"])
        connection_id: str = answer["entries"][0]["entity_id"]
        plant = (PLANT, connection_id, letters, PAYLOAD, one_unretried_in)
        await self.database.execute(*plant, timeout=PROJECTED_SECONDS)
        await self.database.execute(COUNT_PLANTED, connection_id, letters)
        return connection_id

    async def wait_until_projected(self, position: str) -> None:
        await until_projected(self.database, [position], PROJECTED_SECONDS)

    async def settle(self) -> None:
        """Waits until everything is projected, and the shard has seen the checkpoint."""
        for _ in range(2):
            await self.wait_until_projected((await self.send("RENAME_ORG", name=f"Org {time.monotonic()}"))["position"])

    async def planted_ids(self, connection_id: str, number: int) -> list[str]:
        return [row["id"] for row in await self.database.fetch(PLANTED, connection_id, number)]

    async def daybook(self, *arguments: str) -> str:
        program, pipe = (str(DAYBOOK), *arguments), asyncio.subprocess.PIPE
        env = environment(self.settings)
        running = await asyncio.create_subprocess_exec(*program, env=env, stdout=pipe, stderr=pipe)
        output, errors = await running.communicate()
        assert running.returncode == 0, errors
        return output.decode().strip()


@asynccontextmanager
async def new_org(
    system: System, *, beside: BenchOrg | None = None, same_partition: bool = True
) -> AsyncIterator[BenchOrg]:
    """A new org with a project, in the partition of `beside` or in another one."""
    org_id = str(uuid4())
    partitions = system.settings.partitions
    if beside is not None:
        partition = partition_of(beside.org_id, partitions)
        while (partition_of(org_id, partitions) == partition) != same_partition:
            org_id = str(uuid4())
    # The token is valid for longer than any run takes.
    bearer = token(system.settings, "service:bench", exp=int(time.time()) + 86_400)
    async with (
        open_database(system.settings) as database,
        json_connection(system.commands[0].url, bearer) as http,
    ):
        org = BenchOrg(system, http, database, org_id)
        await _create(org)
        yield org


async def _create(org: BenchOrg) -> None:
    register = {"id": str(uuid4()), "type": "REGISTER_USER", "data": {"user_id": org.owner}}
    await org.wait_until_projected((await org.http.post("/v1/commands", register))["position"])
    await org.send("CREATE_ORG", name="Org")
    org.project_id = await org.create("CREATE_PROJECT", name="Shop")
