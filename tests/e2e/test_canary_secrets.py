"""Whatever a command's outcome, a secret in it is only in the commands topic: in the record that the sender itself
wrote, and in its copy if Daybook has forwarded it. If the command was sent over HTTP, the secret is nowhere.
"""

import json
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import cycle

import httpx
import pytest

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.canaries import Canary, Mark, Scene, canaries
from support.chain import entry_id, partition_of
from support.driving import created_id, eventually, fresh_id, new_tenant, send_accepted
from support.processes import System
from support.publisher import Door, Publisher, doors
from support.replay import read_topic
from support.traces import contains_any, count_traces
from support.workload import SERVICE

HEADERS = [("daybook-principal", SERVICE.encode()), ("reply-partition", b"1"), ("correlation-id", b"canary")]
Origin = tuple[int, int]


@pytest.fixture
async def instances(shared: System) -> AsyncIterator[list[Door]]:
    """Clients of two instances."""
    async with doors(shared.settings, *(service.url for service in shared.commands)) as clients:
        yield clients


@pytest.fixture
async def scene(door: Door, database: Connection) -> Scene:
    org = await new_tenant(door, database, connections=1)
    ref = org.by(org.owner, "CREATE_SECRET_REF", key_name="key", secret_id_ref="vault:kv/key#value")
    used = org.by_service("RECORD_DLQ_EVENT", connection_id=org.connections[0], payload=1)
    await send_accepted(door, used)
    return Scene(
        org.org_id, org.project_id, org.connections[0], created_id(await send_accepted(door, ref)), used.command["id"]
    )


async def final_answer(door: Door, path: str, body: bytes) -> httpx.Response:
    async def answer_if_final() -> list[httpx.Response]:
        answer = await door.post(path, body, SERVICE)
        is_pending = answer.status_code in {202, 503} or b'"status":202' in answer.content
        return [] if is_pending else [answer]

    (answer,) = await eventually(answer_if_final, 40)
    return answer


async def final_batch_answer(door: Door, *sent: Canary) -> httpx.Response:
    return await final_answer(door, "/v1/commands:batch", b"[" + b",".join(canary.body for canary in sent) + b"]")


async def until_logged(database: Connection, sent: Sequence[Canary]) -> None:
    """Waits until all decided commands are projected; after that, nothing more is written about them."""
    logged = [(json.loads(canary.body)["org_id"], canary.command_id) for canary in sent if canary.logged]
    ids = [entry_id(org_id, command_id) for org_id, command_id in logged]
    look = "select count(*) = cardinality($1::uuid[]) from audit_log where id = any($1)"
    await eventually(lambda: database.fetchval(look, ids), 30)


async def test_a_secret_sent_over_http_appears_nowhere(
    shared: System, scene: Scene, instances: list[Door], database: Connection
) -> None:
    mark = Mark.new()
    sent = canaries(scene, mark)
    for door, canary in zip(cycle(instances), sent, strict=False):
        answer = await final_answer(door, "/v1/commands", canary.body)
        assert answer.status_code == canary.status, (canary.name, answer.text)
        address = f"{door.url}/v1/orgs/{scene.org_id}/commands/{canary.command_id}"
        outcome = await door.client.get(address, headers=door.bearer(SERVICE))
        assert not contains_any(answer.content + outcome.content, mark.needles), (
            canary.name,
            answer.text,
            outcome.text,
        )
    await until_logged(database, sent)
    kept = "select count(*) from dlq_events where connection_id = $1 and payload_json = '{\"kept\": 1}'"
    assert await database.fetchval(kept, scene.connection_id) == 1
    assert await count_traces(shared, mark.needles) == {}


async def test_a_secret_sent_in_a_batch_appears_nowhere(
    shared: System, scene: Scene, instances: list[Door], database: Connection
) -> None:
    mark = Mark.new()
    sent = canaries(scene, mark)
    whole, invalid = [canary for canary in sent if canary.whole], [canary for canary in sent if not canary.whole]
    answer = await final_batch_answer(instances[0], *whole)
    assert [item["status"] for item in answer.json()] == [canary.status for canary in whole]
    answers = [answer, *[await final_batch_answer(instances[1], canary) for canary in invalid]]
    assert not [answer.text for answer in answers if contains_any(answer.content, mark.needles)]
    await until_logged(database, whole)
    assert await count_traces(shared, mark.needles) == {}


async def test_a_secret_sent_over_kafka_is_only_in_its_own_record(
    shared: System, scene: Scene, publisher: Publisher, database: Connection
) -> None:
    mark = Mark.new()
    sent = canaries(scene, mark)
    home = partition_of(scene.org_id, shared.settings.partitions)
    origins = {await put(publisher, canary, home): canary for canary in sent}
    refused = {origin: canary for origin, canary in origins.items() if not canary.logged}
    letters = await dead_letters(shared.settings, refused)
    leaked = {origins[origin].name for origin, written in letters.items() if contains_any(written, mark.needles)}
    assert leaked == set()
    await until_logged(database, sent)
    assert set(await count_traces(shared, mark.needles)) == {"commands"}


async def test_a_secret_in_a_misrouted_record_is_only_in_the_commands_topic(
    shared: System, scene: Scene, publisher: Publisher, database: Connection
) -> None:
    mark = Mark.new()
    sent = [canary for canary in canaries(scene, mark) if canary.logged and canary.status == 200]
    wrong = (partition_of(scene.org_id, shared.settings.partitions) + 1) % shared.settings.partitions
    for canary in sent:
        await put(publisher, canary, wrong)
    await until_logged(database, sent)
    forwarded_before = ("daybook-forwarded-from", b"elsewhere")
    forwarded_twice = [await put(publisher, canary, wrong, forwarded_before) for canary in sent]
    await dead_letters(shared.settings, forwarded_twice)
    assert set(await count_traces(shared, mark.needles)) == {"commands"}


async def test_a_secret_sent_by_a_user_for_another_user_is_only_in_its_own_record(
    shared: System, scene: Scene, publisher: Publisher
) -> None:
    mark = Mark.new()
    sent = [canary for canary in canaries(scene, mark) if canary.logged]
    bodies = [json.dumps(json.loads(canary.body) | {"actor_user_id": fresh_id()}).encode() for canary in sent]
    home, stranger = partition_of(scene.org_id, shared.settings.partitions), f"user:{fresh_id()}".encode()
    origins = [
        await publisher.publish_raw(scene.org_id, body, [("daybook-principal", stranger)], partition=home)
        for body in bodies
    ]
    letters = await dead_letters(shared.settings, origins)
    assert set(letters.values()) == {b""}
    assert set(await count_traces(shared, mark.needles)) == {"commands"}


async def put(publisher: Publisher, canary: Canary, partition: int, *more: tuple[str, bytes]) -> Origin:
    return await publisher.publish_raw("some key", canary.body, [*HEADERS, *more], partition=partition)


async def dead_letters(settings: Settings, origins: Collection[Origin]) -> dict[Origin, bytes]:
    """Waits for the dead letters of these commands; returns their values."""
    expected = {
        f"{settings.topic_prefix}commands/{partition}/{offset}".encode(): (partition, offset)
        for partition, offset in origins
    }

    async def letters_if_all_found() -> dict[Origin, bytes]:
        records = await read_topic(settings, "commands.dlq")
        found = {
            expected[headers["daybook-origin"]]: value or b""
            for _, _, value, headers in records
            if headers["daybook-origin"] in expected
        }
        return found if len(found) == len(expected) else {}

    return await eventually(letters_if_all_found, 40)
