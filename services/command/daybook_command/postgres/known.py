"""Runs the statement with which a look-up begins. Takes the needs of shards, and returns what PostgreSQL has of them.
Most look-ups need no other statement.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from daybook_command.postgres import snapshot_sql as sql
from daybook_command.postgres.child_loader import children_to_read, filter_arguments
from daybook_command.postgres.child_rows import ChildRows
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.checkpoints import checkpoints_of
from daybook_infra.runtime.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class Known:
    """What `known` found for all needs: PostgreSQL's time, and which checkpoints, entries, users and quarantines exist.

    `children`: the children that the needs name, or that a filter matches. `holders`: by table and id, the orgs that
    have an id which a command chose. `read_at`: this machine's monotonic clock, in seconds.
    """

    now_us: int
    read_at: float
    checkpoints: Mapping[int, Checkpoint]
    entry_ids: frozenset[str]
    users: frozenset[str]
    pinned: frozenset[str]
    quarantine: Mapping[str, tuple[int, bool]]
    holders: Mapping[tuple[str, str], AbstractSet[str]]
    children: ChildRows

    def is_complete(self, orgs: Sequence[OrgNeeds]) -> bool:
        """Whether no entry of the commands is in the table, and the shard's copies of all orgs are valid. Children may
        be missing.
        """
        copies_are_valid = all(each.generation == self.standing(each.org_id)[0] for each in orgs)
        return copies_are_valid and not self.entry_ids

    def lacks_children(self, orgs: Sequence[OrgNeeds]) -> bool:
        """Whether the runs and dead letters that were found belong to connections whose children were not read, or
        configs are too large for this statement.
        """
        missing = children_to_read(orgs, frozenset(), self.children) - self.children.asked
        return bool(missing or self.children.unhashed)

    def standing(self, org_id: str) -> tuple[int, bool]:
        """The org's generation (0 if `daybook.quarantine` has no row of it), and whether it is in quarantine now."""
        return self.quarantine.get(org_id, (0, False))

    def taken_ids(self, need: Needs) -> frozenset[tuple[str, str]]:
        """Pairs of an org and an id that it chose, if another org has reserved the id or has it in the table."""
        nobody = frozenset[str]()
        return frozenset(
            (org_id, chosen_id)
            for table, chosen_id, org_id in need.chosen_ids
            for holder in (table, sql.RESERVATIONS)
            if self.holders.get((holder, chosen_id), nobody) - {org_id}
        )


async def find_known(
    connection: Connection, needs: Mapping[int, Needs], orgs: Sequence[OrgNeeds], earlier: ChildRows | None = None
) -> Known:
    """`earlier`: children that were read before; those of their connections are read too. Raises DatabaseAway."""
    children = ChildRows()
    without_copy = {each.org_id for each in orgs if each.generation is None}
    asked = children_to_read(orgs, without_copy, earlier or children)
    optional: dict[str, list[object]] = {}
    if chosen := sorted({chosen_id for need in needs.values() for _, chosen_id, _ in need.chosen_ids}):
        optional["holders"] = [chosen]
    optional |= filter_arguments(orgs)
    row = await connection.fetchrow(
        sql.known(tuple(optional)),
        [identity.first_id() for need in needs.values() for identity in need.identities],
        [user_id for need in needs.values() for user_id in need.users],
        [each.org_id for each in orgs],
        None if any(need.next_offsets for need in needs.values()) else list(needs),
        *asked.arguments(),
        *[argument for arguments in optional.values() for argument in arguments],
    )
    if row is None or row["standby"]:
        raise DatabaseAway("PostgreSQL is away: this is a standby, and decisions need the primary")
    read_at = time.monotonic()
    await children.add(asked, row)
    holders: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for table, id_, org_id in row.get("holders", ()):
        holders[table, id_].add(org_id)
    return Known(
        now_us=row["now_us"],
        read_at=read_at,
        checkpoints=checkpoints_of(row["checkpoints"]),
        entry_ids=frozenset(row["entry_ids"]),
        users=frozenset(row["users"]),
        pinned=frozenset(row["pinned"]),
        quarantine={org_id: (generation, active) for org_id, generation, active in row["quarantine"]},
        holders=holders,
        children=children,
    )
