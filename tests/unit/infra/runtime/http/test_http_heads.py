"""Until the head of a request is complete, its sender gets little memory, CPU and time."""

import time
from collections.abc import Iterator

import pytest

from support.raw_http import MIB, Tiny, request, tiny_service

HEAD_SECONDS, IDLE_SECONDS = 1.0, 2.0
FIRST_LINE = b"GET /livez HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def tiny() -> Iterator[Tiny]:
    with tiny_service(head_seconds=HEAD_SECONDS, idle_seconds=IDLE_SECONDS, discard_seconds=1.0) as service:
        yield service


def test_an_endless_head_is_cut_off_early_and_uses_little_memory(tiny: Tiny) -> None:
    before = tiny.mib
    with tiny.connect() as raw:
        raw.send(FIRST_LINE)
        lines = b"".join(b"x-header-%06d: %s\r\n" % (number, b"y" * 82) for number in range(1_000))
        assert raw.send_until_cut(lines, most=500 * len(lines)) < 500 * len(lines)
    assert tiny.mib - before < 10


def test_an_endless_header_value_is_cut_off_early_and_uses_little_cpu(tiny: Tiny) -> None:
    cpu_before = sum(tiny.process.cpu_times()[:2])
    with tiny.connect(seconds=20) as raw:
        raw.send(FIRST_LINE + b"x: ")
        sent = raw.send_until_cut(b"y" * 65_536, most=32 * MIB)
    assert sent < 32 * MIB
    assert sum(tiny.process.cpu_times()[:2]) - cpu_before < 0.5


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /" + b"a" * 33_000 + b" HTTP/1.1\r\n\r\n", id="request line"),
        pytest.param(FIRST_LINE + b"x: " + b"y" * 33_000 + b"\r\n\r\n", id="one value"),
        pytest.param(FIRST_LINE + b"x" * 33_000 + b": y\r\n\r\n", id="one name"),
        pytest.param(FIRST_LINE + (b"a: " + b"b" * 400 + b"\r\n") * 91 + b"\r\n", id="many lines"),
        pytest.param(FIRST_LINE + b"x: y\r\n" * 101 + b"\r\n", id="101 short lines"),
    ],
)
def test_a_too_large_head_is_answered_with_431_and_the_connection_ends(tiny: Tiny, head: bytes) -> None:
    with tiny.connect() as raw:
        raw.send(head)
        answer = raw.answer()
        assert (answer.status, answer.headers["content-type"]) == (431, "application/problem+json")
        assert b'"code":"INVALID_COMMAND"' in answer.body
        assert answer.headers["connection"] == "close"
        assert raw.is_closed(3)


def test_a_head_just_below_the_limits_is_accepted(tiny: Tiny) -> None:
    lines = [f"x-{number}: {'y' * 310}" for number in range(99)]
    with tiny.connect() as raw:
        assert raw.ask("GET", "/livez", *lines).status == 200


def test_a_too_large_head_after_a_pipelined_request_ends_the_connection(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        raw.send(request("GET", "/slow?seconds=0.2") + request("GET", "/livez", "x: " + "y" * 33_000))
        assert raw.answer().status == 200
        with pytest.raises(ConnectionError):
            raw.answer()


def test_a_head_sent_byte_by_byte_is_answered_with_408_in_time(tiny: Tiny) -> None:
    started = time.monotonic()
    with tiny.connect() as raw:
        raw.socket.settimeout(0.05)
        answer = b""
        for byte in request("GET", "/livez", "x: " + "y" * 1_000):
            raw.send(bytes([byte]))
            try:
                answer += raw.socket.recv(65_536)
                break
            except TimeoutError:
                pass
    assert answer.startswith(b"HTTP/1.1 408 ")
    # All bytes of the head take 50 s.
    assert HEAD_SECONDS < time.monotonic() - started < HEAD_SECONDS + 10


def test_a_silent_connection_is_closed(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        assert raw.is_closed(HEAD_SECONDS + 2)


def test_empty_lines_do_not_keep_a_connection_open(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        for _ in range(30):
            if raw.is_closed(0.1):
                return
            raw.send(b"\r\n")
    pytest.fail("the connection is still open")


def test_an_idle_connection_is_closed_after_the_idle_time(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        assert raw.ask("GET", "/livez").status == 200
        assert not raw.is_closed(IDLE_SECONDS - 0.5)
        assert raw.is_closed(2)


def test_the_head_of_a_second_request_has_the_same_time_limit(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        assert raw.ask("GET", "/livez").status == 200
        raw.send(FIRST_LINE)
        assert raw.answer().status == 408
        assert raw.is_closed(3)


@pytest.mark.parametrize(
    "bad",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET livez HTTP/1.1\r\n\r\n",
        b"CONNECT host:443 HTTP/1.1\r\n\r\n",
        FIRST_LINE + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n",
    ],
)
def test_a_malformed_or_unsupported_request_is_answered_with_400(tiny: Tiny, bad: bytes) -> None:
    with tiny.connect() as raw:
        raw.send(bad)
        answer = raw.answer()
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert raw.is_closed(3)


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_upgrade_is_ignored_and_the_connection_ends(tiny: Tiny, protocol: str) -> None:
    with tiny.connect() as raw:
        answer = raw.ask("GET", "/livez", f"upgrade: {protocol}", "connection: upgrade", "sec-websocket-key: x")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert raw.is_closed(3)


def test_an_http_1_0_request_is_answered_and_the_connection_ends(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        raw.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert raw.answer().status == 200
        assert raw.is_closed(3)
