"""Attacks on a running instance by a user, a misbehaving service or an unauthenticated client."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import httpx
from aiokafka import AIOKafkaProducer

from support.bombs import MIB, bomb, send_raw
from support.driving import fresh_id
from support.hostile_bodies import envelopes
from support.processes import System
from support.publisher import Door
from support.workload import by_user

PARTITIONS = 2
ATTACKER = fresh_id()
HEADER_SOCKETS, IDLE_SOCKETS, SLOW_SOCKETS = 100, 600, 24


def batch_of(items: int, data: str, more: str = "") -> bytes:
    """A batch in which every item has `data` as its data. `data` need not be valid JSON."""
    head = '{"id":"%s","type":"CREATE_CONNECTION","org_id":"%s","data":%s%s}'
    return ("[" + ",".join(head % (fresh_id(), fresh_id(), data, more) for _ in range(items)) + "]").encode()


HOSTILE_BODIES = {
    "wide, and invalid JSON at its end": batch_of(15, '{"config":[' + ",".join(["{}"] * 85_000) + "]}", ',"x":NaN'),
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


PIECES = [body[1:250_000] for body in HOSTILE_BODIES.values()]
"""Parts of these bodies, small enough for one command. None is valid JSON."""

ENVELOPES = [body for _, body in envelopes()]
"""Whole commands. Many are valid JSON, and some are valid commands of an org that does not exist."""


async def post_quietly(door: Door, path: str, body: bytes, principal: str) -> int:
    """Returns the answer's status; 0 if the connection breaks."""
    with suppress(httpx.TransportError):
        return (await door.post(path, body, principal)).status_code
    return 0


async def hostile_bodies(system: System, door: Door) -> None:
    """Sends each body four times at once, each time as another user."""
    for body in HOSTILE_BODIES.values():
        sent = [post_quietly(door, "/v1/commands:batch", body, f"user:{fresh_id()}") for _ in range(4)]
        statuses = await asyncio.gather(*sent)
        assert set(statuses) <= {200, 400, 413, 429, 503}, statuses


async def hostile_envelopes(system: System, door: Door) -> None:
    """One user sends pieces of batches again and again. Then other users send whole commands."""
    for piece in PIECES:
        sent = [post_quietly(door, "/v1/commands", piece, f"user:{ATTACKER}") for _ in range(8)]
        assert set(await asyncio.gather(*sent)) <= {400, 413, 429, 503}
    for body in ENVELOPES:
        sent = [post_quietly(door, "/v1/commands", body, f"user:{fresh_id()}") for _ in range(4)]
        statuses = set(await asyncio.gather(*sent))
        assert statuses <= {202, 400, 403, 404, 413, 422, 429, 503}, statuses


@asynccontextmanager
async def open_sockets(system: System, count: int) -> AsyncIterator[list[socket.socket]]:
    address = urlsplit(system.commands[0].url)
    loop = asyncio.get_running_loop()
    with ExitStack() as closing:
        made = [closing.enter_context(socket.socket()) for _ in range(count)]
        for one in made:
            one.setblocking(False)
            # A blocking connect would stop the event loop, and so delay the bystander.
            await asyncio.wait_for(loop.sock_connect(one, (address.hostname, address.port)), 5)
        yield made


async def send_bytes(one: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        await asyncio.get_running_loop().sock_sendall(one, data)


async def unfinished_heads(system: System, door: Door) -> None:
    """Headers that never end, and one very long header."""
    lines = b"".join(b"x-%d: y\r\n" % at for at in range(2_000))
    head, half = b"GET / HTTP/1.1\r\n", HEADER_SOCKETS // 2
    async with open_sockets(system, HEADER_SOCKETS) as sockets:
        await asyncio.gather(*(send_bytes(one, head + b"x: " + b"y" * MIB) for one in sockets[:half]))
        await asyncio.gather(*(send_bytes(one, head + lines * 20) for one in sockets[half:]))


async def idle_connections(system: System, door: Door) -> None:
    async with open_sockets(system, IDLE_SOCKETS):
        await asyncio.sleep(2)


async def slow_bodies(system: System, door: Door) -> None:
    """One caller sends bodies that stop before their end. They fill the caller's share of the body budget, not more."""
    bearer = door.bearer(f"user:{ATTACKER}")["Authorization"]
    head = (
        f"POST /v1/commands:batch HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Length: {4 * MIB}\r\n\r\n"
    )
    async with open_sockets(system, SLOW_SOCKETS) as sockets:
        await asyncio.gather(*(send_bytes(one, head.encode() + b"[" * (3 * MIB)) for one in sockets))
        await asyncio.sleep(2)


async def too_many_outcome_requests(system: System, door: Door) -> None:
    send = by_user("RENAME_ORG", fresh_id(), ATTACKER, fresh_id(), name="x")

    async def ask() -> set[int]:
        return {(await door.outcome(send)).status_code for _ in range(40)}

    statuses = set[int]().union(*await asyncio.gather(*(ask() for _ in range(16))))
    assert statuses == {404, 429}


async def publish(system: System, values: list[tuple[bytes, list[tuple[str, bytes]]]]) -> list[tuple[int, int]]:
    """Publishes the records to the partitions in turn; returns the partition and the offset of each."""
    async with AIOKafkaProducer(bootstrap_servers=system.settings.kafka_bootstrap, acks="all") as producer:
        topic = f"{system.settings.topic_prefix}commands"
        sent = [
            await producer.send(topic, value, partition=at % PARTITIONS, headers=headers)
            for at, (value, headers) in enumerate(values)
        ]
        return [(record.partition, record.offset) for record in await asyncio.gather(*sent)]


async def records_of_a_misbehaving_service(system: System, door: Door) -> None:
    """Records with no JSON, hostile JSON, a false principal, no principal, or a reply partition that does not exist."""
    values = [b"", b"\xff" * 1000, b"[" * 100_000, *PIECES, *ENVELOPES]
    stranger = by_user("RENAME_ORG", fresh_id(), ATTACKER, fresh_id(), name="x").body
    headers = [
        [("daybook-principal", b"service:daybook")],
        [("daybook-principal", f"user:{fresh_id()}".encode())],
        [("reply-partition", b"999999"), ("correlation-id", b"x" * 1000)],
        [("daybook-forwarded-from", b"0")],
    ]
    records = [(value, headers[at % len(headers)]) for at, value in enumerate(values)]
    await publish(system, records + [(stranger, each) for each in headers])


async def decompression_bombs(system: System, door: Door) -> None:
    for topic in ("commands", "audit_log"):
        for partition in range(PARTITIONS):
            name = f"{system.settings.topic_prefix}{topic}"
            await send_raw(system.settings.kafka_bootstrap, name, partition, bomb("zstd", 3, 200 * MIB))


async def slow_secret_scans(system: System, door: Door) -> None:
    """Large records in a small batch, full of text that looks like URL parameters with secret values."""
    name = f"{system.settings.topic_prefix}commands"
    for partition in range(PARTITIONS):
        await send_raw(system.settings.kafka_bootstrap, name, partition, bomb("zstd", 15, 4 * MIB, b"?k1key=a&"))


ATTACKS: list[Callable[[System, Door], Awaitable[None]]] = [
    hostile_bodies,
    hostile_envelopes,
    unfinished_heads,
    idle_connections,
    slow_bodies,
    too_many_outcome_requests,
    records_of_a_misbehaving_service,
    decompression_bombs,
    slow_secret_scans,
]
