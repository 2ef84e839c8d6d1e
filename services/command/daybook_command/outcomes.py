"""What became of a command, from the tables: its routing key and id in, its result and who may see it out."""

from dataclasses import dataclass
from typing import Final

import asyncpg
import msgspec

from daybook_command import snapshot_sql
from daybook_command.shard.answers import outcome
from daybook_contracts.entries import Entry, Metadata
from daybook_contracts.ids import entry_id
from daybook_contracts.results import Result
from daybook_infra.postgres import Pool, translated

ROLE: Final = "SELECT role::text FROM public.org_members WHERE org_id = $1::uuid AND user_id = $2::uuid"

_METADATA: Final = msgspec.json.Decoder(Metadata)


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
        entries = await self._entries([entry_id(key, command_id, 0)])
        if not entries:
            return None
        first = entries[0]
        others = [entry_id(key, command_id, ordinal) for ordinal in range(1, first.metadata_json.entries)]
        if others:
            # A command's entries are projected in one transaction: where the first is, all are.
            entries += sorted(await self._entries(others), key=lambda entry: entry.metadata_json.ordinal)
        return Outcome(outcome(command_id, entries), first.metadata_json.principal, first.org_id)

    async def role(self, org_id: str, user_id: str) -> str | None:
        """The user's role in the org; None for a stranger."""
        with translated():
            role: str | None = await self._pool.fetchval(ROLE, org_id, user_id)
        return role

    async def _entries(self, ids: list[str]) -> list[Entry]:
        with translated():
            rows = await self._pool.fetch(snapshot_sql.ENTRIES, ids)
        return [_entry(row) for row in rows]


def _entry(row: asyncpg.Record) -> Entry:
    columns = dict(row)
    metadata = _METADATA.decode(columns.pop("metadata_json"))
    return Entry(**columns, metadata_json=metadata, created_at="")
