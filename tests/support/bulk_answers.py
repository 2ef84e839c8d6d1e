"""A stand-in for both services that handles only bulk commands with a filter: it changes the dead letters in the
tables, writes the entry, moves the checkpoint and answers. Tests can make it reject, stop answering or fall behind.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from daybook_contracts.codes import Code
from daybook_contracts.results import Accepted, EntryRef, Result, problem
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.settings import Settings
from support.answering import answering
from support.chain import Json, entry_id

MATCHING = """
SELECT id FROM dlq_events
WHERE connection_id = $1 AND status = 'pending' AND ($2::integer IS NULL OR retry_count <= $2) ORDER BY id
"""
CHANGE = {
    "RETRY_DLQ_EVENTS": "UPDATE dlq_events SET retry_count = retry_count + 1 WHERE id = ANY($1)",
    "RESOLVE_DLQ_EVENTS": "UPDATE dlq_events SET status = 'resolved' WHERE id = ANY($1)",
}
ARRIVE = "INSERT INTO dlq_events SELECT gen_random_uuid(), $1, '1', 'pending', 0 FROM generate_series(1, $2)"
ENTRY = "INSERT INTO audit_log VALUES ($1, null, null, null, $2, 'source_connection', $3, 'success', $4, now())"
CHECKPOINT = """
INSERT INTO daybook.checkpoints VALUES (0, 1, $1, 'x', 0)
ON CONFLICT (partition) DO UPDATE SET position = excluded.position
"""


@dataclass(slots=True)
class Services:
    """Carries out the first `answers` commands; `then` answers the others. Without `project`, the checkpoint stays
    behind, as if nothing were projected. After each command, `arriving` new dead letters are added.
    """

    database: OwnConnection
    answers: int = 1000
    then: Callable[[Json], Result | None] = lambda _: None
    project: bool = True
    arriving: int = 0
    taken: list[Json] = field(default_factory=list)
    principals: set[str] = field(default_factory=set)
    signatures: list[tuple[bytes, bytes | None]] = field(default_factory=list)

    async def answer(self, record: ConsumerRecord[bytes, bytes]) -> Result | None:
        command = json.loads(record.value or b"")
        self.taken.append(command)
        headers = dict(record.headers)
        self.principals.add(headers["daybook-principal"].decode())
        self.signatures.append((record.value or b"", headers.get("daybook-signature")))
        return await self._carry_out(command) if len(self.taken) <= self.answers else self.then(command)

    async def _carry_out(self, command: Json) -> Result:
        data, position = command["data"], len(self.taken) - 1
        matching = await self._matching(data)
        touched, entry = matching[:1000], entry_id(command["org_id"], command["id"])
        await self.database.execute(CHANGE[command["type"]], touched)
        kept = data | {"ids": [str(id_) for id_ in touched], "remaining": len(matching) - len(touched)}
        metadata = {"scope": "org", "key": command["org_id"], "command_id": command["id"], "ordinal": 0, "data": kept}
        await self.database.execute(ENTRY, entry, command["type"], data["connection_id"], json.dumps(metadata))
        await self.database.execute(ARRIVE, data["connection_id"], self.arriving)
        if self.project:
            await self.database.execute(CHECKPOINT, position)
        ref = EntryRef(entry, command["type"], "source_connection", data["connection_id"])
        return Accepted(command["id"], (ref,), f"0.{position}")

    async def _matching(self, data: Json) -> list[Any]:
        most = data["filter"].get("max_retry_count")
        return [row["id"] for row in await self.database.fetch(MATCHING, data["connection_id"], most)]


def refusal(command: Json) -> Result:
    return problem(Code.ORG_QUARANTINED, "the org stands still", command_id=command["id"])


@asynccontextmanager
async def services(settings: Settings, **ways: Any) -> AsyncIterator[Services]:
    async with connect(settings, "test") as database:
        made = Services(database, **ways)
        async with answering(settings, made.answer):
            yield made
