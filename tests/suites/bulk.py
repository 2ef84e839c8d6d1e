"""Contract suite for services that carry out bulk commands, on which `daybook dlq` relies."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from daybook_infra.runtime.postgres.connections import Connection
from support.driving import fresh_id, until_projected
from support.publisher import Publisher, Send
from support.workload import SERVICE, command

PENDING = 2500
ENTRY = """
SELECT jsonb_array_length(metadata_json->'data'->'ids'), (metadata_json->'data'->>'remaining')::integer
FROM audit_log WHERE id = $1
"""
LETTERS = "SELECT status, retry_count FROM dlq_events WHERE connection_id = $1"


@dataclass
class Bulk:
    """A connection with PENDING dead letters."""

    publisher: Publisher
    database: Connection
    org_id: str
    connection_id: str

    async def send(self, kind: str, **data: Any) -> tuple[int, int]:
        """Sends a bulk command and waits until it is projected. Returns how many dead letters it changed, and how many
        matching ones are left.
        """
        data |= {"connection_id": self.connection_id, "filter": data.pop("filter", {})}
        sent = await self.publisher.publish(Send(SERVICE, command(kind, self.org_id, None, fresh_id(), **data)))
        answer = await asyncio.wait_for(sent, 30)
        assert answer["result"] == "success", answer
        await until_projected(self.database, [answer["position"]])
        changed, remaining = await self.database.fetchrow(ENTRY, answer["entries"][0]["id"]) or (0, 0)
        return changed, remaining

    async def letters(self) -> Counter[tuple[str, int]]:
        return Counter(map(tuple, await self.database.fetch(LETTERS, self.connection_id)))


class BulkContract:
    async def test_a_filter_takes_a_thousand_dead_letters_and_counts_the_rest(self, bulk: Bulk) -> None:
        steps = [(1000, 1500), (1000, 500), (500, 0), (0, 0)]
        assert [await bulk.send("RETRY_DLQ_EVENTS", filter={"max_retry_count": 0}) for _ in steps] == steps
        assert await bulk.letters() == {("pending", 1): PENDING}
        assert [await bulk.send("RESOLVE_DLQ_EVENTS", resolution="discarded") for _ in steps] == steps
        assert await bulk.letters() == {("resolved", 1): PENDING}
