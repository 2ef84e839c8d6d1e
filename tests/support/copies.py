"""Compares a shard's copies of orgs with a fold of the log."""

from collections.abc import Iterable, Sequence

from immutables import Map
from msgspec.structs import replace

from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.shard.machine import Shard
from daybook_command.shard.state import ShardPhase
from daybook_contracts.entries.entry import Entry, fact_of
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.log.admission import Admitted, admit
from daybook_contracts.log.head import GENESIS
from support.simulated_postgres import Stored


def check_memory(shard: Shard, values: Sequence[bytes], stored: Stored) -> None:
    """`values`: the partition's log. Ignores copies that the shard will read again, and shards that do not know yet
    whether their batch is in the log. Raises AssertionError if a copy differs.
    """
    head, log = shard.memory.head, admitted(values, shard.partition)
    known = [read_entry(each.value, each.entry).entry for each in log[: head.position + 1]]
    if shard.phase is not ShardPhase.READY or not known or known[-1].metadata_json.hash != head.hash:
        return
    for org_id, cached in shard.memory.cache.orgs.items():
        is_current = cached.generation == stored.generation(org_id) and org_id not in shard.memory.tail.poisoned
        if is_current and not stored.is_quarantined(org_id) and cached.org is not None:
            whole = folded(each for each in known if each.org_id == org_id)
            assert whole is not None, org_id
            assert _lasting(cached.org) == _known_to(cached.org, _lasting(whole)), org_id


def folded(entries: Iterable[Entry]) -> Org | None:
    """The org that results from these entries."""
    org = None
    for entry in entries:
        if entry.result == "success":
            org = evolve(org, entry.actor_user_id, fact_of(entry))
    return org


def _lasting(org: Org) -> Org:
    """The org without the runs, dead letters and alerts, which a shard drops after their projection."""
    return replace(org, runs=Map(), dead_letters=Map(), alerts=Map())


def _known_to(copy: Org, whole: Org) -> Org:
    """The whole org without the activities that the copy lacks."""
    connections = {
        id_: replace(each, activity=None)
        if (own := copy.connections.get(id_)) is None or own.activity is None
        else each
        for id_, each in whole.connections.items()
    }
    return replace(whole, connections=Map(connections))


def admitted(values: Iterable[bytes], partition: int) -> list[Admitted]:
    """The records of a log that the admission rule admits."""
    found: list[Admitted] = []
    for value in values:
        verdict = admit(found[-1].head if found else GENESIS, partition, value)
        if isinstance(verdict, Admitted):
            found.append(verdict)
    return found
