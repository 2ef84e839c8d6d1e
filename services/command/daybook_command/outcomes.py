"""What became of a command, from the tables: its routing key and id in, its result and who may see it out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from daybook_command.entry_rows import fetch_entries
from daybook_command.shard.answers import outcome
from daybook_contracts.entries import Entry
from daybook_contracts.ids import entry_id
from daybook_contracts.results import Result
from daybook_infra.postgres import Pool, translated

# A caller is kept no longer where PostgreSQL hangs, or all of the door's connections are taken.
LOOK_SECONDS = 5.0

ROLE: Final = "SELECT role::text FROM public.org_members WHERE org_id = $1::uuid AND user_id = $2::uuid"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`sender` as entries have it (`user:<uuid>`, `service:<name>`); `org_id` is None where no org is concerned."""

    result: Result
    sender: str
    org_id: str | None


class OutcomeReader:
    """Reads what is projected. Every method raises DatabaseAway where PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key: str, command_id: str) -> Outcome | None:
        """None where the command is unknown, not decided, not projected yet, or was refused without an entry."""
        first_id = entry_id(key, command_id, 0)
        first = (await self._entries([first_id])).get(first_id)
        if first is None:
            return None
        others = [entry_id(key, command_id, ordinal) for ordinal in range(1, first.metadata_json.entries)]
        # A command's entries are projected in one transaction: where the first is, all are.
        found = await self._entries(others) if others else {}
        entries = [first, *(entry for other in others if (entry := found.get(other)) is not None)]
        return Outcome(outcome(command_id, entries), first.metadata_json.principal, first.org_id)

    async def role(self, org_id: str, user_id: str) -> str | None:
        """The user's role in the org; None for a stranger."""
        async with _within_reason():
            role: str | None = await self._pool.fetchval(ROLE, org_id, user_id)
        return role

    async def _entries(self, ids: list[str]) -> dict[str, Entry | None]:
        async with _within_reason():
            return await fetch_entries(self._pool, ids)


@asynccontextmanager
async def _within_reason() -> AsyncIterator[None]:
    with translated():
        async with asyncio.timeout(LOOK_SECONDS):
            yield
