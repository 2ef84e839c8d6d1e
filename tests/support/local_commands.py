"""Commands that a door gives to a shard in memory."""

from typing import Any

from msgspec.structs import replace

from daybook_command.shard.effects import Effect
from daybook_command.shard.events import LocalArrived, TopicRead
from daybook_command.shard.intake import SentCommand, classify
from daybook_command.shard.local_queue import Waiting
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord, DoorRecord
from daybook_contracts.topics import CORRELATION_ID, DOOR, DOOR_HTTP
from support.one_shard import ready_shard, sent
from support.simulation import CONFIG


def local(number: int, kind: str = "RENAME_ORG", **data: Any) -> SentCommand:
    """ANN's command on ORG. Each number gives another command id and another ticket (`ticket`)."""
    return as_local(sent(number, kind, **(data or {"name": f"name {number}"})), ticket(number))


def as_local(record: CommandRecord, correlation_id: bytes) -> SentCommand:
    headers = {**dict(record.headers), CORRELATION_ID: correlation_id, DOOR: DOOR_HTTP}
    kept = DoorRecord(b"", record.value or b"", tuple(headers.items()))
    command = classify(replace(record, headers=kept.headers), 0, CONFIG.partitions)
    assert isinstance(command, SentCommand)
    return replace(command, record=kept)


def ticket(number: int) -> bytes:
    return f"ticket-{number}".encode()


def open_shard(end: int = 0, waiting: Waiting | None = None) -> Shard:
    """A shard that has taken over an empty log; its partition of the commands topic ended at `end`. `waiting`: see
    `Shard.of`.
    """
    shard = ready_shard()
    if waiting is not None:
        shard.inbox.local.of_process = waiting
    shard.handle(TopicRead(0, 0, end))
    return shard


def arrive_locally(shard: Shard, *commands: SentCommand) -> list[Effect]:
    shard.queue_local(commands)
    return shard.handle(LocalArrived())
