"""Who sees what became of a command."""

import pytest

from daybook_command.postgres.outcomes import Outcome
from daybook_infra.runtime.errors import DatabaseAway
from support.door_doubles import ORG, OTHER, USER, DoorAlone, accepted, rejected, rename

COMMAND = rename()["id"]


def keep(door: DoorAlone, actor: str | None = USER, org_id: str | None = ORG) -> None:
    door.outcomes.found[(ORG, COMMAND)] = Outcome(accepted(rename()), "RENAME_ORG", actor, org_id)


async def test_the_outcome_is_a_batchs_item(door: DoorAlone) -> None:
    keep(door)
    answer = await door.outcome(ORG, COMMAND)
    assert answer.status_code == 200
    assert answer.json() == (await door.send_batch([rename()])).json()[0]


async def test_a_rejection_is_an_outcome_like_any_other(door: DoorAlone) -> None:
    door.outcomes.found[(ORG, COMMAND)] = Outcome(rejected(rename()), "RENAME_ORG", USER, ORG)
    answer = await door.outcome(ORG, COMMAND)
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (200, 409, "LAST_OWNER")


@pytest.mark.parametrize(
    ("principal", "role", "status"),
    [
        (f"user:{USER}", None, 200),
        (f"user:{OTHER}", "owner", 200),
        (f"user:{OTHER}", "admin", 200),
        (f"user:{OTHER}", "member", 404),
        (f"user:{OTHER}", "viewer", 404),
        (f"user:{OTHER}", None, 404),
        ("service:audit", None, 200),
    ],
)
async def test_it_is_shown_to_its_sender_the_orgs_leaders_and_services(
    door: DoorAlone, principal: str, role: str | None, status: int
) -> None:
    keep(door)
    if role is not None:
        door.outcomes.roles[(ORG, OTHER)] = role
    answer = await door.outcome(ORG, COMMAND, principal)
    assert answer.status_code == status


async def test_a_user_s_own_refusal_as_an_outsider_is_looked_for_whatever_it_asks(door: DoorAlone) -> None:
    await door.outcome(ORG, f"{COMMAND}?actor={OTHER}", f"user:{USER}")
    assert door.outcomes.actors == [USER]


@pytest.mark.parametrize(
    ("asked", "actor", "status"),
    [("", None, 200), ("", USER, 200), (f"?actor={USER.upper()}", USER, 200), (f"?actor={OTHER}", USER, 404)],
)
async def test_a_service_that_names_an_actor_is_shown_that_actor_s_command_only(
    door: DoorAlone, asked: str, actor: str | None, status: int
) -> None:
    keep(door, actor)
    answer = await door.outcome(ORG, f"{COMMAND}{asked}", "service:audit")
    assert answer.status_code == status
    assert door.outcomes.actors == [asked.rpartition("=")[2].lower() or None]


async def test_a_service_that_names_what_is_no_actor_is_shown_nothing(door: DoorAlone) -> None:
    keep(door)
    assert (await door.outcome(ORG, f"{COMMAND}?actor=x", "service:audit")).status_code == 404


async def test_an_attempt_on_no_org_is_shown_to_its_sender_and_services_only(door: DoorAlone) -> None:
    keep(door, org_id=None)
    door.outcomes.roles[(ORG, OTHER)] = "owner"
    senders = [f"user:{USER}", f"user:{OTHER}", "service:audit"]
    assert [(await door.outcome(ORG, COMMAND, sender)).status_code for sender in senders] == [200, 404, 200]


async def test_what_is_hidden_looks_like_what_is_not_there(door: DoorAlone) -> None:
    keep(door)
    hidden = await door.outcome(ORG, COMMAND, f"user:{OTHER}")
    missing = await door.outcome(OTHER, COMMAND, f"user:{OTHER}")
    assert hidden.json()["code"] == "NOT_FOUND"
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)


async def test_ids_may_be_written_in_any_case(door: DoorAlone) -> None:
    keep(door)
    assert (await door.outcome(ORG.upper(), COMMAND.upper())).status_code == 200


@pytest.mark.parametrize(("key", "command_id"), [("x", COMMAND), (ORG, "x"), (ORG.replace("-", ""), COMMAND)])
async def test_what_is_no_id_is_not_found(door: DoorAlone, key: str, command_id: str) -> None:
    answer = await door.outcome(key, command_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_without_a_token_nobody_is_told_anything(door: DoorAlone) -> None:
    answer = await door.client.get(f"/v1/orgs/{ORG}/commands/{COMMAND}")
    assert answer.status_code == 401


async def test_without_the_database_the_outcome_is_unavailable(door: DoorAlone) -> None:
    door.outcomes.error = DatabaseAway("PostgreSQL is away: connection refused")
    answer = await door.outcome(ORG, COMMAND)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
    assert "PostgreSQL" not in answer.text
