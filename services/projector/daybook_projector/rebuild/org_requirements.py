"""Finds the entries of an org that only PostgreSQL would refuse: those that name a missing user, or a key name that is
too long for an index. A fold on disk accepts both.
"""

from collections.abc import Sequence
from typing import Final

from daybook_contracts.entries.facts import SecretRefCreated
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.missing_users import required_users
from daybook_projector.postgres.row_writer import translated_refusals
from daybook_projector.postgres.users import absent_users
from daybook_projector.projections.changes import FoldError
from daybook_projector.rebuild.refusal import Unappliable, unappliable

LONG_NAME: Final = 2000
"""In bytes. Only longer names are tried in PostgreSQL: an index takes names that are a little longer than this."""

# The unique constraint of secret_refs.
PROBE: Final = "CREATE TEMP TABLE IF NOT EXISTS key_names (org_id uuid, key_name text, UNIQUE (org_id, key_name))"
INSERT: Final = "INSERT INTO pg_temp.key_names VALUES ($1, $2) ON CONFLICT DO NOTHING"


class OrgRequirements:
    """Keeps in memory all users whom the org's entries name."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._users: dict[str, Unappliable] = {}
        self._long_names: list[tuple[PartitionEntry, str]] = []

    def note(self, entries: Sequence[PartitionEntry]) -> None:
        for required in required_users(entries).values():
            user_id = required.user_id.lower()
            if user_id not in self._users:
                reason = f"user {user_id} does not exist"
                self._users[user_id] = unappliable(self._partition, entries[required.index], reason)
        for entry in entries:
            if isinstance(entry.fact, SecretRefCreated) and len(entry.fact.key_name.encode()) > LONG_NAME:
                self._long_names.append((entry, entry.fact.key_name))

    async def unmet(self, connection: Connection) -> list[Unappliable]:
        """The entries that PostgreSQL would refuse. Call it within a transaction."""
        found = [self._users[user_id] for user_id in await absent_users(connection, self._users)]
        if self._long_names:
            await connection.execute(PROBE)
        for entry, name in self._long_names:
            try:
                with translated_refusals():
                    async with connection.transaction():
                        await connection.execute(INSERT, entry.org_id, name)
            except FoldError as error:
                found.append(unappliable(self._partition, entry, str(error)))
        return found
