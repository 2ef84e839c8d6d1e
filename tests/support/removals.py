"""Functions that each remove one protection, by patching the services or the simulated servers. Their docstrings say
what the patch replaces and with what; docs/fault-testing.md shows them. Over 250 lines, because they are one list.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from uuid import UUID, uuid5

from msgspec import structs

from daybook_command.domain.state import Org
from daybook_command.shard import batch, gap, machine, snapshot_checks, takeover
from daybook_command.shard import memory as shard_memory
from daybook_command.shard.arrivals import Arrival
from daybook_command.shard.effects import AnswerLocally, Commit, Effect
from daybook_command.shard.events import AppendRefused, AppendUnknown, Event, SnapshotLoaded
from daybook_command.shard.inbox import Inbox
from daybook_command.shard.machine import Shard
from daybook_command.shard.memory import Memory
from daybook_command.shard.repeats import EarlierEntries
from daybook_command.shard.short_way import LocalCommand, ShortWay
from daybook_command.shard.tail import Tail
from daybook_command.shard.takeover import Takeover
from daybook_contracts.log import admission
from daybook_contracts.log.admission import Admitted, VoidReason
from daybook_contracts.log.continuity import head_of
from daybook_contracts.log.head import Checkpoint, Head
from daybook_projector.partition import machine as partition_log
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.rebuild.org_rebuild import TABLES_OF_ORGS
from support import simulated_heal, simulated_postgres
from support.patching import Patch
from support.recounted import ACTIVITY
from support.simulated_postgres import move_checkpoint, post
from support.simulated_writer import BegunLookUp, Writer
from support.surroundings import Surroundings


def admit_whatever_is_sealed(patch: Patch) -> None:
    """`admit` in shard and projector: accepts every sealed record."""

    def admit(_head: Head, partition: int, value: bytes | None) -> Admitted | VoidReason:
        head = head_of(partition, value)
        return VoidReason.NOT_CANONICAL if head is None or value is None else Admitted(head, value, None)

    for reader in (shard_memory, partition_log):
        patch.replace(reader, "admit", admit)


def compare_positions_alone(patch: Patch) -> None:
    """`admission._misfit`: ignores `prev`."""

    def misfit(head: Head, partition: int, claimed: object, position: object, _prev: object) -> VoidReason | None:
        return original(head, partition, claimed, position, head.hash)

    original = admission._misfit
    patch.replace(admission, "_misfit", misfit)


def take_any_acknowledgement(patch: Patch) -> None:
    """`admit` in the shard's gap check: nothing extends the log."""
    patch.replace(gap, "admit", lambda *_: VoidReason.WRONG_PREV)


def take_an_acknowledgement_without_an_offset(patch: Patch) -> None:
    """`Shard._acknowledged`: assumes the expected offset."""

    def acknowledged(shard: Shard, base_offset: int | None) -> list[Effect]:
        return original(shard, shard.memory.end if base_offset is None else base_offset)

    original = Shard._acknowledged
    patch.replace(Shard, "_acknowledged", acknowledged)


def look_for_ids_in_memory_alone(patch: Patch) -> None:
    """`EarlierEntries` of a batch: looks in memory only."""
    patch.replace(batch, "EarlierEntries", lambda tail, _table: EarlierEntries(tail, {}))


def look_for_ids_in_the_table_alone(patch: Patch) -> None:
    """`EarlierEntries` of a batch: looks in the table only."""
    patch.replace(batch, "EarlierEntries", lambda _tail, table: EarlierEntries({}, table))


def prune_before_deciding(patch: Patch) -> None:
    """`Shard._decide`: first prunes up to PostgreSQL's current checkpoint."""
    newest: dict[int, int] = {}

    def found(writer: Writer, look_up: BegunLookUp, around: Surroundings) -> None:
        newest[id(writer.shard)] = around.postgres.now.checkpoint(writer.shard.partition).head.position
        find(writer, look_up, around)

    def pruned(shard: Shard, event: SnapshotLoaded) -> list[Effect]:
        shard.memory.settle(newest[id(shard)])
        return decide(shard, event)

    find, decide = Writer.finish_look_up, Shard._decide
    patch.replace(Writer, "finish_look_up", found)
    patch.replace(Shard, "_decide", pruned)


def keep_cached_orgs(patch: Patch) -> None:
    """`Takeover.drop_memory`: keeps the cache."""

    def dropped(takeover: Takeover) -> Memory:
        kept = takeover.memory.cache if hasattr(takeover, "memory") else None
        memory = original(takeover)
        memory.cache = memory.cache if kept is None else kept
        return memory

    original = Takeover.drop_memory
    patch.replace(Takeover, "drop_memory", dropped)


def read_in_two_snapshots(patch: Patch) -> None:
    """Simulated look-up: reads the checkpoint at its start, everything else at its end."""

    def found(writer: Writer, look_up: BegunLookUp, around: Surroundings) -> None:
        mixed = replace(around.postgres.now, checkpoints=look_up.moment.checkpoints)
        find(writer, BegunLookUp(look_up.load, mixed), around)

    find = Writer.finish_look_up
    patch.replace(Writer, "finish_look_up", found)


def read_activity_in_another_snapshot(patch: Patch) -> None:
    """Simulated look-up: reads activity at its end, everything else at its start."""

    def found(writer: Writer, look_up: BegunLookUp, around: Surroundings) -> None:
        mixed = look_up.moment.copy()
        mixed.rows.rows[ACTIVITY] = around.postgres.now.rows.rows[ACTIVITY]
        find(writer, BegunLookUp(look_up.load, mixed), around)

    find = Writer.finish_look_up
    patch.replace(Writer, "finish_look_up", found)


def replay_the_whole_tail(patch: Patch) -> None:
    """`Tail.replay`: replays the whole tail."""

    def replay(tail: Tail, org_id: str, org: Org | None, _after: int) -> Org | None:
        return original(tail, org_id, org, -1)

    original = Tail.replay
    patch.replace(Tail, "replay", replay)


def commit_before_appending(patch: Patch) -> None:
    """`Shard._decide`: commits before it appends."""

    def decided(shard: Shard, event: SnapshotLoaded) -> list[Effect]:
        effects = original(shard, event)
        answer = shard.in_flight.answer
        next_offset = None if answer is None else answer.next_offset
        return effects if next_offset is None else [Commit(next_offset), *effects]

    original = Shard._decide
    patch.replace(Shard, "_decide", decided)


def set_without_comparing(patch: Patch) -> None:
    """Simulated PostgreSQL: sets the checkpoint without comparing."""
    patch.replace(simulated_postgres, "is_unmoved", lambda *_: True)


def move_the_checkpoint_alone(patch: Patch) -> None:
    """Simulated projector: two transactions, the checkpoint in the second."""
    patch.replace(simulated_postgres, "ONE_TRANSACTION", ((post,), (move_checkpoint,)))


def take_a_timeout_for_a_refusal(patch: Patch) -> None:
    """`Shard.handle`: treats a timeout as a refusal."""

    def handle(shard: Shard, event: Event) -> list[Effect]:
        return original(shard, AppendRefused("timed out") if isinstance(event, AppendUnknown) else event)

    original = Shard.handle
    patch.replace(Shard, "handle", handle)


def overlook_a_restore(patch: Patch) -> None:
    """The shard's `checkpoint_fault`: accepts a checkpoint behind what memory has dropped."""

    def fault(memory: Memory, checkpoint: Checkpoint) -> str | None:
        went_back = checkpoint.head.position < memory.tail.pruned_position
        return None if went_back else snapshot_checks.checkpoint_fault(memory, checkpoint)

    patch.replace(machine, "checkpoint_fault", fault)


def overlook_another_head(patch: Patch) -> None:
    """`check_head` in shard and projector: accepts any record."""
    for reader in (takeover, gap, partition_log):
        patch.replace(reader, "check_head", lambda *_: None)


def heal_without_activity(patch: Patch) -> None:
    """Simulated heal: corrects all tables but `connection_activity`."""
    others = tuple(table for table in TABLES_OF_ORGS if table is not CONNECTION_ACTIVITY)
    patch.replace(simulated_heal, "healed_tables", lambda: others)


def take_any_row_with_the_id(patch: Patch) -> None:
    """Simulated `is_entry_of`: treats any row with the id as the entry."""
    patch.replace(simulated_postgres, "is_entry_of", lambda *_: True)


def answer_locally_before_appending(patch: Patch) -> None:
    """`Shard._decide`: answers local commands before it appends."""

    def decided(shard: Shard, event: SnapshotLoaded) -> list[Effect]:
        effects = original(shard, event)
        local = shard.in_flight.local
        return [AnswerLocally(local), *effects] if local else effects

    original = Shard._decide
    patch.replace(Shard, "_decide", decided)


def forget_what_is_handed_back(patch: Patch) -> None:
    """`ShortWay.handed_back`: forgets the commands."""

    def handed_back(short_way: ShortWay, queued: Iterable[bytes], taken: Iterable[bytes]) -> list[LocalCommand]:
        for ticket in (*queued, *taken):
            if ticket in short_way.held:
                short_way.settle(short_way.held[ticket])
        return []

    patch.replace(ShortWay, "handed_back", handed_back)


def count_local_commands_as_records(patch: Patch) -> None:
    """`Inbox.mark_decided`: each local command moves the offset."""

    def marked(inbox: Inbox, arrivals: Sequence[Arrival]) -> int | None:
        decided_to = original(inbox, arrivals)
        local = sum(each.offset is None for each in arrivals)
        return (inbox.decided_to if decided_to is None else decided_to) + local if arrivals else None

    original = Inbox.mark_decided
    patch.replace(Inbox, "mark_decided", marked)


def say_that_nothing_was_done(patch: Patch) -> None:
    """`ShortWay.fall_back`: marks commands as withdrawn even if a batch has taken them."""

    def fall_back(short_way: ShortWay, keys: Collection[str]) -> list[LocalCommand]:
        commands = original(short_way, keys)
        for each in commands:
            each.withdrawn = True
        return commands

    original = ShortWay.fall_back
    patch.replace(ShortWay, "fall_back", fall_back)


def fall_back_one_by_one(patch: Patch) -> None:
    """`ShortWay.fall_back`: only the key's oldest command falls back."""

    def fall_back(short_way: ShortWay, keys: Collection[str]) -> list[LocalCommand]:
        others = [ticket for key in keys for ticket in list(short_way.tickets.get(key, ()))[1:]]
        kept = {ticket: short_way.held.pop(ticket) for ticket in others}
        for ticket, command in kept.items():
            del short_way.tickets[command.key][ticket]
        commands = original(short_way, keys)
        for ticket, command in kept.items():
            short_way.held[ticket] = command
            short_way.tickets[command.key][ticket] = None
        return commands

    original = ShortWay.fall_back
    patch.replace(ShortWay, "fall_back", fall_back)


def publish_under_another_id(patch: Patch) -> None:
    """`ShortWay.fall_back`: the commands get new ids."""

    def fall_back(short_way: ShortWay, keys: Collection[str]) -> list[LocalCommand]:
        commands = original(short_way, keys)
        for each in commands:
            envelope = json.loads(each.record.value)
            envelope["id"] = str(uuid5(UUID(envelope["id"]), "again"))
            each.record = structs.replace(each.record, value=json.dumps(envelope).encode())
        return commands

    original = ShortWay.fall_back
    patch.replace(ShortWay, "fall_back", fall_back)
