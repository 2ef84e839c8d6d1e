"""One command over HTTP: the record that is published, and the answer that the sender gets."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from starlette.types import Message

from daybook_client.kafka.awaited_replies import AwaitedReplies
from daybook_client.kafka.command_publisher import Fate
from daybook_command.http.command_sender import MAX_WAITING
from daybook_contracts.routing import partition_of
from support.door_doubles import ENTRY, ORG, OTHER, USER, DoorAlone, problem_of, rejected, rename, undecided

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SERVICE = "service:billing"


async def test_an_accepted_command_is_answered_with_its_entries_and_position(door: DoorAlone) -> None:
    answer = await door.send(rename())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "command_id": rename()["id"],
        "entries": [{"id": ENTRY, "action": "RENAME_ORG", "entity_type": "org", "entity_id": ORG}],
        "position": "6.7",
        "result": "success",
    }


async def test_a_rejected_command_is_answered_with_a_problem(door: DoorAlone) -> None:
    door.kafka.decide = rejected
    answer = await door.send(rename())
    assert problem_of(answer) == (409, "LAST_OWNER")
    assert (answer.json()["entry_id"], answer.json()["position"]) == (ENTRY, "6.7")
    assert "result" not in answer.json()


async def test_a_command_is_published_normalised_to_the_partition_of_its_org(door: DoorAlone) -> None:
    await door.send(rename("  Zoe\u0308 ", org_id=ORG.upper()))
    (record,) = door.kafka.records
    assert (
        record.value
        == (
            f'{{"actor_user_id":"{USER}","data":{{"name":"Zoë"}},"id":"{rename()["id"]}",'
            f'"org_id":"{ORG}","type":"RENAME_ORG"}}'
        ).encode()
    )
    assert (record.key, record.partition) == (ORG.encode(), partition_of(ORG, door.settings.partitions))


async def test_the_record_names_its_sender_and_the_reply_partition(door: DoorAlone) -> None:
    await door.send(rename(), traceparent=TRACE)
    headers = dict(door.kafka.records[0].headers)
    assert headers["daybook-principal"] == f"user:{USER}".encode()
    assert headers["daybook-door"] == b"http"
    assert headers["reply-partition"] == str(door.replies.partition).encode()
    assert headers["traceparent"] == TRACE.encode()
    assert headers["ce_type"] == b"daybook.command.v1"
    assert headers["ce_id"] == rename()["id"].encode()
    assert headers["correlation-id"]


@pytest.mark.parametrize(
    "header", ["", "nonsense", TRACE.upper(), TRACE.replace("00-", "ff-", 1), f"00-{'0' * 32}-{'1' * 16}-01"]
)
async def test_a_malformed_traceparent_is_left_out(door: DoorAlone, header: str) -> None:
    assert (await door.send(rename(), traceparent=header)).status_code == 200
    assert "traceparent" not in dict(door.kafka.records[0].headers)


async def test_a_command_not_decided_in_time_gets_the_location_of_its_outcome(door: DoorAlone) -> None:
    door.kafka.decide = undecided
    answer = await door.send(rename())
    assert answer.status_code == 202
    location = f"/v1/orgs/{ORG}/commands/{rename()['id']}"
    assert answer.headers["location"] == location
    assert answer.json() == {"command_id": rename()["id"], "location": location, "status": 202}


async def test_the_location_of_a_registration_has_the_user_as_key(door: DoorAlone) -> None:
    door.kafka.decide = undecided
    answer = await door.send(rename(type="REGISTER_USER", org_id=..., data={"user_id": USER}))
    assert answer.headers["location"] == f"/v1/orgs/{USER}/commands/{rename()['id']}"


@pytest.mark.parametrize("prefer", ["respond-async", "Respond-Async; x=1", "wait=10, respond-async"])
async def test_respond_async_is_answered_at_once_and_asks_for_no_reply(door: DoorAlone, prefer: str) -> None:
    answer = await door.send(rename(), Prefer=prefer)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert not {"reply-partition", "correlation-id"} & dict(door.kafka.records[0].headers).keys()


@pytest.mark.parametrize(("fate", "text"), [(Fate.NOTHING_DONE, "nothing was done"), (Fate.UNKNOWN, "may or may not")])
async def test_a_failed_publish_gets_503_and_the_id_to_retry_with(door: DoorAlone, fate: Fate, text: str) -> None:
    door.kafka.fate, door.kafka.decide = fate, undecided
    answer = await door.send(rename(id=...))
    assert problem_of(answer) == (503, "UNAVAILABLE")
    assert text in answer.json()["detail"]
    assert UUID(answer.json()["command_id"]).version == 7
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_result_is_answered_even_if_the_publish_was_not_acknowledged(door: DoorAlone) -> None:
    door.kafka.fate = Fate.UNKNOWN
    assert (await door.send(rename())).status_code == 200


async def test_no_reply_is_expected_after_the_answer(door: DoorAlone) -> None:
    door.kafka.decide = undecided
    await door.send(rename())
    assert door.replies.waiting == 0


async def test_with_too_many_waiting_requests_nothing_is_published(door: DoorAlone) -> None:
    AwaitedReplies(door.replies, [f"other-{number}" for number in range(MAX_WAITING)])
    assert problem_of(await door.send(rename())) == (503, "UNAVAILABLE")
    assert door.kafka.calls == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "INVALID_COMMAND"),
        (b"{not json", 400, "INVALID_COMMAND"),
        (b'{"a":1,"a":2}', 400, "INVALID_COMMAND"),
        (b"[" * 100_000, 400, "INVALID_COMMAND"),
        (b'"' + b"x" * 262_144 + b'"', 413, "INVALID_COMMAND"),
        (rename(type="PAINT_ORG"), 400, "INVALID_COMMAND"),
        (rename(note="hello"), 400, "INVALID_COMMAND"),
        (rename(id="42"), 400, "INVALID_COMMAND"),
        (rename(type="CREATE_CONNECTION", data={"config": {"password": "hunter2"}}), 422, "SECRET_IN_CONFIG"),
    ],
)
async def test_a_refused_command_is_not_published(door: DoorAlone, body: object, status: int, code: str) -> None:
    answer = await door.send(body)
    assert problem_of(answer) == (status, code)
    assert "hunter2" not in answer.text
    assert door.kafka.calls == []


async def test_a_body_without_a_length_is_read_only_up_to_the_limit(door: DoorAlone) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 65_536
            yield b" " * 65_536

    answer = await door.client.post("/v1/commands", content=endless(), headers=door.bearer())
    assert problem_of(answer) == (413, "INVALID_COMMAND")
    assert sent <= 6 * 65_536


async def test_a_request_cut_off_within_its_body_publishes_nothing(door: DoorAlone) -> None:
    torn: Message = {"type": "http.request", "body": b'{"id', "more_body": True}
    messages: list[Message] = [torn, {"type": "http.disconnect"}]
    answered: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        answered.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in door.bearer().items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/commands", "headers": headers, "query_string": b""}
    await door.app(scope, receive, send)
    assert [message.get("status") for message in answered] == [400, None]
    assert door.kafka.calls == []


async def test_a_command_without_an_id_gets_a_uuid_v7(door: DoorAlone) -> None:
    answer = await door.send(rename(id=...))
    assert UUID(answer.json()["command_id"]).version == 7


async def test_a_text_as_idempotency_key_gives_one_id_per_sender(door: DoorAlone) -> None:
    body = rename(id=..., actor_user_id=...)
    mine = [(await door.send(body, Idempotency_Key="order 42")).json()["command_id"] for _ in range(2)]
    theirs = (await door.send(body, SERVICE, Idempotency_Key="order 42")).json()["command_id"]
    assert mine[0] == mine[1]
    assert UUID(mine[0]).version == 5
    assert theirs != mine[0]


@pytest.mark.parametrize("key", [OTHER, "order 42", "", "x" * 256, "00000000-0000-0000-0000-000000000000"])
async def test_an_invalid_or_contradicting_idempotency_key_is_refused(door: DoorAlone, key: str) -> None:
    assert problem_of(await door.send(rename(), Idempotency_Key=key)) == (400, "INVALID_COMMAND")


async def test_a_user_is_the_default_actor_of_its_commands(door: DoorAlone) -> None:
    await door.send(rename(actor_user_id=...))
    assert door.kafka.commands[0]["actor_user_id"] == USER


async def test_a_service_may_act_with_or_without_a_user(door: DoorAlone) -> None:
    await door.send(rename(actor_user_id=...), SERVICE)
    await door.send(rename(actor_user_id=OTHER), SERVICE)
    assert [command["actor_user_id"] for command in door.kafka.commands] == [None, OTHER]


async def test_a_user_may_not_act_as_another_user(door: DoorAlone) -> None:
    answer = await door.send(rename(actor_user_id=OTHER))
    assert problem_of(answer) == (403, "FORBIDDEN")
    assert answer.json()["command_id"] == rename()["id"]
    assert not {"entry_id", "position"} & answer.json().keys()
    assert door.kafka.calls == []


async def test_a_command_that_names_an_unknown_user_waits_for_that_user(door: DoorAlone) -> None:
    door.users.known = {USER}
    assert (await door.send(rename(type="ADD_MEMBER", data={"user_id": OTHER, "role": "member"}))).status_code == 200
    assert door.users.awaited == [({OTHER}, 0)]
    assert len(door.kafka.records) == 1


async def test_a_registration_does_not_wait_for_its_user(door: DoorAlone) -> None:
    door.users.known = set()
    assert (await door.send(rename(type="REGISTER_USER", org_id=..., data={"user_id": USER}))).status_code == 200
    assert door.users.awaited == []
