"""What simulated writers, doors and projectors work on: commands topic, logs, PostgreSQL, a clock, the clients of the
doors, and the rates of faults.
"""

import json
import random
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from enum import Enum, auto

from msgspec.structs import replace

from daybook_command.kafka.answer_records import records_of
from daybook_command.shard.effects import Answer, Reply
from daybook_command.shard.records import CommandRecord
from daybook_contracts.codes import Code
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.topics import CORRELATION_ID, Topics
from support.simulated_log import Log
from support.simulated_postgres import Postgres
from support.weather import Weather

START_US = 1_800_000_000_000_000
TOPICS = Topics("daybook.")
JUDGES_DURING_RUN = ("admitted", "handed_back", "memory", "offsets", "constraints", "bugs", "end")
"""The judges that report while a schedule runs. The others judge when the schedule is over."""
GIVES_UP = 0.5
"""The share of clients that do not send a command again when they hear that nothing was done."""


class Failed(AssertionError):
    """A judge found a fault."""

    def __init__(self, judge: str, fault: str) -> None:
        super().__init__(f"{judge}: {fault}")
        self.judge = judge


class Publishing(Enum):
    """What a door knows of a command that it tried to publish."""

    PUBLISHED = auto()
    NOTHING_DONE = auto()
    UNKNOWN = auto()


@dataclass(slots=True, eq=False)
class Request:
    """A client's command, which is sent to a door until it is answered or accepted (202), or is published once.
    `number`: the command's number. `home`: the partition that the command is sent to.
    """

    number: int
    key: str
    home: int
    record: CommandRecord
    to_door: bool
    tries: int = 0

    @property
    def ticket(self) -> bytes:
        """The correlation id of this try."""
        return f"{self.number}.{self.tries}".encode()


@dataclass(slots=True)
class Surroundings:
    """`topics`, `committed` and `logs` are by partition. `answers` maps a sent command's number to all its answers.
    `answered` has the correlation ids of all answers. `forwarded` has (partition, correlation id) for each command that
    the partition forwarded, or refused because of a quarantine. `refused`: by partition, the commands to send again
    after their orgs are healed, by correlation id. `reports` counts what shards report, how often they are on hold, and
    how local commands are sent.

    About the clients of the doors: `requests` are still to be sent. `gave_up`: numbers of commands whose clients were
    told that nothing was done, and do not send them again. `unsure`: numbers of commands whose clients, at least
    once, were not told what was done. `orders`: for each door, the numbers of the commands that it accepted.
    """

    draw: random.Random
    partitions: int
    users: frozenset[str]
    weather: Weather
    postgres: Postgres = field(default_factory=Postgres)
    topics: list[list[CommandRecord]] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    answers: dict[bytes, set[bytes]] = field(default_factory=dict)
    answered: set[bytes] = field(default_factory=set)
    forwarded: set[tuple[int, bytes]] = field(default_factory=set)
    refused: list[dict[bytes, CommandRecord]] = field(default_factory=list)
    reports: Counter[str] = field(default_factory=Counter)
    requests: list[Request] = field(default_factory=list)
    gave_up: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    orders: list[list[int]] = field(default_factory=list)
    now_us: int = START_US

    def __post_init__(self) -> None:
        self.topics = [[] for _ in range(self.partitions)]
        self.logs = [Log() for _ in range(self.partitions)]
        self.committed = [0] * self.partitions
        self.refused = [{} for _ in range(self.partitions)]

    def send(self, partition: int, record: CommandRecord) -> None:
        topic = self.topics[partition]
        topic.append(replace(record, offset=len(topic)))

    def publish(self, partition: int, answer: Answer) -> None:
        """Publishes an answer's replies, and forwards commands of other partitions, as AnswerPublisher does. Drops
        replies that refuse a command because of a quarantine: the sender repeats the command later.
        """
        for refused in answer.refused:
            if refused.reason.startswith(Code.ORG_QUARANTINED) and isinstance(refused.record, CommandRecord):
                sent = dict(refused.record.headers)[CORRELATION_ID]
                self.forwarded.add((partition, sent))
                self.refused[partition][sent] = refused.record
        for reply in answer.replies:
            if f'"{Code.ORG_QUARANTINED}"'.encode() not in reply.value:
                self.give(reply)
        forwards = [each for each in records_of(TOPICS, partition, answer) if each.topic == TOPICS.commands]
        for each in forwards:
            headers = tuple(each.headers)
            self.forwarded.add((partition, dict(headers)[CORRELATION_ID]))
            self.send(each.partition, CommandRecord(0, each.key, each.value, headers, self.now_us // 1000))

    def give(self, reply: Reply) -> None:
        """A sender gets an answer. Raises `Failed` if the answer names a position without an entry of the command."""
        ticket, answer = reply.correlation_id or b"", json.loads(reply.value)
        self.answered.add(ticket)
        self.answers.setdefault(ticket.partition(b".")[0], set()).add(reply.value)
        if "position" in answer:
            partition, position = map(int, answer["position"].split("."))
            found = self.logs[partition].command_at(partition, position)
            if found != answer["command_id"]:
                raise Failed("admitted", f"{answer} was given, but the log has {found} there")

    def publish_from_door(self, partition: int, record: CommandRecord) -> tuple[Publishing, int]:
        """What the door learns, and the offset of the record: -1 unless PUBLISHED."""
        fate = self.draw.random()
        if fate < self.weather.away:
            return Publishing.NOTHING_DONE, -1
        if fate < self.weather.away + self.weather.unsure:
            if self.draw.random() < 0.5:
                self.send(partition, record)
            return Publishing.UNKNOWN, -1
        self.send(partition, record)
        return Publishing.PUBLISHED, len(self.topics[partition]) - 1

    def say_nothing_was_done(self, request: Request) -> None:
        if self.draw.random() < GIVES_UP:
            self.gave_up.add(request.number)
        else:
            self.requests.append(request)

    def say_unknown(self, request: Request) -> None:
        """The client sends the command again at some later time."""
        self.unsure.add(request.number)
        self.requests.append(request)

    def send_again(self, in_quarantine: Container[str]) -> None:
        """Sends refused commands again if their orgs are no longer in quarantine."""
        for partition, refused in enumerate(self.refused):
            for sent, record in list(refused.items()):
                if parse_command(record.value or b"").key not in in_quarantine:
                    del refused[sent]
                    self.send(partition, record)

    def commit(self, partition: int, next_offset: int) -> None:
        """Raises `Failed` if this commits an unanswered command, which would be lost after a crash."""
        for record in self.topics[partition][self.committed[partition] : next_offset]:
            sent = dict(record.headers)[CORRELATION_ID]
            if sent not in self.answered and (partition, sent) not in self.forwarded:
                raise Failed("offsets", f"{partition}.{record.offset} was committed before it was answered")
        self.committed[partition] = max(self.committed[partition], next_offset)
