"""The service policy at the HTTP door: what is refused before it is published, and what the door signs."""

import hashlib
import hmac

import pytest

from daybook_command.postgres.outcomes import Outcome
from daybook_contracts.senders.policy import Grant, ServicePolicy
from support.door_doubles import ORG, OTHER, SECRET, USER, DoorAlone, accepted, rename, token

DOOR_KEY = "the-key-of-the-door-32-characters"
POLICY = ServicePolicy(
    {
        "renamer": Grant(frozenset({"RENAME_ORG"}), frozenset({ORG}), act_for_users=False),
        "registrar": Grant(frozenset({"REGISTER_USER"}), frozenset(), act_for_users=True),
    },
    (DOOR_KEY.encode(),),
)
OWN = rename(actor_user_id=None)
REGISTER = {"id": OWN["id"], "type": "REGISTER_USER", "data": {"user_id": USER}}


@pytest.fixture
def door() -> DoorAlone:
    return DoorAlone("service:renamer", policy=POLICY, door_key=DOOR_KEY)


async def test_a_service_within_its_table_is_let_in(door: DoorAlone) -> None:
    assert (await door.send(OWN)).status_code == 200
    assert (await door.send(REGISTER, "service:registrar")).status_code == 200
    assert len(door.kafka.commands) == 2


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("renamer", rename()),
        ("renamer", rename(actor_user_id=None, org_id=OTHER)),
        ("renamer", rename(actor_user_id=None, type="CREATE_ORG")),
        ("renamer", REGISTER),
        ("registrar", OWN),
        ("stranger", OWN),
    ],
)
async def test_a_service_beyond_its_table_is_refused(door: DoorAlone, service: str, command: dict[str, object]) -> None:
    answer = await door.send(command, f"service:{service}")
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert answer.json()["type"] == "urn:daybook:problem:FORBIDDEN"
    assert f"service:{service}" in answer.json()["detail"]
    assert door.kafka.calls == []


async def test_an_item_beyond_the_table_is_refused_in_its_place(door: DoorAlone) -> None:
    answer = await door.send_batch([OWN, rename(), rename(actor_user_id=None, id=ORG)])
    assert [item["status"] for item in answer.json()] == [200, 403, 200]
    assert answer.json()[1]["code"] == "FORBIDDEN"
    assert answer.json()[1]["command_id"] == OWN["id"]
    assert [command["id"] for command in door.kafka.commands] == [OWN["id"], ORG]


async def test_an_unlisted_service_is_refused_before_its_body_is_read(door: DoorAlone) -> None:
    for answer in (
        await door.send(b"no json", "service:stranger"),
        await door.send_batch(b"no json", "service:stranger"),
        await door.outcome(ORG, OWN["id"], "service:stranger"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_users_are_not_the_policys(door: DoorAlone) -> None:
    assert (await door.send(rename(org_id=OTHER), f"user:{USER}")).status_code == 200


async def test_a_listed_service_still_needs_a_token(door: DoorAlone) -> None:
    expired = token("service:renamer", exp=1)
    assert (await door.send(OWN, Authorization=f"Bearer {expired}")).status_code == 401


@pytest.mark.parametrize("principal", ["service:renamer", f"user:{USER}"])
async def test_what_the_door_publishes_is_signed(door: DoorAlone, principal: str) -> None:
    await door.send(OWN, principal)
    await door.send_batch([OWN], principal, Prefer="respond-async")
    assert len(door.kafka.records) == 2
    for record in door.kafka.records:
        text = b"\n".join((principal.encode(), b"http", record.value))
        expected = hmac.new(DOOR_KEY.encode(), text, hashlib.sha256).hexdigest().encode()
        assert dict(record.headers)["daybook-signature"] == expected


async def test_without_a_key_nothing_is_signed() -> None:
    door = DoorAlone()
    await door.send(rename())
    assert "daybook-signature" not in dict(door.kafka.records[0].headers)
    assert SECRET.encode() not in b"".join(value for _, value in door.kafka.records[0].headers)


@pytest.mark.parametrize(
    ("service", "key", "action", "org_id", "status"),
    [
        ("renamer", ORG, "RENAME_ORG", ORG, 200),
        ("renamer", ORG, "RENAME_ORG", None, 200),
        ("renamer", OTHER, "RENAME_ORG", OTHER, 404),
        ("renamer", USER, "REGISTER_USER", None, 404),
        ("registrar", USER, "REGISTER_USER", None, 200),
        ("registrar", ORG, "RENAME_ORG", ORG, 404),
        ("registrar", ORG, "RENAME_ORG", None, 404),
    ],
)
async def test_a_service_sees_the_outcomes_of_its_orgs_only(
    door: DoorAlone, service: str, key: str, action: str, org_id: str | None, status: int
) -> None:
    door.outcomes.found[key, OWN["id"]] = Outcome(accepted(OWN), action, f"user:{OTHER}", org_id)
    answer = await door.outcome(key.upper(), OWN["id"], f"service:{service}")
    assert answer.status_code == status
