"""Finds the outcome of a decided command in the tables, by the command's routing key and id."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from daybook_command.postgres.entry_rows import FoundEntries, fetch_entries
from daybook_command.shard.answers import outcome
from daybook_contracts.entries.entry import actor_of
from daybook_contracts.entries.identity import Identity
from daybook_contracts.results import Result
from daybook_infra.runtime.postgres.connections import Pool, translated

# The time limit of a look-up, including the wait for one of the door's connections. A caller may wait for three
# look-ups.
MAX_LOOKUP_SECONDS = 5.0

ROLE: Final = "SELECT role::text FROM public.org_members WHERE org_id = $1::uuid AND user_id = $2::uuid"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`action` is the command's type. `actor` is the user who acted; None if a service acted for no user. `org_id` is
    None for REGISTER_USER, and if the org does not exist.
    """

    result: Result
    action: str
    actor: str | None
    org_id: str | None


class OutcomeReader:
    """Reads projected outcomes and roles. Every method raises DatabaseAway if PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key: str, command_id: str, actor: str | None) -> Outcome | None:
        """Looks for an entry in the actor's outsider scope, then in the scopes of the org and of the user with this
        key. None if the command is unknown, undecided, not projected yet, or was refused without an entry.
        """
        asked = [Identity("org", key, None, command_id), Identity("user", key, None, command_id)]
        if actor is not None:
            asked.insert(0, Identity("outsider", key, actor, command_id))
        found = await self._fetch(asked)
        identity = next((each for each in asked if found.get(each) is not None), None)
        first = None if identity is None else found[identity]
        if identity is None or first is None:
            return None
        others = [identity.at(ordinal) for ordinal in range(1, first.metadata_json.entries)]
        # A command's entries are projected in one transaction, so the table has all of them if it has the first.
        rest = await self._fetch(others) if others else {}
        entries = [first, *(entry for other in others if (entry := rest.get(other)) is not None)]
        return Outcome(outcome(command_id, entries), first.action, actor_of(first), first.org_id)

    async def role(self, org_id: str, user_id: str) -> str | None:
        """The user's role in the org; None if the user is not a member."""
        async with _translated_within_deadline():
            role: str | None = await self._pool.fetchval(ROLE, org_id, user_id)
        return role

    async def _fetch(self, identities: Iterable[Identity]) -> FoundEntries:
        async with _translated_within_deadline():
            return await fetch_entries(self._pool, identities)


@asynccontextmanager
async def _translated_within_deadline() -> AsyncIterator[None]:
    with translated():
        async with asyncio.timeout(MAX_LOOKUP_SECONDS):
            yield
