"""The state machine of a partition: which records belong to the log, and where batches may end."""

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.admission import VoidReason
from daybook_contracts.log.continuity import MAX_VOIDS_IN_A_ROW, LogChanged
from daybook_contracts.log.head import GENESIS, NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.runtime.kafka.lost_batch import LostBatch
from daybook_projector.partition.machine import Batch, PartitionLog
from support.logbook import Logbook, Record, org, project, records, user

ORG, ANN, BOB = org(1), user(1), user(2)


def three_commands() -> Logbook:
    """One partition with three commands of one, two and one entries."""
    log = Logbook()
    log.register(ANN)
    log.add(ORG, ANN, facts.OrgCreated(name="a"), facts.ProjectCreated(name="b", project_id=project(1)))
    log.add(ORG, ANN, facts.OrgRenamed(name="c"))
    return log


def reading(log: Logbook, upto: int | None = None) -> PartitionLog:
    partition = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    partition.take(records(log.records[0][:upto]))
    return partition


def next_batch(partition: PartitionLog, limit: int = 100) -> Batch:
    batch = partition.next_batch(limit)
    assert batch is not None
    return batch


def test_a_batch_has_the_checkpoints_before_and_after_it() -> None:
    log = three_commands()
    batch = next_batch(reading(log))
    assert [entry.head.position for entry in batch.entries] == [0, 1, 2, 3]
    assert batch.before == NOTHING_PROJECTED
    assert batch.after == Checkpoint(4, log.heads[0], 3)


def test_projected_entries_are_not_returned_again() -> None:
    partition = reading(three_commands())
    batch = next_batch(partition)
    partition.mark_projected(batch)
    assert partition.checkpoint == batch.after
    assert partition.next_batch(100) is None


@pytest.mark.parametrize(("limit", "positions"), [(1, [0]), (2, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3])])
def test_a_batch_never_ends_inside_a_command(limit: int, positions: list[int]) -> None:
    batch = next_batch(reading(three_commands()), limit)
    assert [entry.head.position for entry in batch.entries] == positions
    assert batch.after.next_offset == len(positions)


def test_an_incomplete_command_waits_for_its_remaining_entries() -> None:
    log = three_commands()
    partition = reading(log, upto=2)
    first = next_batch(partition)
    assert len(first.entries) == 1
    partition.mark_projected(first)
    assert partition.next_batch(100) is None
    partition.take(records(log.records[0][2:], start=2))
    rest = next_batch(partition)
    assert [entry.head.position for entry in rest.entries] == [1, 2, 3]


def test_an_incomplete_command_ends_where_the_next_one_begins() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="a"), entries=2)
    log.add(ORG, ANN, facts.OrgRenamed(name="b"))
    batch = next_batch(reading(log), 1)
    assert len(batch.entries) == 1


def test_a_shortened_batch_has_its_own_checkpoint() -> None:
    log = three_commands()
    log.void(0)
    log.add(ORG, ANN, facts.OrgRenamed(name="d"))
    batch = next_batch(reading(log))
    shorter = batch.until(4)
    assert len(shorter.entries) == 4
    assert shorter.after == Checkpoint(5, batch.entries[3].head, 3)


def test_void_records_are_skipped_and_returned_with_their_reasons() -> None:
    log = three_commands()
    repeated = log.records[0][3]
    for value in (b"garbage", None, repeated, b'{"metadata_json":{"partition":1}}'):
        log.void(0, value)
    partition = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    voids = partition.take(records(log.records[0]))
    assert (voids.first_offset, voids.last_offset) == (4, 7)
    assert voids.reasons == {VoidReason.NOT_CANONICAL: 2, VoidReason.WRONG_POSITION: 1, VoidReason.WRONG_PARTITION: 1}
    batch = next_batch(partition)
    assert batch.after == Checkpoint(8, log.heads[0], 3)


def test_void_records_alone_move_the_offset_but_not_the_head() -> None:
    partition = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    partition.take(records([b"garbage"]))
    batch = next_batch(partition)
    assert batch.entries == ()
    assert batch.after == Checkpoint(1, GENESIS, -1)


def test_reading_starts_at_the_head_of_the_checkpoint_which_is_not_returned_again() -> None:
    log = three_commands()
    log.void(0)
    partition = PartitionLog(0, Checkpoint(5, log.heads[0], 3), partitions=1)
    assert partition.next_to_read == 3
    log.add(ORG, ANN, facts.OrgRenamed(name="d"))
    assert not partition.take(records(log.records[0][3:], start=3)).reasons
    batch = next_batch(partition)
    assert [entry.head.position for entry in batch.entries] == [4]


def test_a_different_record_at_the_head_of_the_checkpoint_is_an_error() -> None:
    log = three_commands()
    partition = PartitionLog(0, Checkpoint(4, Head(3, "f" * 64), 3), partitions=1)
    with pytest.raises(LogChanged, match=r"offset 3 is not entry 0\.3"):
        partition.take(records(log.records[0][3:], start=3))


def test_a_missing_record_at_the_head_of_the_checkpoint_is_an_error() -> None:
    log = three_commands()
    partition = PartitionLog(0, Checkpoint(4, log.heads[0], 3), partitions=1)
    with pytest.raises(LogChanged, match="no record at offset 3"):
        partition.take([Record(4, b"garbage")])


def test_reading_the_log_from_its_beginning_again_is_an_error() -> None:
    log = three_commands()
    partition = reading(log)
    with pytest.raises(LogChanged, match="offset 0 was read, but 4 was expected"):
        partition.take(records(log.records[0]))


def test_skipped_offsets_are_a_gap() -> None:
    log = three_commands()
    partition = reading(log, upto=2)
    assert not partition.has_gap
    partition.take(records(log.records[0][3:], start=3))
    assert partition.has_gap


def test_a_batch_that_is_too_large_to_be_read_is_no_gap() -> None:
    partition = reading(three_commands())
    partition.take([Record(9, LostBatch.of(4, 9)), Record(10, b"garbage")])
    assert not partition.has_gap
    partition.take([Record(19, LostBatch.of(12, 19))])
    assert partition.has_gap


def test_too_many_void_records_in_a_row_are_an_error_even_across_a_restart() -> None:
    log = three_commands()
    head = log.heads[0]
    partition = PartitionLog(0, Checkpoint(3 + MAX_VOIDS_IN_A_ROW, head, 3), partitions=1)
    partition.take([Record(3, log.records[0][3])])
    with pytest.raises(LogChanged, match=f"{MAX_VOIDS_IN_A_ROW} records in a row"):
        partition.take([Record(3 + MAX_VOIDS_IN_A_ROW, b"garbage")])


def test_a_poison_entry_belongs_to_the_log_and_is_marked() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="a"), id=project(9))
    batch = next_batch(reading(log))
    entry = batch.entries[0]
    assert entry.poison is not None
    assert (entry.org_id, entry.fact) == (ORG, facts.OrgCreated(name="a"))


def test_an_entry_with_unreadable_columns_has_no_columns() -> None:
    log = Logbook()
    log.add(ORG, ANN, facts.OrgCreated(name="a"), entity_id="nobody")
    batch = next_batch(reading(log))
    assert batch.entries[0].columns is None


@pytest.mark.parametrize("faulty", [{}, {"id": project(9)}, {"entity_id": "nobody"}])
def test_records_taken_together_give_the_same_entries_as_one_by_one(faulty: dict[str, str]) -> None:
    log = three_commands()
    log.add(ORG, ANN, facts.OrgRenamed(name="d"), **faulty)
    log.records[0].append(b"garbage")
    log.add(ORG, ANN, facts.OrgRenamed(name="e"))
    one_by_one = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
    for record in records(log.records[0]):
        one_by_one.take([record])
    entries = next_batch(one_by_one).entries
    assert next_batch(reading(log)).entries == entries
    assert [entry.head.position for entry in entries if entry.poison is not None] == ([4] if faulty else [])
