"""The HTTP door of a simulated instance: gives commands to its shard, publishes them, and tells clients the outcomes.
The service's own `ShortWay` decides which commands go to the shard. The door dies with its shard, and its clients then
hear nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec.structs import replace

from daybook_command.shard.intake import SentCommand, classify
from daybook_command.shard.records import CommandRecord, DoorRecord
from daybook_command.shard.short_way import UNKNOWN_OFFSET, LocalCommand, Offer, ShortWay
from daybook_contracts.topics import CORRELATION_ID, DOOR, DOOR_HTTP
from support.surroundings import Failed, Publishing, Request, Surroundings

if TYPE_CHECKING:
    from support.simulated_writer import Writer

MOST_QUEUED = 6
"""So few that the queue sometimes fills."""


@dataclass(slots=True)
class Door:
    """`requests`: by ticket, the requests that wait for a shard's answer. `accepted`: the sent commands, in the order
    in which this door accepted them.
    """

    around: Surroundings
    writer: "Writer"
    short_way: ShortWay = field(init=False)
    requests: dict[bytes, Request] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.short_way = ShortWay(self)
        self.writer.door = self
        self.around.orders.append(self.accepted)

    # What ShortWay asks of the shards of its instance

    def takes_local(self, partition: int) -> bool:
        return self.writer.reads and self.writer.shard.takes_local

    def decided_to(self, partition: int) -> int | None:
        return self.writer.shard.decided_to if self.writer.reads else None

    def has_room(self, partition: int, key: str, commands: int, size: int) -> bool:
        return self.writer.shard.inbox.local.count + commands <= MOST_QUEUED

    def queue_local(self, partition: int, commands: Sequence[SentCommand]) -> None:
        self.writer.shard.queue_local(commands)
        self.writer.notice_local()

    def withdraw(self, partition: int, tickets: Collection[bytes]) -> Collection[bytes]:
        return self.writer.shard.inbox.withdraw(tickets)

    # What clients and the shard ask of the door

    def post(self, requests: Sequence[Request], *, waits: bool) -> None:
        """Takes requests of one key, in order. They may go the short way only with `waits`."""
        partition = self.writer.shard.partition
        commands = [self._command(each) for each in requests]
        is_open = waits and self.short_way.is_open(partition, commands[0].key)
        offer = self.short_way.offer(partition, commands) if is_open else Offer.PUBLISH
        if offer is Offer.FULL:
            self.around.reports["full"] += 1
            for each in requests:
                self.around.say_nothing_was_done(each)
            return
        self.accepted += [each.number for each in requests]
        if offer is Offer.TAKEN:
            self.around.reports["local"] += len(requests)
            self.requests |= {each.ticket: request for each, request in zip(commands, requests, strict=True)}
            return
        self._fall_back(self.short_way.fall_back([commands[0].key]))
        for command in commands:
            command.withdrawn = True  # the shard never had it
        self._publish(list(zip(requests, commands, strict=True)))

    def answered(self, ticket: bytes) -> None:
        request = self.requests.pop(ticket, None)
        if request is not None:
            self.short_way.settle(self.short_way.held[ticket])

    def half_wait(self) -> None:
        """Half the wait of a random key's oldest command is over."""
        keys = list(self.short_way.tickets)
        if keys:
            self._fall_back(self.short_way.fall_back([self.around.draw.choice(keys)]))

    def handed_back(self, queued: Sequence[bytes], taken: Sequence[bytes]) -> None:
        for _, commands in groupby(self.short_way.handed_back(queued, taken), key=lambda each: each.key):
            self._fall_back(list(commands))

    def require_nothing_held(self) -> None:
        """The shard has given its partition away, or takes it over again: the door must have published all its
        commands.
        """
        if self.requests:
            raise Failed("handed_back", f"the shard's commands were not published: {sorted(self.requests)}")

    def _command(self, request: Request) -> LocalCommand:
        partition = self.writer.shard.partition
        headers = {**dict(request.record.headers), CORRELATION_ID: request.ticket, DOOR: DOOR_HTTP}
        record = DoorRecord(b"", request.record.value or b"", tuple(headers.items()))
        made = classify(_published(record), partition, self.around.partitions)
        assert isinstance(made, SentCommand)
        return LocalCommand(partition, made.command.key, request.ticket, record, replace(made, record=record))

    def _fall_back(self, commands: Sequence[LocalCommand]) -> None:
        self.around.reports["fallback"] += len(commands)
        self._publish([(self.requests.pop(each.ticket), each) for each in commands])

    def _publish(self, items: Sequence[tuple[Request, LocalCommand]]) -> None:
        if not items:
            return
        offsets = []
        partition, key = items[0][1].partition, items[0][1].key
        self.short_way.begin_publishing([key])
        for request, command in items:
            publishing, offset = self.around.publish_from_door(partition, _published(command.record))
            match publishing:
                case Publishing.PUBLISHED:
                    offsets.append(offset)
                case Publishing.NOTHING_DONE if command.withdrawn:
                    self.around.say_nothing_was_done(request)
                case Publishing.NOTHING_DONE:
                    self.around.say_unknown(request)
                case Publishing.UNKNOWN:
                    offsets.append(UNKNOWN_OFFSET)
                    self.around.say_unknown(request)
        self.short_way.end_publishing(partition, key, offsets)

    def die(self) -> None:
        """The clients send their commands again at some later time."""
        for request in self.requests.values():
            self.around.say_unknown(request)
        self.requests.clear()


def _published(record: DoorRecord) -> CommandRecord:
    return CommandRecord(0, record.key, record.value, record.headers, 0)
