"""What simulated writers and projectors work on: commands topic, logs, PostgreSQL, a clock, and the rates of faults."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from daybook_command.kafka.answer_records import records_of
from daybook_command.shard.effects import Answer
from daybook_command.shard.records import CommandRecord
from daybook_contracts.topics import CORRELATION_ID, Topics
from support.simulated_log import Log
from support.simulated_postgres import Postgres
from support.weather import Weather

START_US = 1_800_000_000_000_000
TOPICS = Topics("daybook.")
JUDGES_DURING_RUN = ("offsets", "constraints", "bugs", "end")
"""The judges that report while a schedule runs. The others judge when the schedule is over."""


class Failed(AssertionError):
    """A judge found a fault."""

    def __init__(self, judge: str, fault: str) -> None:
        super().__init__(f"{judge}: {fault}")
        self.judge = judge


@dataclass(slots=True)
class Surroundings:
    """`topics`, `committed` and `logs` are by partition. `answers` maps a command's correlation id to all its answers.
    `forwarded` has (partition, correlation id) for each command that the partition forwarded. `reports` counts the
    shards' reports, by kind, and their holds.
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
    forwarded: set[tuple[int, bytes]] = field(default_factory=set)
    reports: Counter[str] = field(default_factory=Counter)
    now_us: int = START_US

    def __post_init__(self) -> None:
        self.topics = [[] for _ in range(self.partitions)]
        self.logs = [Log() for _ in range(self.partitions)]
        self.committed = [0] * self.partitions

    def send(self, partition: int, record: CommandRecord) -> None:
        topic = self.topics[partition]
        topic.append(replace(record, offset=len(topic)))

    def publish(self, partition: int, answer: Answer) -> None:
        """Publishes an answer's replies, and forwards commands of other partitions, as AnswerPublisher does."""
        for reply in answer.replies:
            self.answers.setdefault(reply.correlation_id or b"", set()).add(reply.value)
        forwards = [each for each in records_of(TOPICS, partition, answer) if each.topic == TOPICS.commands]
        for each in forwards:
            headers = tuple(each.headers)
            self.forwarded.add((partition, dict(headers)[CORRELATION_ID]))
            self.send(each.partition, CommandRecord(0, each.key, each.value, headers, self.now_us // 1000))

    def commit(self, partition: int, next_offset: int) -> None:
        """Raises `Failed` if this commits an unanswered command, which would be lost after a crash."""
        for record in self.topics[partition][self.committed[partition] : next_offset]:
            sent = dict(record.headers)[CORRELATION_ID]
            if sent not in self.answers and (partition, sent) not in self.forwarded:
                raise Failed("offsets", f"{partition}.{record.offset} was committed before it was answered")
        self.committed[partition] = max(self.committed[partition], next_offset)
