"""Needs: what a shard asks PostgreSQL for before it decides a batch. Snapshot: the answer. Plain values."""

from collections.abc import Collection, Mapping

from msgspec import Struct, field

from daybook_command.domain.children import Children
from daybook_command.domain.references import ChildRef, PendingLetters
from daybook_command.domain.state import Org
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.head import Checkpoint


class LoadedOrg(Struct, frozen=True, gc=False):
    """An org's rows in a snapshot. `fresh`: whether the org was read as a whole; if not, the shard's copy is still
    valid. `org` is None if it was not read or does not exist. `children` are read in any case.
    """

    org: Org | None
    fresh: bool
    generation: int
    quarantined: bool
    children: Children = field(default_factory=Children)


class Snapshot(Struct, frozen=True, gc=False):
    """Everything that a batch is decided on, from one PostgreSQL snapshot (times in microseconds since the epoch).

    `entries`: earlier entries of the batch's commands; None for an entry that this version cannot read. `pinned_users`:
    the `known_users` who cannot be deleted. `taken_ids`: pairs of an org's id and an id that a command of this org
    chose, but that another org has. `next_offsets`: `next_offset` of every partition's checkpoint, if the needs ask for
    it.
    """

    checkpoint: Checkpoint
    database_us: int
    entries: Mapping[Identity, Entry | None]
    orgs: Mapping[str, LoadedOrg]
    known_users: frozenset[str]
    taken_ids: frozenset[tuple[str, str]]
    pinned_users: frozenset[str] = frozenset()
    next_offsets: Mapping[int, int] = field(default_factory=dict)


class OrgNeeds(Struct, frozen=True, gc=False):
    """What a batch needs of one org.

    `generation`: the org's generation when the cached copy was read. The org is read again if PostgreSQL has another
    generation, or if this is None because there is no copy.
    `named`: children to read in any case, together with the activity of their connections.
    `touched`: children that entries of the tail touched. They are read only if the org is read.
    `known_activities`: connections whose activity is in the copy.
    `filtered`: a command's filter. Up to 1000 untouched dead letters that match are read; the others are counted.
    """

    org_id: str
    generation: int | None = None
    named: Collection[ChildRef] = frozenset()
    touched: Collection[ChildRef] = frozenset()
    known_activities: Collection[str] = frozenset()
    filtered: PendingLetters | None = None


class Needs(Struct, frozen=True, gc=False):
    """What a batch needs. `identities`: those of entries that its commands may already have. `chosen_ids`: the table,
    the id, and the org that chose it. `next_offsets`: whether to read the checkpoints of all partitions.
    """

    identities: tuple[Identity, ...] = ()
    orgs: tuple[OrgNeeds, ...] = ()
    users: tuple[str, ...] = ()
    chosen_ids: tuple[tuple[str, str, str], ...] = ()
    next_offsets: bool = False
