"""An org with connections of few and of very many dead letters, in a running system.

The many are written straight into `dlq_events`: a million rows need no million commands. So the log does not have them,
and nothing may hold these tables against it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import uuid_utils

from bench.line import Line, line
from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.chain import Json, partition_of
from support.driving import connected, until_projected
from support.processes import DAYBOOK, System, environment
from support.publisher import token

PROJECTED_SECONDS = 300.0
# Ids in ascending order of time, as computed ones are. $4: one in so many was never retried, the others once.
PLANT = """
INSERT INTO dlq_events
SELECT (lpad(to_hex(x'019000000000'::bigint + n), 12, '0') || '8' || substr(md5($1::uuid::text || n), 1, 19))::uuid,
    $1, jsonb_build_object('event', 'PURCHASE_APPROVED', 'data', $3::text), 'pending', (n % $4 <> 0)::int
FROM generate_series(1, $2) AS n
"""
PAYLOAD = "HP17715690036014 " * 16
# What autovacuum does sooner or later.
SETTLE = "VACUUM (ANALYZE) dlq_events, source_connections"
PLANTED = "SELECT id::text FROM dlq_events WHERE connection_id = $1 AND status = 'pending' ORDER BY id DESC LIMIT $2"


@dataclass(slots=True)
class Scene:
    system: System
    line: Line
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
        """Of a service that acts for the org's owner."""
        made = {"id": str(uuid_utils.uuid7()), "type": kind, "org_id": self.org_id, "actor_user_id": self.owner}
        return made | {"data": data}

    async def send(self, kind: str, **data: Any) -> Json:
        answer: Json = await self.line.post("/v1/commands", self.envelope(kind, **data))
        return answer

    async def made(self, kind: str, **data: Any) -> str:
        """The id of what the command makes."""
        id_: str = (await self.send(kind, **data))["entries"][0]["entity_id"]
        return id_

    async def send_many(self, envelopes: list[Json]) -> str:
        """As one batch. The last one's position."""
        items = await self.line.post("/v1/commands:batch", envelopes)
        assert {item["status"] for item in items} == {200}, items
        position: str = items[-1]["position"]
        return position

    async def connection(self, letters: int, one_unretried_in: int = 1) -> str:
        """With so many pending dead letters."""
        made = await self.send("CREATE_CONNECTION", project_id=self.project_id, type="rss", name="Feed", config={})
        await self.projected(made["position"])
        connection_id: str = made["entries"][0]["entity_id"]
        plant = (PLANT, connection_id, letters, PAYLOAD, one_unretried_in)
        await self.database.execute(*plant, timeout=PROJECTED_SECONDS)
        return connection_id

    async def projected(self, position: str) -> None:
        await until_projected(self.database, [position], PROJECTED_SECONDS)

    async def settled(self) -> None:
        """The tables have everything, and the shard knows."""
        for _ in range(2):
            await self.projected((await self.send("RENAME_ORG", name=f"Org {time.monotonic()}"))["position"])

    async def planted(self, connection_id: str, number: int) -> list[str]:
        return [row["id"] for row in await self.database.fetch(PLANTED, connection_id, number)]

    async def daybook(self, *arguments: str) -> str:
        program, pipe = (str(DAYBOOK), *arguments), asyncio.subprocess.PIPE
        env = environment(self.settings)
        running = await asyncio.create_subprocess_exec(*program, env=env, stdout=pipe, stderr=pipe)
        said, progress = await running.communicate()
        assert running.returncode == 0, progress
        return said.decode().strip()


@asynccontextmanager
async def scene(system: System, *, beside: Scene | None = None, same_partition: bool = True) -> AsyncIterator[Scene]:
    """A new org with a project; beside another one in its partition, or in another."""
    org_id = str(uuid4())
    partitions = system.settings.partitions
    while beside is not None and (_place(org_id, partitions) == _place(beside.org_id, partitions)) != same_partition:
        org_id = str(uuid4())
    # Longer than any run.
    bearer = token(system.settings, "service:bench", exp=int(time.time()) + 86_400)
    async with connected(system.settings) as database, line(system.commands[0].url, bearer) as open_line:
        made = Scene(system, open_line, database, org_id)
        await _found(made)
        yield made


def _place(org_id: str, partitions: int) -> int:
    return partition_of(org_id, partitions)


async def _found(made: Scene) -> None:
    register = {"id": str(uuid4()), "type": "REGISTER_USER", "data": {"user_id": made.owner}}
    await made.projected((await made.line.post("/v1/commands", register))["position"])
    await made.send("CREATE_ORG", name="Org")
    made.project_id = await made.made("CREATE_PROJECT", name="Shop")
