"""The service policy over HTTP: which commands are refused before publishing, and which records are signed."""

import hashlib
import hmac

import pytest

from daybook_command.postgres.outcomes import Outcome
from daybook_contracts.senders.policy import Grant, ServicePolicy
from support.door_doubles import ORG, OTHER, SECRET, USER, DoorAlone, accepted, problem_of, rename, token

DOOR_KEY = "the-key-of-the-door-32-characters"
POLICY = ServicePolicy(
    {
        "renamer": Grant(frozenset({"RENAME_ORG"}), frozenset({ORG}), act_for_users=False),
        "registrar": Grant(frozenset({"REGISTER_USER"}), frozenset(), act_for_users=True),
    },
    (DOOR_KEY.encode(),),
)
ALLOWED = rename(actor_user_id=None)
REGISTER = {"id": ALLOWED["id"], "type": "REGISTER_USER", "data": {"user_id": USER}}


@pytest.fixture
def door() -> DoorAlone:
    return DoorAlone("service:renamer", policy=POLICY, door_key=DOOR_KEY)


async def test_a_service_may_send_what_its_grant_allows(door: DoorAlone) -> None:
    assert (await door.send(ALLOWED)).status_code == 200
    assert (await door.send(REGISTER, "service:registrar")).status_code == 200
    assert len(door.kafka.commands) == 2


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("renamer", rename()),
        ("renamer", rename(actor_user_id=None, org_id=OTHER)),
        ("renamer", rename(actor_user_id=None, type="CREATE_ORG")),
        ("renamer", REGISTER),
        ("registrar", ALLOWED),
        ("stranger", ALLOWED),
    ],
)
async def test_a_service_may_not_send_what_its_grant_does_not_allow(
    door: DoorAlone, service: str, command: dict[str, object]
) -> None:
    answer = await door.send(command, f"service:{service}")
    assert problem_of(answer) == (403, "FORBIDDEN")
    assert f"service:{service}" in answer.json()["detail"]
    assert door.kafka.calls == []


async def test_only_the_items_that_the_grant_does_not_allow_are_refused(door: DoorAlone) -> None:
    answer = await door.send_batch([ALLOWED, rename(), rename(actor_user_id=None, id=ORG)])
    assert [item["status"] for item in answer.json()] == [200, 403, 200]
    assert answer.json()[1]["code"] == "FORBIDDEN"
    assert answer.json()[1]["command_id"] == ALLOWED["id"]
    assert [command["id"] for command in door.kafka.commands] == [ALLOWED["id"], ORG]


async def test_an_unlisted_service_is_refused_before_its_body_is_read(door: DoorAlone) -> None:
    for answer in (
        await door.send(b"no json", "service:stranger"),
        await door.send_batch(b"no json", "service:stranger"),
        await door.outcome(ORG, ALLOWED["id"], "service:stranger"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_the_policy_does_not_apply_to_users(door: DoorAlone) -> None:
    assert (await door.send(rename(org_id=OTHER), f"user:{USER}")).status_code == 200


async def test_a_listed_service_still_needs_a_token(door: DoorAlone) -> None:
    expired = token("service:renamer", exp=1)
    assert (await door.send(ALLOWED, Authorization=f"Bearer {expired}")).status_code == 401


@pytest.mark.parametrize("principal", ["service:renamer", f"user:{USER}"])
async def test_published_records_are_signed_with_the_door_key(door: DoorAlone, principal: str) -> None:
    await door.send(ALLOWED, principal)
    await door.send_batch([ALLOWED], principal, Prefer="respond-async")
    assert len(door.kafka.records) == 2
    for record in door.kafka.records:
        text = b"\n".join((principal.encode(), b"http", record.value))
        expected = hmac.new(DOOR_KEY.encode(), text, hashlib.sha256).hexdigest().encode()
        assert dict(record.headers)["daybook-signature"] == expected


async def test_without_a_door_key_records_are_not_signed() -> None:
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
async def test_a_service_sees_only_outcomes_that_its_grant_allows(
    door: DoorAlone, service: str, key: str, action: str, org_id: str | None, status: int
) -> None:
    door.outcomes.found[key, ALLOWED["id"]] = Outcome(accepted(ALLOWED), action, f"user:{OTHER}", org_id)
    answer = await door.outcome(key.upper(), ALLOWED["id"], f"service:{service}")
    assert answer.status_code == status
