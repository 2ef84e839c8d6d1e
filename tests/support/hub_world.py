"""A hub of live streams without a database."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from daybook_contracts.senders.principals import User
from daybook_infra.runtime.errors import DatabaseAway
from daybook_projector.metrics import ReadMetrics
from daybook_projector.read_api.reader import reader_of
from daybook_projector.read_api.stream.hub import Hub
from daybook_projector.read_api.stream.log_reads import News, Pair
from daybook_projector.read_api.stream.open_stream import End, OpenStream

ORG = "00000000-0000-4000-8000-000000000001"
START = datetime(2026, 11, 22, tzinfo=UTC)


def at(position: int) -> datetime:
    return START + timedelta(seconds=position)


@dataclass(slots=True)
class Reads:
    """A log in memory. `meanwhile` is called during a read, after its snapshot is taken. A read takes `seconds`, and
    fails if the database is `away`.
    """

    last: int = 0
    allowed: bool = True
    meanwhile: Callable[[], None] = lambda: None
    reads: int = 0
    seconds: float = 0
    away: bool = False

    async def positions(self, partitions: Collection[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.last)

    async def news(self, since: Mapping[str, datetime], pairs: Collection[Pair]) -> News:
        self.reads += 1
        rows: dict[str, list[Any]] = {
            org_id: [row(number) for number in range(self.last + 1) if at(number) > time]
            for org_id, time in since.items()
        }
        self.meanwhile()
        await asyncio.sleep(self.seconds)
        if self.away:
            raise DatabaseAway("PostgreSQL is away")
        return News(rows, frozenset(pairs) if self.allowed else frozenset(), cut=False)


def row(position: int) -> dict[str, Any]:
    return {
        "id": ORG,
        "org_id": ORG,
        "project_id": None,
        "actor_user_id": None,
        "action": "RENAME_ORG",
        "entity_type": "org",
        "entity_id": ORG,
        "result": "success",
        "metadata_json": "{}",
        "created_at": at(position),
        "position": position,
    }


@dataclass(slots=True)
class World:
    reads: Reads = field(default_factory=Reads)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.hub = Hub(self.reads, ReadMetrics(CollectorRegistry()))  # type: ignore[arg-type]  # a stand-in

    def joined(self, last: int = 0) -> OpenStream:
        ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        stream = OpenStream(reader_of(User(ORG), None), ORG, 3, last, ended)
        self.hub.join(stream, at(last))
        return stream

    async def tick(self, last: int) -> None:
        self.reads.last = last
        await self.hub._tick()
