"""A fold of the log and the shadow tables that hold its rows, both at the same checkpoints. It follows the log while
the projector goes on.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint
from daybook_infra.runtime.postgres.checkpoints import load_checkpoints
from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.audit.checks.finding import Finding
from daybook_projector.audit.fold.fold import PartitionFold
from daybook_projector.postgres.row_writer import translated_refusals
from daybook_projector.projections.changes import FoldError
from daybook_projector.projections.fold import Folds
from daybook_projector.rebuild.changed_rows import TouchedKeys, note_touched, write_touched
from daybook_projector.rebuild.folding import fold_pages
from daybook_projector.rebuild.log_entries import LogEntries
from daybook_projector.rebuild.org_requirements import OrgRequirements
from daybook_projector.rebuild.refusal import RebuildRefused, Unappliable
from daybook_projector.rebuild.shadow_tables import ShadowTables


@dataclass(slots=True)
class ShadowFold:
    """`org_id`: all entries of this org, whether it is in quarantine or not; no others. `folded`: how far each
    partition is. `frozen`: by partition, the orgs in quarantine and the positions of their poison entries.
    """

    connection: Connection
    shadows: ShadowTables
    entries: LogEntries
    folder: Path
    rules: Folds
    org_id: str | None = None
    folded: dict[int, Checkpoint] = field(default_factory=dict)
    frozen: dict[int, Mapping[str, int]] = field(default_factory=dict)

    def open_fold(self, partition: int) -> PartitionFold:
        return PartitionFold(self.folder, partition, self.rules, self.frozen.get(partition, {}))

    async def catch_up(self) -> int:
        """Takes the entries up to the checkpoints of the caller's transaction, and returns their number. Raises
        `RebuildRefused`.
        """
        checkpoints = await load_checkpoints(self.connection, list(self.folded))
        found = 0
        for partition, before in list(self.folded.items()):
            after = checkpoints.get(partition, NOTHING_PROJECTED)
            if after.head.position < before.head.position:
                raise RebuildRefused(f"the checkpoint of partition {partition} was set back: run the command again")
            if after.head != before.head:
                found += await self._catch_up(partition, before, after)
            self.folded[partition] = after
        return found

    async def _catch_up(self, partition: int, before: Checkpoint, after: Checkpoint) -> int:
        touched: TouchedKeys = {}
        requirements = OrgRequirements(partition)
        with closing(self.open_fold(partition)) as fold:
            folded = await fold_pages(
                self.entries.read(partition, before, after),
                fold,
                partition,
                lambda page: note_touched(touched, self.rules, page),
                *(() if self.org_id is None else (requirements.note,)),
            )
            refuse_any([folded.unappliable, *await requirements.unmet(self.connection)])
            await write_touched(self.connection, self.shadows, fold, touched)
        return folded.entries


def refuse_any(found: list[Unappliable | None]) -> None:
    """Raises `RebuildRefused` with the first of them in the log."""
    refused = [each for each in found if each is not None]
    if refused:
        raise min(refused).refusal()


async def add_keys(connection: Connection, shadows: ShadowTables) -> None:
    """Raises `RebuildRefused` if rows of two orgs contradict each other: within one, the fold sees to it."""
    try:
        with translated_refusals():
            await shadows.add_keys(connection)
    except FoldError as error:
        raise RebuildRefused(f"the log has rows that cannot be in the tables together: {error}") from error


def require_same(findings: Iterable[Finding]) -> None:
    """PostgreSQL must give back the rows that it was given. Raises `RebuildRefused`."""
    for finding in findings:
        raise RebuildRefused(
            f"PostgreSQL does not hold what was copied into it: {finding.table} {finding.key}, {finding.check}"
        )
