"""Malformed commands are refused over HTTP and Kafka, with a reason. They do not affect other commands."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from support.deadletters import DeadLetter, dead_letter
from support.driving import fresh_id, over_kafka
from support.malformed import CASES, Case
from support.processes import System
from support.publisher import Door, Publisher
from support.replay import entries_of, read_log
from support.workload import SERVICE, by_user, registration_in

PARTITION = 2
HEADERS = [("daybook-principal", b"service:careless"), ("x-trace", b"42")]


def params(cases: list[Case]) -> dict[str, Any]:
    return {"argvalues": cases, "ids": [case.name for case in cases]}


@pytest.mark.parametrize("case", **params([case for case in CASES if case.at_http]))
async def test_a_malformed_command_over_http_gets_a_problem(door: Door, case: Case) -> None:
    answer = await door.post("/v1/commands", case.body, SERVICE)
    assert (answer.status_code, answer.headers["content-type"]) == (case.status, "application/problem+json")
    problem = answer.json()
    assert problem["code"] == case.code
    assert problem["type"] == f"urn:daybook:problem:{case.code}"
    assert problem["status"] == case.status
    assert not {"entry_id", "position"} & problem.keys()
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("case", **params(CASES))
async def test_a_malformed_command_over_kafka_becomes_a_dead_letter(publisher: Publisher, case: Case) -> None:
    partition, offset = await publisher.publish_raw("some key", case.body, HEADERS, partition=PARTITION)
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.key == b"some key"
    assert letter.reason.startswith(f"{case.code}: ")
    assert letter.headers.items() >= dict(HEADERS).items()
    assert (letter.value or b"") == (case.body if case.kept else b"")
    assert "hunter2" not in letter.reason
    assert (await over_kafka(publisher)(registration_in(PARTITION, publisher.settings.partitions)))["status"] == 200


@pytest.mark.parametrize("principal", ["service:daybook", "service:", "service:UPPER", "user:ada", "root"])
async def test_a_record_with_an_invalid_principal_becomes_a_dead_letter(publisher: Publisher, principal: str) -> None:
    body = registration_in(PARTITION, publisher.settings.partitions).body
    letter = await dead_letter_of(publisher, body, ("daybook-principal", principal.encode()))
    assert letter.reason.startswith("INVALID_COMMAND: ")
    assert letter.value == body


async def test_a_command_in_the_name_of_another_user_becomes_a_dead_letter(publisher: Publisher) -> None:
    body = by_user("RENAME_ORG", fresh_id(), fresh_id(), fresh_id(), name="x").body
    letter = await dead_letter_of(publisher, body, ("daybook-principal", f"user:{fresh_id()}".encode()))
    assert letter.reason.startswith("FORBIDDEN: ")
    assert letter.value == body


async def test_a_malformed_command_with_an_id_is_answered(publisher: Publisher) -> None:
    send = by_user("RENAME_ORG", fresh_id(), fresh_id(), fresh_id(), name="")
    answer = await asyncio.wait_for(await publisher.publish(send), 20)
    assert (answer["status"], answer["result"], answer["code"]) == (400, "failure", "INVALID_COMMAND")
    assert answer["command_id"] == send.command["id"]


async def test_no_malformed_command_is_in_the_log(shared: System, door: Door, publisher: Publisher) -> None:
    for case in CASES:
        await publisher.publish_raw("some key", case.body, HEADERS, partition=PARTITION)
        if case.at_http:
            await door.post("/v1/commands", case.body, SERVICE)
    # The partition is decided in order, so all records before this command have been read when it is answered.
    assert (await over_kafka(publisher)(registration_in(PARTITION, publisher.settings.partitions)))["status"] == 200
    ids = set()
    for case in CASES:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            ids.add(json.loads(case.body)["id"])
    logged = {entry["metadata_json"]["command_id"] for entry in entries_of(await read_log(shared.settings))}
    assert len(ids) > len(CASES) / 2
    assert logged
    assert not ids & logged


async def dead_letter_of(publisher: Publisher, value: bytes | None, *headers: tuple[str, bytes]) -> DeadLetter:
    partition, offset = await publisher.publish_raw(None, value, list(headers), partition=PARTITION)
    return await dead_letter(publisher.settings, partition, offset)
