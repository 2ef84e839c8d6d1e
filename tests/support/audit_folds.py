"""Folds hand-written and generated logs with the auditors' fold."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_projector.audit.fold.fold import MAX_HELD, PartitionFold, merged_rows
from daybook_projector.partition.batch_rows import Poison
from daybook_projector.partition.entry import PartitionEntry
from daybook_projector.partition.machine import PartitionLog
from daybook_projector.projections.fold import TABLES, folds
from support.chain import Json
from support.logbook import Logbook, records
from support.second_fold import SecondFold, jcs_rows

FOLDS = folds(managed_users=True)

Rows = Mapping[str, list[tuple[bytes, bytes]]]
"""For each table, the key of each row and the row as canonical JSON (JCS), sorted by key."""


def entries_of(log: Logbook, partition: int = 0) -> list[PartitionEntry]:
    """The admitted entries of a partition."""
    reader = PartitionLog(partition, NOTHING_PROJECTED, partitions=log.partitions)
    reader.take(records(log.records[partition]))
    batch = reader.next_batch(1_000_000)
    return [] if batch is None else list(batch.entries)


def json_of(log: Logbook, entries: Iterable[PartitionEntry], partition: int = 0) -> list[Json]:
    """The records of the entries, parsed."""
    return [json.loads(log.records[partition][entry.offset] or b"") for entry in entries]


def take(fold: PartitionFold, entries: Sequence[PartitionEntry], limit: int = 1_000_000) -> list[Poison]:
    """Hands the entries over in pages of `limit`."""
    found: list[Poison] = []
    for start in range(0, len(entries), limit):
        found += fold.take(entries[start : start + limit])
    return found


def rows_of(*folded: PartitionFold) -> Rows:
    return {table.name.removeprefix("public."): list(merged_rows(folded, table)) for table in TABLES}


@contextmanager
def folding(
    folder: Path, partition: int = 0, frozen: Mapping[str, int] | None = None, max_held: int = MAX_HELD
) -> Iterator[PartitionFold]:
    fold = PartitionFold(folder, partition, FOLDS, frozen, max_held=max_held)
    try:
        yield fold
    finally:
        fold.close()


def folded(log: Logbook, limit: int = 1000, max_held: int = 2**24) -> tuple[Rows, list[tuple[str, int]]]:
    """The rows, and the org and position of each entry that could not be applied."""
    with TemporaryDirectory() as folder, folding(Path(folder), max_held=max_held) as fold:
        poison = take(fold, entries_of(log), limit)
        return rows_of(fold), [(each.org_id, each.position) for each in poison]


def expected(log: Logbook) -> Rows:
    return jcs_rows(SecondFold().take(json_of(log, entries_of(log))).tables)
