"""Answers of Kafka, as its client's own classes write them, before and after their offsets are taken out."""

from aiokafka.errors import DuplicateSequenceNumber, NotLeaderForPartitionError
from aiokafka.protocol.metadata import MetadataResponse_v1
from aiokafka.protocol.produce import ProduceResponse_v7

from chaos.offsets import without_offsets

TOPIC = "chaos.audit_log"
Partition = tuple[int, int, int, int, int]


def answer(topic: str, *partitions: Partition) -> bytes:
    """An answer to a Produce request. Each partition: its number, error code, offset, time and first offset."""
    made: bytes = ProduceResponse_v7(topics=[(topic, [*partitions])], throttle_time_ms=0).encode()
    return made


def test_each_successful_append_is_answered_without_an_offset() -> None:
    failed = (3, NotLeaderForPartitionError.errno, -1, -1, -1)
    hidden = (0, DuplicateSequenceNumber.errno, -1, -1, 0)
    assert without_offsets(answer(TOPIC, (0, 0, 70, -1, 0), failed)) == answer(TOPIC, hidden, failed)


def test_other_answers_stay_as_they_are() -> None:
    metadata = MetadataResponse_v1(brokers=[], controller_id=1, topics=[(0, TOPIC, False, [(0, 0, 1, [1], [1])])])
    for other in (answer("chaos.commands", (0, 0, 70, -1, 0)), metadata.encode()):
        assert without_offsets(other) == other
