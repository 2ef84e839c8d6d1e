"""Two writers on one log under thousands of schedules: each command decided once, and answered as it was decided."""

import random
from uuid import UUID

import pytest

from daybook_command.shard.answers import outcome
from daybook_command.shard.messages import CommandRecord
from daybook_contracts.entries import Entry
from daybook_contracts.results import encode_record
from support.simulation import World, command_record

USERS = [str(UUID(int=0x10 + n, version=4)) for n in range(4)]
ORGS = [str(UUID(int=0x1000 + n, version=4)) for n in range(3)]


def mixed_commands(seed: int, count: int) -> list[CommandRecord]:
    """Orgs are founded, members come, change and go; a fifth of all commands come twice."""
    draw = random.Random(seed)
    envelopes: list[dict[str, object]] = []
    for _ in range(count):
        if envelopes and draw.random() < 0.2:
            envelopes.append(draw.choice(envelopes))
            continue
        kind = draw.choice(["CREATE_ORG", "ADD_MEMBER", "UPDATE_MEMBER", "REMOVE_MEMBER", "RENAME_ORG"])
        user, role = draw.choice(USERS), draw.choice(["owner", "admin", "member"])
        data = {
            "CREATE_ORG": {"name": "x"},
            "RENAME_ORG": {"name": f"name {draw.randrange(9)}"},
            "ADD_MEMBER": {"user_id": user, "role": role},
            "UPDATE_MEMBER": {"user_id": user, "role": role},
            "REMOVE_MEMBER": {"user_id": user},
        }[kind]
        envelopes.append(
            {
                "id": str(UUID(int=draw.getrandbits(128), version=4)),
                "type": kind,
                "org_id": draw.choice(ORGS),
                "actor_user_id": draw.choice(USERS[:2]),
                "data": data,
            }
        )
    return [command_record(offset, envelope) for offset, envelope in enumerate(envelopes)]


def outcomes(entries: list[Entry]) -> dict[str, bytes]:
    """What each command came to, told from the log alone; fails where one was decided twice."""
    decided: dict[str, bytes] = {}
    for entry in entries:
        command_id = entry.metadata_json.command_id
        assert command_id not in decided, f"command {command_id} was decided twice"
        decided[command_id] = encode_record(outcome(command_id, [entry]))
    return decided


@pytest.mark.parametrize("first_seed", range(0, 300, 50))
def test_every_command_is_decided_once_and_answered_as_it_was_decided(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 50):
        world = World(seed, mixed_commands(seed, 60), frozenset(USERS))
        world.run(400)
        decided = outcomes(world.admitted())
        assert not world.stopped, f"seed {seed}: {world.stopped}"
        assert set(world.answers) == set(decided), f"seed {seed}"
        for command_id, answers in world.answers.items():
            assert answers == {decided[command_id]}, f"seed {seed}, command {command_id}"


def test_a_schedule_has_races_and_voids() -> None:
    """The simulation would prove nothing if nobody ever lost."""
    world = World(7, mixed_commands(7, 60), frozenset(USERS))
    world.run(400)
    assert len(world.log) > len(world.admitted())
