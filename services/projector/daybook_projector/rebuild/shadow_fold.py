"""A fold of the log, and shadow tables with the rows of this fold, both at the same checkpoints. They can catch up with
the live tables again and again, while the projector keeps running.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.audit.verify.report import Quarantine
from daybook_projector.audit.verify.snapshot import NO_LIMITS, QUARANTINED
from daybook_projector.postgres.row_writer import translated_refusals
from daybook_projector.projections.changes import FoldError
from daybook_projector.projections.fold import Folds
from daybook_projector.rebuild.changed_rows import TouchedRows, write_touched
from daybook_projector.rebuild.folding import fold_pages
from daybook_projector.rebuild.log_entries import LogEntries
from daybook_projector.rebuild.org_requirements import OrgRequirements
from daybook_projector.rebuild.refusal import RebuildRefused, Unappliable
from daybook_projector.rebuild.shadow_tables import ShadowTables


@dataclass(slots=True)
class ShadowFold:
    """With `org_id`, folds all entries of this org, even if it is in quarantine, and no other entries. `folded`: by
    partition, the checkpoint up to which it is folded. `frozen`: by partition, the orgs in quarantine and the positions
    of their poison entries.
    """

    connection: Connection
    shadows: ShadowTables
    entries: LogEntries
    folder: Path
    rules: Folds
    org_id: str | None = None
    folded: dict[int, Checkpoint] = field(default_factory=dict)
    frozen: dict[int, Mapping[str, int]] = field(default_factory=dict)
    entries_read: int = 0

    def open_fold(self, partition: int) -> PartitionFold:
        return PartitionFold(self.folder, partition, self.rules, self.frozen.get(partition, {}))

    async def catch_up(self) -> int:
        """Folds new entries, up to the checkpoints that the caller's transaction sees. Returns the number of entries.
        Raises `RebuildRefused`.
        """
        checkpoints = await load_checkpoints(self.connection, list(self.folded))
        if self.org_id is None:
            await self._follow_quarantine()
        found = 0
        for partition, before in list(self.folded.items()):
            after = checkpoints.get(partition, NOTHING_PROJECTED)
            if after.head.position < before.head.position:
                raise RebuildRefused(f"the checkpoint of partition {partition} was set back: run the command again")
            if after.head != before.head:
                found += await self._catch_up(partition, before, after)
            self.folded[partition] = after
        self.entries_read += found
        return found

    @asynccontextmanager
    async def caught_up(self, few: int) -> AsyncIterator[None]:
        """Opens a snapshot, and brings the shadows up to its checkpoints. Repeats this with a new snapshot as long as
        there were more than `few` new entries.
        """
        found = few + 1
        while found > few:
            async with self.connection.transaction(isolation="repeatable_read"):
                await self.connection.execute(NO_LIMITS)
                found = await self.catch_up()
                if found <= few:
                    yield

    async def _follow_quarantine(self) -> None:
        """Updates `frozen`. If an org has gone into quarantine meanwhile, its poison entry and later ones are not
        folded. Raises `RebuildRefused` if an org was healed meanwhile, because this fold has skipped some of the org's
        entries.
        """
        now = [Quarantine(*row) for row in await self.connection.fetch(QUARANTINED)]
        for partition, known in self.frozen.items():
            found = poison_positions(each for each in now if each.partition == partition)
            passed = self.folded[partition].head.position
            for org_id in known.keys() | found.keys():
                if known.get(org_id) != found.get(org_id) and (org_id in known or found[org_id] <= passed):
                    raise RebuildRefused(f"org {org_id} was healed meanwhile: run the command again")
            self.frozen[partition] = found

    async def _catch_up(self, partition: int, before: Checkpoint, after: Checkpoint) -> int:
        requirements = OrgRequirements(partition)
        with closing(self.open_fold(partition)) as fold:
            touched = TouchedRows(self.rules, fold)
            folded = await fold_pages(
                self.entries.read(partition, before, after),
                fold,
                partition,
                touched.note,
                *(() if self.org_id is None else (requirements.note,)),
            )
            refuse_any([folded.unappliable, *await requirements.unmet(self.connection)])
            await write_touched(self.connection, self.shadows, fold, touched)
        return folded.entries


def poison_positions(quarantined: Iterable[Quarantine]) -> dict[str, int]:
    return {each.org_id: each.position for each in quarantined}


def refuse_any(found: list[Unappliable | None]) -> None:
    """Raises `RebuildRefused` for the entry that comes first in the log, if there is any."""
    refused = [each for each in found if each is not None]
    if refused:
        raise min(refused).refusal()


async def add_keys(connection: Connection, shadows: ShadowTables) -> None:
    """Raises `RebuildRefused` if rows of different orgs contradict each other. The fold checks the rows of each org."""
    try:
        with translated_refusals():
            await shadows.add_keys(connection)
    except FoldError as error:
        raise RebuildRefused(f"rows folded from the log contradict each other: {error}") from error


def require_same(findings: Iterable[Finding]) -> None:
    """Raises `RebuildRefused` if PostgreSQL does not return the rows that were copied into it."""
    for finding in findings:
        raise RebuildRefused(
            f"PostgreSQL returns other rows than were copied into it: {finding.table} {finding.key}, {finding.check}"
        )
