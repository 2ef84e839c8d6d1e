"""The tables do not depend on how the log is cut into batches. The tables are simulated, without a server."""

from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, free_json
from daybook_contracts.log.head import NOTHING_PROJECTED
from daybook_projector.partition.batch_rows import NO_ORGS, net_changes
from daybook_projector.partition.machine import PartitionLog
from daybook_projector.postgres.row_writer import statements
from daybook_projector.projections.fold import TABLES, folds
from support import hub_scene
from support.histories import logs
from support.logbook import Logbook, org, project, records, thing, user
from support.row_tables import RowTables

FOLDS = folds(managed_users=True)


def projected(log: Logbook, limit: int, handover: int) -> RowTables:
    """The tables after reading `handover` records at a time, in batches of up to `limit` entries."""
    tables, partition = RowTables(TABLES), PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    all_records = records(log.records[0])
    for start in range(0, len(all_records), handover):
        partition.take(all_records[start : start + handover])
        while (batch := partition.next_batch(limit)) is not None:
            for stretch in net_changes(FOLDS, batch.entries, NO_ORGS):
                tables.apply(stretch)
            partition.mark_projected(batch)
    return tables


@given(logs, st.integers(1, 60), st.integers(1, 60))
def test_any_cut_gives_the_same_tables(log: Logbook, limit: int, handover: int) -> None:
    assert projected(log, limit, handover).rows == projected(log, 5000, 5000).rows


@given(logs, st.integers(1, 60))
def test_the_last_checkpoint_is_after_the_last_record(log: Logbook, handover: int) -> None:
    partition = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    for start in range(0, len(log.records[0]), handover):
        partition.take(records(log.records[0])[start : start + handover])
    while (batch := partition.next_batch(7)) is not None:
        partition.mark_projected(batch)
    assert partition.checkpoint.next_offset == len(log.records[0])
    assert partition.checkpoint.head == log.heads[0]


def test_inserting_and_deleting_connections_with_children_takes_one_statement_per_table() -> None:
    log = Logbook()
    log.register(user(1))
    for number in range(1, 4):
        log.add(org(number), user(1), facts.OrgCreated(name="a"))
        log.add(org(number), user(1), facts.ProjectCreated(name="a", project_id=project(number)))
        for link in [thing(100 * number + nth) for nth in range(20)]:
            log.add(org(number), user(1), *create_connection(link, project(number)))
        for link in [thing(100 * number + nth) for nth in range(20)]:
            log.add(org(number), user(1), facts.ConnectionDeleted(connection_id=link))
    partition = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    partition.take(records(log.records[0]))
    batch = partition.next_batch(5000)
    assert batch is not None
    (stretch,) = net_changes(FOLDS, batch.entries, NO_ORGS)
    started = [statement.split()[:3] for statement, _ in statements(stretch)]
    assert started[-1] == ["DELETE", "FROM", "public.source_connections"]
    assert len(started) == len({tuple(words) for words in started}) == 9


def create_connection(link: str, project_id: str) -> list[Fact]:
    """A connection with a run and a dead letter. All three have the same id."""
    return [
        hub_scene.connection_created(link, project_id),
        facts.SyncStarted(connection_id=link, sync_run_id=link),
        facts.DlqEventRecorded(connection_id=link, dlq_event_id=link, payload=free_json(None)),
    ]
