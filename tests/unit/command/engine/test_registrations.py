"""A user is ruled out only if its shard is in this instance and knows all commands and entries, but no registration."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest

from daybook_command.engine.assignment import Assignment
from daybook_command.engine.registrations import Registrations
from daybook_command.shard.events import Acknowledged, LocalArrived
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_infra.runtime.errors import KafkaAway
from support.local_commands import as_local, open_shard, ticket
from support.one_shard import decide_batch
from support.simulation import command_record

EVE = str(UUID(int=0xE, version=4))
NOBODY = str(UUID(int=0xF, version=4))


@dataclass
class Kafka:
    """`command_end`, `log_end`: the end of the only partition of the commands topic, and of the log."""

    command_end: int = 0
    log_end: int = 0

    async def command_ends(self, partitions: Collection[int]) -> Mapping[int, int]:
        return dict.fromkeys(partitions, self.command_end)

    async def log_ends(self) -> Mapping[int, int]:
        return {0: self.log_end}


async def away() -> Mapping[int, int]:
    raise KafkaAway("Kafka is away")


def registering(shard: Shard, kafka: Kafka, *, owned: bool = True, under_way: Collection[str] = ()) -> Registrations:
    assignments = {0: Assignment(shard, 0.0, started=True)} if owned else {}
    return Registrations(assignments, kafka.command_ends, kafka.log_ends, 1, under_way.__contains__)


def registration(offset: int = 0) -> CommandRecord:
    envelope = {"id": str(UUID(int=offset + 1, version=4)), "type": "REGISTER_USER", "data": {"user_id": EVE}}
    return command_record(offset, envelope)


async def test_a_user_of_whom_nothing_is_known_is_ruled_out() -> None:
    assert await registering(open_shard(), Kafka()).ruled_out([EVE, NOBODY]) == {EVE, NOBODY}


@pytest.mark.parametrize("kafka", [Kafka(command_end=1), Kafka(log_end=1)])
async def test_nobody_is_ruled_out_while_the_shard_does_not_know_all(kafka: Kafka) -> None:
    assert await registering(open_shard(), kafka).ruled_out([EVE]) == set()


async def test_a_registered_user_is_not_ruled_out_before_it_is_projected() -> None:
    shard = open_shard()
    decide_batch(shard, registration())
    shard.handle(Acknowledged(0))
    assert await registering(shard, Kafka(1, 1)).ruled_out([EVE, NOBODY]) == {NOBODY}


@pytest.mark.parametrize("starts", [lambda _: None, lambda shard: shard.handle(LocalArrived())])
async def test_a_user_whom_a_local_command_registers_is_not_ruled_out(starts: Callable[[Shard], object]) -> None:
    shard = open_shard()
    shard.queue_local([as_local(registration(), ticket(0))])
    starts(shard)
    assert await registering(shard, Kafka()).ruled_out([EVE, NOBODY]) == {NOBODY}


async def test_users_of_other_instances_are_not_ruled_out() -> None:
    assert await registering(open_shard(), Kafka(), owned=False).ruled_out([EVE]) == set()


async def test_nobody_is_ruled_out_when_the_partition_is_given_away() -> None:
    assignments = {0: Assignment(open_shard(), 0.0, started=True, leaving=True)}
    registrations = Registrations(assignments, Kafka().command_ends, Kafka().log_ends, 1, ().__contains__)
    assert await registrations.ruled_out([EVE]) == set()


async def test_nobody_is_ruled_out_while_kafka_is_away() -> None:
    assignments = {0: Assignment(open_shard(), 0.0, started=True)}
    assert await Registrations(assignments, Kafka().command_ends, away, 1, ().__contains__).ruled_out([EVE]) == set()


async def test_a_user_whose_registration_the_door_is_publishing_is_not_ruled_out() -> None:
    assert await registering(open_shard(), Kafka(), under_way=[EVE]).ruled_out([EVE, NOBODY]) == {NOBODY}


async def test_a_user_whose_registration_leaves_memory_meanwhile_is_not_ruled_out() -> None:
    shard, under_way = open_shard(), {EVE}

    class Published(Kafka):
        async def log_ends(self) -> Mapping[int, int]:
            under_way.clear()
            return await super().log_ends()

    assert await registering(shard, Published(), under_way=under_way).ruled_out([EVE]) == set()
