"""Record batches of the audit log: entries in, their records and one Kafka batch of them out. The command service and
`daybook audit restore-topic` write the log with these.
"""

from collections.abc import Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from daybook_contracts.entries.entry import Entry
from daybook_contracts.topics import Headers, entry_headers
from daybook_infra.runtime.kafka.options import MIB

# A batch has at most LOG_BATCH_BYTES; only a batch of a single command may be larger, up to 1 MiB. The topic accepts 4
# MiB.
MAX_BATCH_BYTES = 4 * MIB


class EntryRecord(NamedTuple):
    key: bytes | None
    value: bytes
    headers: Headers


def entry_record(entry: Entry, value: bytes, traceparent: bytes | None = None) -> EntryRecord:
    """`value`: the entry's canonical JSON. `traceparent`: the trace of its command."""
    key = entry.metadata_json.key
    return EntryRecord(key.encode(), value, entry_headers(entry.id, key, entry.created_at, traceparent))


def entry_batch(producer: AIOKafkaProducer, records: Iterable[EntryRecord]) -> BatchBuilder:
    """One batch, closed: Kafka appends all of it or nothing. The producer must allow batches of MAX_BATCH_BYTES. Raises
    MessageSizeTooLargeError.
    """
    batch: BatchBuilder = producer.create_batch()
    for record in records:
        taken = batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
        if taken is None:
            raise MessageSizeTooLargeError(f"a batch of entries is over {MAX_BATCH_BYTES} bytes")
    batch.close()
    return batch
