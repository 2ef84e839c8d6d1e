"""Patches for the real services, in place of those of support.removals that work only in the simulation."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID, uuid5

from msgspec.structs import replace

from daybook_command.domain.activity import Activity
from daybook_command.domain.state import Org
from daybook_command.http.deliveries import Deliveries, Delivery
from daybook_command.postgres import entry_rows
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.effects import Effect
from daybook_command.shard.events import SnapshotLoaded
from daybook_command.shard.machine import Shard
from daybook_command.shard.short_way import LocalCommand
from daybook_command.shard.snapshot import LoadedOrg, Needs, Snapshot
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres import checkpoints
from daybook_projector.postgres.checkpoints import move_checkpoint, move_free_checkpoints
from daybook_projector.postgres.row_writer import Conflicts
from daybook_projector.postgres.writer import Writer
from daybook_projector.projections.changes import Table
from daybook_projector.projections.connection_activity import CONNECTION_ACTIVITY
from daybook_projector.rebuild.corrections import Corrections
from daybook_projector.rebuild.differences import Difference
from support import removals
from support.patching import Patch

T = TypeVar("T")
Remove = Callable[[Patch], None]
# The projector seldom moves within the millisecond that a look-up takes, so what comes from another snapshot is older.
OLD_SECONDS = 2.0


def set_without_comparing(patch: Patch) -> None:
    alone, together = checkpoints.MOVE_CHECKPOINT, checkpoints.MOVE_CHECKPOINTS
    compared = "next_offset = $2 AND position = $3 AND hash = $4"
    compared_together = "c.next_offset = from_offset AND c.position = from_position AND c.hash = from_hash"
    assert compared in alone
    assert compared_together in together
    anything = "($2::bigint, $3::bigint, $4::text) IS NOT NULL"
    patch.replace(checkpoints, "MOVE_CHECKPOINT", alone.replace(compared, anything))
    patch.replace(checkpoints, "MOVE_CHECKPOINTS", together.replace(compared_together, "true"))


def move_the_checkpoint_alone(patch: Patch) -> None:
    """Commits the checkpoints first, then the rows. If the projector dies in between, the rows are missing, and no
    later write fails because of that.
    """

    async def write_whole(
        writer: Writer, connection: Connection, batch: Batch, conflicts: Conflicts = frozenset()
    ) -> None:
        async with connection.transaction():
            await move_checkpoint(connection, batch.partition, batch.before, batch.after)
        async with connection.transaction():
            await writer._write_rows(connection, [batch], conflicts)

    async def write_free(writer: Writer, connection: Connection, batches: Sequence[Batch]) -> frozenset[int]:
        async with connection.transaction():
            moved = await move_free_checkpoints(connection, batches)
        async with connection.transaction():
            await writer._write_rows(connection, [batch for batch in batches if batch.partition in moved])
        return moved

    patch.replace(Writer, "_write_whole", write_whole)
    patch.replace(Writer, "_write_free", write_free)


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """Keeps each value for OLD_SECONDS, and returns it instead of newer ones."""

    values: dict[str, tuple[float, T]] = field(default_factory=dict)

    def older(self, key: str, value: T) -> T:
        """The value that is kept under this key; this value if there is none."""
        now = time.monotonic()
        since, kept = self.values.get(key, (-math.inf, value))
        if now - since < OLD_SECONDS:
            return kept
        self.values[key] = now, value
        return value


def read_in_two_snapshots(patch: Patch) -> None:
    """Orgs that are read as a whole are up to OLD_SECONDS older than everything else."""
    kept: Kept[Org | None] = Kept()

    def aged(org_id: str, loaded: LoadedOrg) -> LoadedOrg:
        return replace(loaded, org=kept.older(org_id, loaded.org)) if loaded.fresh else loaded

    _age_orgs(patch, aged)


def read_activity_in_another_snapshot(patch: Patch) -> None:
    """The activity of connections is up to OLD_SECONDS older than everything else."""
    kept: Kept[Activity] = Kept()

    def aged(_: str, loaded: LoadedOrg) -> LoadedOrg:
        activities = {id_: kept.older(id_, activity) for id_, activity in loaded.children.activities.items()}
        return replace(loaded, children=replace(loaded.children, activities=activities))

    _age_orgs(patch, aged)


def _age_orgs(patch: Patch, aged: Callable[[str, LoadedOrg], LoadedOrg]) -> None:
    """Patches every look-up: passes each org through `aged`."""

    async def read(reader: SnapshotReader, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        snapshots = await read_all(reader, needs)
        return {
            partition: replace(each, orgs={org_id: aged(org_id, loaded) for org_id, loaded in each.orgs.items()})
            for partition, each in snapshots.items()
        }

    read_all = SnapshotReader.read
    patch.replace(SnapshotReader, "read", read)


def heal_without_activity(patch: Patch) -> None:
    async def apply(corrections: Corrections, tables: Sequence[Table]) -> list[Difference]:
        others = [table for table in tables if table is not CONNECTION_ACTIVITY]
        return [*await correct(corrections, others), Difference(CONNECTION_ACTIVITY.name)]

    correct = Corrections.apply
    patch.replace(Corrections, "apply", apply)


def prune_before_deciding(patch: Patch) -> None:
    newest: dict[int, int] = {}

    async def looked_up(reader: SnapshotReader, needs: Mapping[int, Needs]) -> dict[int, Snapshot]:
        snapshots = await read(reader, needs)
        for partition in needs:
            newest[partition] = (await reader.checkpoint(partition)).head.position
        return snapshots

    def pruned(shard: Shard, event: SnapshotLoaded) -> list[Effect]:
        shard.memory.settle(newest[shard.partition])
        return decide(shard, event)

    read, decide = SnapshotReader.read, Shard._decide
    patch.replace(SnapshotReader, "read", looked_up)
    patch.replace(Shard, "_decide", pruned)


def take_any_row_with_the_id(patch: Patch) -> None:
    patch.replace(entry_rows, "_has_identity", lambda *_: True)


def publish_under_another_id(patch: Patch) -> None:
    def fallen_back(deliveries: Deliveries, commands: Sequence[LocalCommand], reason: str) -> list[Delivery]:
        found = original(deliveries, commands, reason)
        for each in found:
            envelope = json.loads(each.record.value)
            envelope["id"] = str(uuid5(UUID(envelope["id"]), "again"))
            each.record = replace(each.record, value=json.dumps(envelope).encode())
        return found

    original = Deliveries._fallen_back
    patch.replace(Deliveries, "_fallen_back", fallen_back)


COUNTERPARTS: Mapping[Remove, Remove] = {
    removals.take_any_row_with_the_id: take_any_row_with_the_id,
    removals.set_without_comparing: set_without_comparing,
    removals.move_the_checkpoint_alone: move_the_checkpoint_alone,
    removals.read_in_two_snapshots: read_in_two_snapshots,
    removals.read_activity_in_another_snapshot: read_activity_in_another_snapshot,
    removals.heal_without_activity: heal_without_activity,
    removals.prune_before_deciding: prune_before_deciding,
    removals.publish_under_another_id: publish_under_another_id,
}
