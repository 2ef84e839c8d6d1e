"""At the limit on connections, some connections are closed, health checks still get an answer, and file descriptors are
kept in reserve. A stop closes connections that have been answered.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from daybook_infra.runtime.http.config import STOP_SECONDS
from daybook_infra.runtime.http.connections import Connections, Cut, HttpMetrics, network_of, order_of_closing
from daybook_infra.runtime.http.limits import HttpLimits, main_limits
from support.raw_http import Raw, Tiny, request, tiny_service
from support.variables import load_with, refusal_of

LIMIT = 64
FLOOD, BYSTANDER = "127.0.0.2", "127.0.0.1"


@pytest.fixture(scope="module")
def tiny() -> Iterator[Tiny]:
    with tiny_service(connections=LIMIT) as service:
        yield service


@contextmanager
def flooding(tiny: Tiny, number: int, data: bytes = b"") -> Iterator[list[Raw]]:
    with ExitStack() as closing:
        raws = [closing.enter_context(tiny.connect(source=FLOOD)) for _ in range(number)]
        for raw in raws:
            raw.try_send(data)
        yield raws


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b"GET /livez HTTP/1.1\r\nx: y", id="half a head"),
        pytest.param(request("POST", "/echo", "content-length: 10", body=b"1"), id="half a body"),
        pytest.param(request("GET", "/livez"), id="idle"),
    ],
)
def test_other_clients_are_answered_during_a_flood_of_connections(tiny: Tiny, data: bytes) -> None:
    closed_before = tiny.metric("daybook_http_cut_total", reason="made_room")
    with tiny.connect() as idle:
        assert idle.ask("GET", "/livez").status == 200
        with flooding(tiny, 5 * LIMIT, data):
            assert tiny.process.num_fds() < LIMIT + 30
            for _ in range(20):
                assert tiny.get("/echo", seconds=5).status == 200
            assert idle.ask("GET", "/livez").status == 200
            assert tiny.metric("daybook_http_cut_total", reason="made_room") - closed_before >= 4 * LIMIT


@dataclass(eq=False)
class Fake:
    """A connection that does nothing. While it has a request in progress, `waiting_since` is None."""

    network: str
    waiting_since: float | None
    dropped: Cut | None = None

    def check(self, now: float) -> None:
        pass

    def drop(self, reason: Cut) -> None:
        self.dropped = reason


def test_a_network_with_many_requests_in_progress_takes_no_room_from_a_smaller_one() -> None:
    connections = Connections(HttpLimits(connections=4), HttpMetrics(CollectorRegistry()))
    idle = Fake("bystander", 1.0)
    assert all(connections.admit(each, 2.0) for each in [idle, *(Fake("flood", None) for _ in range(3))])
    assert not connections.admit(Fake("flood", 3.0), 3.0)
    assert idle.dropped is None
    assert connections.admit(Fake("third", 3.0), 3.0)
    assert idle.dropped is Cut.MADE_ROOM


def test_after_a_refusal_the_next_newcomer_takes_its_room_from_the_largest_network() -> None:
    connections = Connections(HttpLimits(connections=4), HttpMetrics(CollectorRegistry()))
    idle, flood = Fake("bystander", 1.0), [Fake("flood", None) for _ in range(3)]
    assert all(connections.admit(each, 2.0) for each in [idle, *flood])
    assert not connections.admit(Fake("flood", 3.0), 3.0)
    for each in flood:
        each.waiting_since = 3.0
    assert connections.admit(Fake("bystander", 3.0), 3.0)
    assert idle.dropped is None


def test_the_longest_idle_connection_of_the_largest_network_is_closed_first() -> None:
    held = [Fake("a", 1.0), Fake("b", 5.0), Fake("b", 2.0), Fake("b", 3.0), Fake("c", None), Fake("c", 4.0)]
    assert [(each.network, each.waiting_since) for each in order_of_closing(held)] == [
        ("b", 2.0),
        ("b", 3.0),
        ("c", 4.0),
        ("a", 1.0),
        ("b", 5.0),
    ]


def test_connections_with_a_request_under_way_are_never_closed_for_others(tiny: Tiny) -> None:
    with flooding(tiny, LIMIT // 2, request("GET", "/slow?seconds=2")) as working, flooding(tiny, 3 * LIMIT):
        assert [raw.answer().status for raw in working] == [200] * (LIMIT // 2)


def test_when_all_connections_are_busy_only_health_is_answered(tiny: Tiny) -> None:
    with flooding(tiny, LIMIT - 4, request("GET", "/slow?seconds=3")) as working:
        time.sleep(0.3)
        answer = tiny.get("/echo", seconds=2)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert b'"code":"UNAVAILABLE"' in answer.body
        assert tiny.get("/livez", seconds=2).status == 200
        assert tiny.metric("daybook_http_cut_total", reason="overloaded") >= 1
        assert [raw.answer().status for raw in working] == [200] * (LIMIT - 4)
    assert tiny.get("/echo").status == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_addresses_in_one_ipv6_network_count_as_one(one: str, other: str, *, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


def limits_in_process(soft: int, hard: int, settings: str = "") -> str:
    """The limits on connections and descriptors in a process that starts with these descriptor limits; or its error."""
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.http.limits import main_limits
from daybook_infra.runtime.settings import Settings
try:
    print(main_limits(Settings({settings})).connections, resource.getrlimit(resource.RLIMIT_NOFILE))
except SettingsError as error:
    print(error)
"""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_the_soft_limit_is_raised_as_far_as_needed() -> None:
    assert limits_in_process(1_024, 20_000) == "4000 (4512, 20000)"
    assert limits_in_process(1_024, 20_000, "max_connections=9000") == "9000 (9512, 20000)"


def test_descriptors_are_reserved_for_kafka_and_postgres() -> None:
    assert limits_in_process(1_024, 1_024) == "512 (1024, 1024)"
    assert limits_in_process(1_024, 1_024, "admin_port=9000") == "192 (1024, 1024)"


def test_too_few_descriptors_are_an_error() -> None:
    expected = "DAYBOOK_MAX_CONNECTIONS: 1000 connections need 1512 descriptors, and this process may have 1024"
    assert limits_in_process(1_024, 1_024, "max_connections=1000").startswith(expected)
    assert limits_in_process(400, 400).startswith("this process may have 400 descriptors and needs 528")


def test_a_limit_so_low_that_every_request_would_be_overload_is_refused() -> None:
    assert refusal_of(DAYBOOK_MAX_CONNECTIONS="15").startswith("DAYBOOK_MAX_CONNECTIONS: ")
    settings = load_with(DAYBOOK_MAX_CONNECTIONS="16")
    connections = Connections(main_limits(settings), HttpMetrics(CollectorRegistry()))
    connections.requests_in_progress = 14
    assert not connections.overloaded


@pytest.mark.parametrize("lines", [(), ("connection: close",)], ids=["keep-alive", "close"])
def test_a_stop_does_not_wait_for_the_rest_of_an_answered_body(lines: tuple[str, ...]) -> None:
    with tiny_service() as stopping, stopping.connect() as raw:
        assert raw.ask("POST", "/unread", "content-length: 10", *lines, body=b"1").status == 401
        stopping.process.terminate()
        stopping.process.wait(STOP_SECONDS - 1)
