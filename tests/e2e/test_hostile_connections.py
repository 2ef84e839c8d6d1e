"""Clients that nobody has let in yet, against both services' ports, while a bystander sends commands."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from support.driving import connected, new_tenant
from support.processes import Service, System, Systems
from support.publisher import doors
from support.raw_http import MIB, Raw, Tiny, request

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
MOST, FLOOD, COMMANDS = 100, 400, 30
HALF_A_HEAD = b"POST /v1/commands HTTP/1.1\r\nhost: daybook\r\nx: "
ELSEWHERE = "127.0.0.2"


def port(service: Service) -> Tiny:
    return Tiny(int(service.url.rpartition(":")[2]), psutil.Process(service.process.pid))


@contextmanager
def flooded(*services: Service) -> Iterator[None]:
    """Far more connections than there is room for, from another address; each begins a request and stops."""
    with ExitStack() as closing:
        for at in range(FLOOD):
            raw: Raw = closing.enter_context(port(services[at % len(services)]).connect(source=ELSEWHERE))
            raw.try_send(HALF_A_HEAD)
        yield


async def test_a_bystander_is_answered_while_strangers_take_all_connections(systems: Systems) -> None:
    system = systems.start(max_connections=MOST)
    services = system.commands[0], system.projectors[0]
    async with doors(system.settings, system.commands[0].url) as (door,), connected(system.settings) as database:
        tenant = await new_tenant(door, database)
        with flooded(*services):
            assert all(port(service).process.num_fds() < MOST + 60 for service in services)
            for _ in range(COMMANDS):
                made = tenant.by(tenant.owner, "CREATE_PROJECT", name="Beside a flood")
                began = time.monotonic()
                assert (await door.send(made)).status_code == 200
                assert time.monotonic() - began < 1
            for service in services:
                assert port(service).get("/readyz", seconds=1).status == 200
                assert service.metric("daybook_http_cut_total", reason="made_room") > 0


@pytest.mark.parametrize("role", ["commands", "projectors"])
def test_neither_service_keeps_a_head_without_end(shared: System, role: str) -> None:
    """`shared` is not harmed by it."""
    service = port(getattr(shared, role)[0])
    service.get("/livez")
    before, lines = service.mib, b"".join(b"x-%06d: %s\r\n" % (number, b"y" * 90) for number in range(1_000))
    with service.connect() as raw:
        raw.send(HALF_A_HEAD)
        assert raw.send_until_cut(lines, most=500 * len(lines)) < 500 * len(lines)
    with service.connect() as raw:
        raw.send(HALF_A_HEAD)
        assert raw.send_until_cut(b"y" * 65_536, most=64 * MIB) < 64 * MIB
    with service.connect() as raw:
        raw.send(request("GET", "/livez", "x: " + "y" * 40_000))
        assert raw.answer().status == 431
    assert service.mib - before < 20
