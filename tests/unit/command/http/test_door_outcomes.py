"""Who may see the outcome of a command."""

import pytest

from daybook_command.postgres.outcomes import Outcome
from daybook_infra.runtime.errors import DatabaseAway
from support.door_doubles import ORG, OTHER, USER, DoorAlone, accepted, rejected, rename

COMMAND = rename()["id"]


def store(door: DoorAlone, actor: str | None = USER, org_id: str | None = ORG) -> None:
    door.outcomes.found[(ORG, COMMAND)] = Outcome(accepted(rename()), "RENAME_ORG", actor, org_id)


async def test_an_outcome_has_the_form_of_a_batch_item(door: DoorAlone) -> None:
    store(door)
    answer = await door.outcome(ORG, COMMAND)
    assert answer.status_code == 200
    assert answer.json() == (await door.send_batch([rename()])).json()[0]


async def test_a_rejection_is_a_successful_answer_with_its_status_in_the_body(door: DoorAlone) -> None:
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
async def test_an_outcome_is_visible_to_its_sender_owners_admins_and_services(
    door: DoorAlone, principal: str, role: str | None, status: int
) -> None:
    store(door)
    if role is not None:
        door.outcomes.roles[(ORG, OTHER)] = role
    answer = await door.outcome(ORG, COMMAND, principal)
    assert answer.status_code == status


async def test_an_actor_that_a_user_names_is_ignored(door: DoorAlone) -> None:
    await door.outcome(ORG, f"{COMMAND}?actor={OTHER}", f"user:{USER}")
    assert door.outcomes.actors == [USER]


@pytest.mark.parametrize(
    ("query", "actor", "status"),
    [("", None, 200), ("", USER, 200), (f"?actor={USER.upper()}", USER, 200), (f"?actor={OTHER}", USER, 404)],
)
async def test_a_service_may_ask_about_one_actor(door: DoorAlone, query: str, actor: str | None, status: int) -> None:
    store(door, actor)
    answer = await door.outcome(ORG, f"{COMMAND}{query}", "service:audit")
    assert answer.status_code == status
    assert door.outcomes.actors == [query.rpartition("=")[2].lower() or None]


async def test_a_service_that_names_a_malformed_actor_sees_nothing(door: DoorAlone) -> None:
    store(door)
    assert (await door.outcome(ORG, f"{COMMAND}?actor=x", "service:audit")).status_code == 404


async def test_an_attempt_without_an_org_is_visible_to_its_sender_and_services_only(door: DoorAlone) -> None:
    store(door, org_id=None)
    door.outcomes.roles[(ORG, OTHER)] = "owner"
    senders = [f"user:{USER}", f"user:{OTHER}", "service:audit"]
    assert [(await door.outcome(ORG, COMMAND, sender)).status_code for sender in senders] == [200, 404, 200]


async def test_a_hidden_outcome_looks_like_a_missing_one(door: DoorAlone) -> None:
    store(door)
    hidden = await door.outcome(ORG, COMMAND, f"user:{OTHER}")
    missing = await door.outcome(OTHER, COMMAND, f"user:{OTHER}")
    assert hidden.json()["code"] == "NOT_FOUND"
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)


async def test_ids_are_case_insensitive(door: DoorAlone) -> None:
    store(door)
    assert (await door.outcome(ORG.upper(), COMMAND.upper())).status_code == 200


@pytest.mark.parametrize(("key", "command_id"), [("x", COMMAND), (ORG, "x"), (ORG.replace("-", ""), COMMAND)])
async def test_a_malformed_id_is_not_found(door: DoorAlone, key: str, command_id: str) -> None:
    answer = await door.outcome(key, command_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_an_outcome_needs_a_token(door: DoorAlone) -> None:
    answer = await door.client.get(f"/v1/orgs/{ORG}/commands/{COMMAND}")
    assert answer.status_code == 401


async def test_without_the_database_an_outcome_is_unavailable(door: DoorAlone) -> None:
    door.outcomes.error = DatabaseAway("PostgreSQL is away: connection refused")
    answer = await door.outcome(ORG, COMMAND)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
    assert "PostgreSQL" not in answer.text
