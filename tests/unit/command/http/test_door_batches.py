"""Many commands in one HTTP request."""

from uuid import UUID

import pytest

from daybook_client.kafka.command_publisher import Fate
from daybook_contracts.limits import BATCH_BYTES
from support.door_doubles import OTHER, USER, DoorAlone, accepted, problem_of, rejected, rename, undecided

ORG_2 = "00000000-0000-4000-8000-000000000002"


def renames(count: int, **changes: object) -> list[dict[str, object]]:
    return [rename(f"Name {number}", id=f"01890000-0000-7000-8000-{number:012}", **changes) for number in range(count)]


async def test_each_item_is_the_body_of_a_single_request_plus_its_status(door: DoorAlone) -> None:
    commands = renames(2)
    door.kafka.decide = lambda command: (rejected if command["data"]["name"] == "Name 1" else accepted)(command)
    answer = await door.send_batch(commands)
    singles = [await door.send(command) for command in commands]
    assert answer.status_code == 200
    assert answer.json() == [{**single.json(), "status": single.status_code} for single in singles]


async def test_a_batch_is_published_in_order_by_one_call(door: DoorAlone) -> None:
    answer = await door.send_batch(renames(1000), "service:billing")
    assert len(door.kafka.calls) == 1
    assert [command["data"]["name"] for command in door.kafka.commands] == [f"Name {n}" for n in range(1000)]
    assert [item["command_id"] for item in answer.json()] == [command["id"] for command in renames(1000)]


async def test_a_refused_item_does_not_stop_the_others(door: DoorAlone) -> None:
    good = renames(2)
    another = rename(actor_user_id=OTHER)
    answer = await door.send_batch([good[0], 7, another, rename(note="x"), rename(type="NO_TYPE"), good[1]])
    assert [item["status"] for item in answer.json()] == [200, 400, 403, 400, 400, 200]
    assert [item.get("code") for item in answer.json()][1:3] == ["INVALID_COMMAND", "FORBIDDEN"]
    assert [command["id"] for command in door.kafka.commands] == [command["id"] for command in good]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[1,]", [{}] * 1001])
async def test_a_body_that_is_not_a_batch_is_refused_as_a_whole(door: DoorAlone, body: object) -> None:
    assert problem_of(await door.send_batch(body)) == (400, "INVALID_COMMAND")


async def test_a_body_that_is_too_large_is_refused_as_a_whole(door: DoorAlone) -> None:
    assert problem_of(await door.send_batch(b"[" + b" " * BATCH_BYTES + b"]")) == (413, "INVALID_COMMAND")


async def test_a_batch_with_respond_async_gets_a_location_per_item(door: DoorAlone) -> None:
    answer = await door.send_batch([*renames(2), 7], Prefer="respond-async")
    assert answer.status_code == 202
    assert [item["status"] for item in answer.json()] == [202, 202, 400]
    assert answer.json()[0]["location"] == f"/v1/orgs/{rename()['org_id']}/commands/{renames(1)[0]['id']}"


async def test_an_item_not_decided_in_time_gets_status_202(door: DoorAlone) -> None:
    door.kafka.decide = lambda command: accepted(command) if command["data"]["name"] == "Name 0" else None
    answer = await door.send_batch(renames(2))
    assert answer.status_code == 200
    assert [item["status"] for item in answer.json()] == [200, 202]


async def test_without_kafka_every_item_is_unavailable(door: DoorAlone) -> None:
    door.kafka.fate, door.kafka.decide = Fate.NOTHING_DONE, undecided
    answer = await door.send_batch(renames(2))
    assert [item["code"] for item in answer.json()] == ["UNAVAILABLE", "UNAVAILABLE"]


async def test_each_item_without_an_id_gets_its_own(door: DoorAlone) -> None:
    answer = await door.send_batch([rename(id=...), rename(id=...)], Idempotency_Key="ignored on batches")
    ids = [UUID(item["command_id"]) for item in answer.json()]
    assert [id_.version for id_ in ids] == [7, 7]
    assert ids[0] != ids[1]


async def test_all_commands_of_an_org_wait_if_one_names_an_unknown_user(door: DoorAlone) -> None:
    """A batch may register a user and add this user to an org. The order of an org's commands is kept."""
    door.users.known = {USER}
    register = rename(type="REGISTER_USER", org_id=..., actor_user_id=..., data={"user_id": OTHER})
    add = rename(type="ADD_MEMBER", org_id=ORG_2, actor_user_id=..., data={"user_id": OTHER, "role": "viewer"})
    first, last = renames(2, org_id=ORG_2)
    answer = await door.send_batch([first, add, last, register, rename()], "service:importer")
    assert [item["status"] for item in answer.json()] == [200] * 5
    published = [[record.value for record in call] for call in door.kafka.calls]
    assert [len(call) for call in published] == [2, 3]
    assert [command["type"] for command in door.kafka.commands][2:] == ["RENAME_ORG", "ADD_MEMBER", "RENAME_ORG"]
    assert door.users.awaited == [({OTHER}, 2)]
