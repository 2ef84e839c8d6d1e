"""What a shard asks PostgreSQL for before it decides a batch, and what it is told: plain values, no behaviour."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from daybook_command.domain.children import Children
from daybook_command.domain.references import ChildRef, PendingLetters
from daybook_command.domain.state import Org
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.head import Checkpoint


@dataclass(frozen=True, slots=True)
class LoadedOrg:
    """An org's rows in a snapshot. `fresh`: whether the org was read; otherwise the shard's copy is still valid.
    `org` is None if it was not read or does not exist. `children` are loaded in both cases.
    """

    org: Org | None
    fresh: bool
    generation: int
    quarantined: bool
    children: Children = field(default_factory=Children)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a batch is decided on, from one PostgreSQL snapshot (times in microseconds since the epoch).

    `entries`: earlier entries of the batch's commands; None for one that this version cannot read. `pinned_users`: the
    `known_users` who cannot be deleted. `taken_ids`: for each org, the ids that its commands chose and another org has.
    `next_offsets`: of every partition's checkpoint, if the needs ask for them.
    """

    checkpoint: Checkpoint
    database_us: int
    entries: Mapping[Identity, Entry | None]
    orgs: Mapping[str, LoadedOrg]
    known_users: frozenset[str]
    taken_ids: frozenset[tuple[str, str]]
    """org id, chosen id"""
    pinned_users: frozenset[str] = frozenset()
    next_offsets: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrgNeeds:
    """What a batch must know of one org.

    `generation`: of the quarantine that the cached copy has seen; None if there is no copy, so that the org is read.
    `named`: children to read in any case, with the activity of their connections. `touched`: children that entries of
    the tail touched; read only if the org is. `known`: connections whose activity the copy has. `low`: those of them
    whose count of pending dead letters may be too low; their untouched dead letters are counted again, if a named child
    belongs to them. Counting stops at `count_limit`. `filtered`: up to 1000 untouched dead letters that match are read,
    and the others are counted.
    """

    org_id: str
    generation: int | None = None
    named: Collection[ChildRef] = frozenset()
    touched: Collection[ChildRef] = frozenset()
    known: Collection[str] = frozenset()
    low: Collection[str] = frozenset()
    count_limit: int = 101
    filtered: PendingLetters | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a batch must know. `identities`: of entries that its commands may already have. `chosen_ids`: table, id, and
    the org that asks for it. `next_offsets`: whether to read the checkpoints of all partitions.
    """

    identities: tuple[Identity, ...] = ()
    orgs: tuple[OrgNeeds, ...] = ()
    users: tuple[str, ...] = ()
    chosen_ids: tuple[tuple[str, str, str], ...] = ()
    next_offsets: bool = False
