"""However the log is cut into batches, the tables are the same; without a server, in memory."""

from hypothesis import given
from hypothesis import strategies as st

from daybook_projector.checkpoint import NOTHING_PROJECTED
from daybook_projector.partition import PartitionLog
from daybook_projector.posting import NOBODY, net_changes
from daybook_projector.projections.fold import folds
from support.log_histories import histories
from support.logbook import Logbook, records
from support.row_tables import RowTables

FOLDS = folds(managed_users=True)


def projected(log: Logbook, limit: int, handover: int) -> RowTables:
    """Records come `handover` at a time, batches hold up to `limit` entries."""
    tables, partition = RowTables(), PartitionLog(0, NOTHING_PROJECTED)
    given_records = records(log.records[0])
    for start in range(0, len(given_records), handover):
        partition.take(given_records[start : start + handover])
        while (batch := partition.next_batch(limit)) is not None:
            tables.apply(net_changes(FOLDS, batch.entries, NOBODY))
            partition.projected(batch)
    return tables


@given(histories, st.integers(1, 60), st.integers(1, 60))
def test_any_cut_gives_the_same_tables(log: Logbook, limit: int, handover: int) -> None:
    assert projected(log, limit, handover).rows == projected(log, 5000, 5000).rows


@given(histories, st.integers(1, 60))
def test_the_checkpoint_ends_behind_the_last_record(log: Logbook, handover: int) -> None:
    partition = PartitionLog(0, NOTHING_PROJECTED)
    for start in range(0, len(log.records[0]), handover):
        partition.take(records(log.records[0])[start : start + handover])
    while (batch := partition.next_batch(7)) is not None:
        partition.projected(batch)
    assert partition.checkpoint.next_offset == len(log.records[0])
    assert partition.checkpoint.head == log.heads[0]
