"""An attacker with an ordinary user's token, a misbehaving service, or nobody at all, against a running instance: a
bystander who sends valid commands all the while never notices.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from support.bombs import MIB, bomb, send_raw
from support.bystander import Bystander, undisturbed
from support.driving import check_tables, connected, eventually, fresh_id, new_tenant
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import Door, Send, doors
from support.workload import SERVICE, by_user, command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PARTITIONS = 2
ATTACKER = fresh_id()
HEADS, IDLE, SLOW = 100, 600, 24


@pytest_asyncio.fixture
async def system(systems: Systems) -> System:
    return systems.start(partitions=PARTITIONS)


@pytest_asyncio.fixture
async def door(system: System) -> AsyncIterator[Door]:
    async with doors(system.settings, system.commands[0].url) as (one,):
        yield one


@pytest_asyncio.fixture
async def bystander(system: System, door: Door) -> Bystander:
    async with connected(system.settings) as database:
        tenants = [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)]
    return Bystander(door, tenants)


def batch_of(items: int, data: str, more: str = "") -> bytes:
    """A batch whose items have this as their data, whatever it is."""
    head = '{"id":"%s","type":"CREATE_CONNECTION","org_id":"%s","data":%s%s}'
    return ("[" + ",".join(head % (fresh_id(), fresh_id(), data, more) for _ in range(items)) + "]").encode()


HOSTILE_BODIES = {
    "wide, and no JSON in the end": batch_of(15, '{"config":[' + ",".join(["{}"] * 85_000) + "]}", ',"x":NaN'),
    "deep": b"[" * 2_000_000,
    "one key again and again": batch_of(15, "{" + ",".join(['"a":1'] * 40_000) + "}"),
    "many keys": batch_of(15, "{" + ",".join(f'"k{at}":1' for at in range(20_000)) + "}"),
    "escapes": batch_of(15, '{"name":"' + "\\u00e9" * 40_000 + '"}'),
    "one string that never ends": b'[{"id":"' + b"\\" * 3_900_000,
    "a thousand tiny items": b"[" + b",".join([b"{}"] * 1000) + b"]",
    "words that look like secrets": batch_of(15, '{"config":{"a":"' + "eyJ.sk_live_://u:" * 15_000 + '"}}'),
    "numbers": batch_of(15, '{"config":[' + ",".join(["1e400", "9" * 30] * 6_000) + "]}"),
    "ids": batch_of(15, '{"connection_id":"x","ids":[' + ",".join(['"x"'] * 50_000) + "]}"),
}


async def post_quietly(door: Door, path: str, body: bytes, principal: str) -> int:
    with suppress(httpx.TransportError):
        return (await door.post(path, body, principal)).status_code
    return 0


async def hostile_bodies(system: System, door: Door) -> None:
    """Each four times at once, by one user, until its tokens are gone; then by other users."""
    for body in HOSTILE_BODIES.values():
        sent = [post_quietly(door, "/v1/commands:batch", body, f"user:{fresh_id()}") for _ in range(4)]
        statuses = await asyncio.gather(*sent)
        assert set(statuses) <= {200, 400, 413, 429, 503}, statuses


async def hostile_envelopes(system: System, door: Door) -> None:
    for body in HOSTILE_BODIES.values():
        single = body[1:250_000]
        sent = [post_quietly(door, "/v1/commands", single, f"user:{ATTACKER}") for _ in range(8)]
        assert set(await asyncio.gather(*sent)) <= {400, 413, 429, 503}


async def raw(system: System, count: int) -> list[socket.socket]:
    address = urlsplit(system.commands[0].url)
    assert address.hostname is not None
    assert address.port is not None
    made = []
    for _ in range(count):
        one = socket.create_connection((address.hostname, address.port), timeout=5)
        one.setblocking(False)
        made.append(one)
        if len(made) % 50 == 0:
            await asyncio.sleep(0)
    return made


async def feed(one: socket.socket, piece: bytes, times: int) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        for _ in range(times):
            await loop.sock_sendall(one, piece)


async def unfinished_heads(system: System, door: Door) -> None:
    """Headers without an end, and one header that is a book."""
    sockets = await raw(system, HEADS)
    lines = b"".join(b"x-%d: y\r\n" % at for at in range(2_000))
    try:
        await asyncio.gather(*(feed(one, b"GET / HTTP/1.1\r\nx: " + b"y" * MIB, 1) for one in sockets[: HEADS // 2]))
        await asyncio.gather(*(feed(one, b"GET / HTTP/1.1\r\n" + lines * 20, 1) for one in sockets[HEADS // 2 :]))
    finally:
        for one in sockets:
            one.close()


async def idle_connections(system: System, door: Door) -> None:
    sockets = await raw(system, IDLE)
    await asyncio.sleep(2)
    for one in sockets:
        one.close()


async def slow_bodies(system: System, door: Door) -> None:
    """Each stops shortly before its end: one caller fills its own share of the room, and no more."""
    bearer = door.bearer(f"user:{ATTACKER}")["Authorization"]
    head = (
        f"POST /v1/commands:batch HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Length: {4 * MIB}\r\n\r\n"
    )
    sockets = await raw(system, SLOW)
    try:
        await asyncio.gather(*(feed(one, head.encode() + b"[" * (3 * MIB), 1) for one in sockets))
        await asyncio.sleep(2)
    finally:
        for one in sockets:
            one.close()


async def outcomes_without_end(system: System, door: Door) -> None:
    send = by_user("RENAME_ORG", fresh_id(), ATTACKER, fresh_id(), name="x")

    async def ask() -> set[int]:
        return {(await door.outcome(send)).status_code for _ in range(40)}

    statuses = set[int]().union(*await asyncio.gather(*(ask() for _ in range(16))))
    assert statuses == {404, 429}


async def published(system: System, values: list[tuple[bytes, list[tuple[str, bytes]]]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=system.settings.kafka_bootstrap, acks="all") as producer:
        topic = f"{system.settings.topic_prefix}commands"
        sent = [
            await producer.send(topic, value, partition=at % PARTITIONS, headers=headers)
            for at, (value, headers) in enumerate(values)
        ]
        await asyncio.gather(*sent)


async def records_of_a_misbehaving_service(system: System, door: Door) -> None:
    """No JSON, hostile JSON, somebody else's name, no id, and reply headers that lead nowhere."""
    values = [b"", b"\xff" * 1000, b"[" * 100_000, *(body[1:250_000] for body in HOSTILE_BODIES.values())]
    stranger = by_user("RENAME_ORG", fresh_id(), ATTACKER, fresh_id(), name="x").body
    headers = [
        [("daybook-principal", b"service:daybook")],
        [("daybook-principal", f"user:{fresh_id()}".encode())],
        [("reply-partition", b"999999"), ("correlation-id", b"x" * 1000)],
        [("daybook-forwarded-from", b"0")],
    ]
    records = [(value, headers[at % len(headers)]) for at, value in enumerate(values)]
    await published(system, records + [(stranger, each) for each in headers])


async def batches_that_unfold(system: System, door: Door) -> None:
    for topic in ("commands", "audit_log"):
        for partition in range(PARTITIONS):
            name = f"{system.settings.topic_prefix}{topic}"
            await send_raw(system.settings.kafka_bootstrap, name, partition, bomb("zstd", 3, 200 * MIB))


ATTACKS: list[Callable[[System, Door], Awaitable[None]]] = [
    hostile_bodies,
    hostile_envelopes,
    unfinished_heads,
    idle_connections,
    slow_bodies,
    outcomes_without_end,
    records_of_a_misbehaving_service,
    batches_that_unfold,
]


async def test_a_bystander_is_answered_in_time_through_every_attack(
    system: System, door: Door, bystander: Bystander
) -> None:
    for attack in ATTACKS:
        try:
            async with undisturbed(bystander):
                await attack(system, door)
        except AssertionError as error:
            raise AssertionError(f"{attack.__name__}: {error}") from error
    assert [service.process.poll() for service in system.services] == [None, None]
    await check_tables(system.settings)


async def test_whoever_knows_an_owner_s_next_ids_cannot_use_them_up(
    system: System, door: Door, bystander: Bystander
) -> None:
    """A stranger sends first, under the same id or under the `Idempotency-Key` that the owner uses."""
    tenant = bystander.tenants[0]
    for at in range(10):
        send = tenant.rename(f"Mine {at}")
        stolen = Send(f"user:{tenant.stranger}", {**send.command, "actor_user_id": tenant.stranger})
        assert (await door.send(stolen)).json()["code"] == "ORG_NOT_FOUND"
        assert (await door.send(send)).status_code == 200
        assert (await door.send(stolen)).json()["code"] == "ORG_NOT_FOUND"
    body = json.dumps({"type": "RENAME_ORG", "org_id": tenant.org_id, "data": {"name": "Keyed"}}).encode()
    answers: dict[str, Any] = {}
    for user in (tenant.stranger, tenant.owner):
        answers[user] = await door.post("/v1/commands", body, f"user:{user}", Idempotency_Key="rename once")
    assert [answers[tenant.stranger].status_code, answers[tenant.owner].status_code] == [404, 200]


async def test_a_stranger_learns_nothing_and_leaves_little(system: System, door: Door, bystander: Bystander) -> None:
    tenant = bystander.tenants[0]
    data = {"name": "n" * 200, "config": {"note": "x" * 100_000}, "type": "sheets", "project_id": fresh_id()}
    real = by_user("CREATE_CONNECTION", tenant.org_id, tenant.stranger, fresh_id(), **data)
    unknown = by_user("CREATE_CONNECTION", fresh_id(), tenant.stranger, fresh_id(), **data)
    answers = [(await door.send(send)).json() for send in (real, unknown)]
    for answer in answers:
        for varying in ("command_id", "entry_id", "position"):
            del answer[varying]
    assert answers[0] == answers[1]
    async with connected(system.settings) as database:
        look = "select length(metadata_json::text) from audit_log where metadata_json->>'command_id' = $1"
        size = await eventually(lambda: database.fetchval(look, real.command["id"]))
    assert size < 1024


async def test_a_service_s_own_name_is_nobody_else_s(system: System, bystander: Bystander) -> None:
    """`service:daybook` signs what policies do; a record that claims it is set aside."""
    tenant = bystander.tenants[0]
    forged = command("RESOLVE_ALERT", tenant.org_id, None, fresh_id(), alert_id=fresh_id())
    await published(system, [(Send(SERVICE, forged).body, [("daybook-principal", b"service:daybook")])] * PARTITIONS)
    async with undisturbed(bystander):
        await asyncio.sleep(0.5)
    async with connected(system.settings) as database:
        look = "select count(*) from audit_log where metadata_json->>'command_id' = $1"
        assert await database.fetchval(look, forged["id"]) == 0
