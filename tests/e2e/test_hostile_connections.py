"""Unauthenticated clients flood the ports of both services while another client sends commands."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from support.driving import new_tenant, open_database
from support.processes import Service, System, Systems
from support.publisher import doors
from support.raw_http import MIB, Raw, Tiny

pytestmark = pytest.mark.timeout(180)
LIMIT, FLOOD, COMMANDS = 100, 400, 30
HALF_A_HEAD = b"POST /v1/commands HTTP/1.1\r\nhost: daybook\r\nx: "
OTHER_ADDRESS = "127.0.0.2"


def port(service: Service) -> Tiny:
    return Tiny(int(service.url.rpartition(":")[2]), psutil.Process(service.process.pid))


@contextmanager
def flooding(*services: Service) -> Iterator[None]:
    """Opens far more connections than allowed, from another address. Each sends half of a request's head and stops."""
    with ExitStack() as closing:
        for number in range(FLOOD):
            raw: Raw = closing.enter_context(port(services[number % len(services)]).connect(source=OTHER_ADDRESS))
            raw.try_send(HALF_A_HEAD)
        yield


async def test_other_clients_are_answered_during_a_flood_of_connections(systems: Systems) -> None:
    system = systems.start(max_connections=LIMIT)
    services = system.commands[0], system.projectors[0]
    async with (
        doors(system.settings, system.commands[0].url) as (door,),
        open_database(system.settings) as database,
    ):
        tenant = await new_tenant(door, database)
        with flooding(*services):
            assert all(port(service).process.num_fds() < LIMIT + 60 for service in services)
            for _ in range(COMMANDS):
                send = tenant.by(tenant.owner, "CREATE_PROJECT", name="Beside a flood")
                assert (await door.send(send)).status_code == 200
            for service in services:
                assert port(service).get("/readyz", seconds=1).status == 200
                assert service.metric("daybook_http_cut_total", reason="made_room") > 0


@pytest.mark.parametrize("role", ["commands", "projectors"])
def test_an_endless_head_is_not_buffered_by_either_service(shared: System, role: str) -> None:
    """Uses the shared system, because this does not damage it."""
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
        assert raw.ask("GET", "/livez", "x: " + "y" * 40_000).status == 431
    assert service.mib - before < 20
