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
    """An org's rows in a snapshot; `org` is None where it does not exist, or where the shard's own copy still holds.

    `children` come beside it: of an org that is not fresh too.
    """

    org: Org | None
    fresh: bool
    generation: int
    quarantined: bool
    children: Children = field(default_factory=Children)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a batch is decided on, from one PostgreSQL snapshot (times in microseconds since the epoch).

    `entries` are those that the commands ended in before; None where this version cannot read one. `pinned_users`:
    those of `known_users` that cannot be deleted. `taken_ids`: of each org that asked, the chosen ids that another one
    has; an id is taken for one org, and not for the next. `next_offsets`: of every partition's checkpoint, if they were
    asked for.
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

    `generation`: of the cached copy's quarantine, None if there is no copy: then the org is read afresh.
    `named` are always read, and the connections that they belong to; `touched`, by entries of the tail, only where the
    org is read afresh. `known`: connections whose activity the copy has.
    `low`: those of them whose pending dead letters are counted anew if a named one belongs to them, without the
    touched ones, up to `count_limit`; other activities are counted whole up to it.
    `filtered`: up to 1000 are read, without the touched ones, and those beyond are counted.
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
    """What a batch must know. `identities`: where entries of its commands may stand already. `chosen_ids`: table, id
    and the org that asks for it. `next_offsets`: whether the checkpoints of all partitions are wanted.
    """

    identities: tuple[Identity, ...] = ()
    orgs: tuple[OrgNeeds, ...] = ()
    users: tuple[str, ...] = ()
    chosen_ids: tuple[tuple[str, str, str], ...] = ()
    next_offsets: bool = False
