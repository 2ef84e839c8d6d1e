"""HTTP after a request's head: bodies, chunks, trailers, pipelined requests, and clients that do not read answers."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.raw_http import MIB, Tiny, request, tiny_service

BODY_SECONDS, ANSWER_SECONDS, DISCARD_SECONDS = 1.5, 2.0, 1.0
CHUNKED = "transfer-encoding: chunked"
# As java.net.http.HttpClient and `curl --http2` send it.
UPGRADE = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA")


@pytest.fixture(scope="module")
def tiny() -> Iterator[Tiny]:
    with tiny_service(
        body_seconds=BODY_SECONDS,
        idle_seconds=2.0,
        answer_seconds=ANSWER_SECONDS,
        discard_seconds=DISCARD_SECONDS,
        discard_bytes=3 * MIB,
    ) as service:
        yield service


@pytest.fixture(scope="module")
def patient() -> Iterator[Tiny]:
    """A service with the usual limits."""
    with tiny_service() as service:
        yield service


@pytest.mark.parametrize("size", [0, 1, 32_768, 300_000, 4 * MIB])
def test_a_body_is_received_completely(tiny: Tiny, size: int) -> None:
    with tiny.connect() as raw:
        for _ in range(2):
            assert raw.ask("POST", "/echo", f"content-length: {size}", body=bytes(size)).body.startswith(b"%d " % size)


@pytest.mark.parametrize("chunk", [10, 1_000, 200_000])
def test_a_chunked_body_is_received_completely(tiny: Tiny, chunk: int) -> None:
    pieces = 1_000_000 // chunk
    body = (b"%x\r\n" % chunk + bytes(chunk) + b"\r\n") * pieces + b"0\r\n\r\n"
    with tiny.connect() as raw:
        assert raw.ask("POST", "/echo", CHUNKED, body=body).body.startswith(b"1000000 ")


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        pytest.param(b"4;", b"x" * 65_536, id="an extension without end"),
        pytest.param(b"0\r\nx: ", b"y" * 65_536, id="a trailer without end"),
        pytest.param(b"0\r\n", b"x: y\r\n" * 10_000, id="trailers without end"),
        pytest.param(b"", b"1\r\nx\r\n" * 10_000, id="chunks of one byte"),
        pytest.param(b"", b"1;" + b"e" * 1_000 + b"\r\nx\r\n", id="chunks with extensions"),
    ],
)
def test_the_framing_of_a_chunked_body_is_bounded(tiny: Tiny, first: bytes, rest: bytes) -> None:
    before, limit = tiny.mib, 32 * MIB
    with tiny.connect(seconds=3) as raw:
        raw.send(request("POST", "/echo", CHUNKED, body=first))
        assert raw.send_until_cut(rest, most=limit) < limit
    assert tiny.mib - before < 4


def test_expect_100_continue_is_answered(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        assert raw.ask("POST", "/echo", "content-length: 5", "expect: 100-continue").status == 100
        raw.send(b"hello")
        assert raw.answer().body.startswith(b"5 ")


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        pytest.param("content-length: 5", b"hello", id="five bytes"),
        pytest.param("content-length: 300000", bytes(300_000), id="many bytes"),
        pytest.param("content-length: 0", b"", id="no bytes"),
        pytest.param(CHUNKED, b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nauthorization: me\r\n\r\n", id="chunks"),
    ],
)
@pytest.mark.parametrize("lines", [(), ("expect: 100-continue",)], ids=["with the head", "after the head"])
def test_the_body_of_a_request_that_offers_an_upgrade_is_received(
    tiny: Tiny, framing: str, body: bytes, lines: tuple[str, ...]
) -> None:
    size = len(body) if framing.startswith("content-length") else 5
    with tiny.connect() as raw:
        head = request("POST", "/echo", framing, *UPGRADE, *lines)
        if lines:
            raw.send(head)
            assert raw.answer().status == 100
            raw.send(body[:2])
            raw.send(body[2:])
        else:
            raw.send(head + body)
        answer = raw.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert answer.body.startswith(b"%d [" % size)
        assert b"authorization" not in answer.body
        assert raw.is_closed(3)


def test_an_upgrade_may_be_offered_after_another_request(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        raw.send(request("GET", "/slow?seconds=0.2"))
        raw.send(request("POST", "/echo", "content-length: 5", *UPGRADE, body=b"hello"))
        assert raw.answer().body == b"at last"
        assert raw.answer().body.startswith(b"5 [")
        assert raw.is_closed(3)


@pytest.mark.parametrize("path", ["/echo", "/unread", "/slow?seconds=0.2"])
def test_bytes_after_a_request_that_offers_an_upgrade_are_dropped(tiny: Tiny, path: str) -> None:
    with tiny.connect() as raw:
        method = "GET" if path.startswith("/slow") else "POST"
        offer = request(method, path, "content-length: 5", *UPGRADE, body=b"hello")
        raw.send(offer + request("GET", "/livez") + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert raw.answer().status in (200, 401)
        with pytest.raises(ConnectionError):
            raw.answer()


@pytest.mark.parametrize(
    ("framing", "body"),
    [("transfer-encoding: gzip", b""), (CHUNKED, b"no chunk\r\n"), (CHUNKED, b"1;" + b"e" * 70_000)],
    ids=["unknown coding", "no chunk", "an extension without end"],
)
def test_a_malformed_body_after_the_offer_of_an_upgrade_is_refused(tiny: Tiny, framing: str, body: bytes) -> None:
    with tiny.connect() as raw:
        raw.send(request("POST", "/echo", framing, *UPGRADE, body=body))
        assert raw.answer().status == 400
        assert raw.is_closed(3)


def test_trailers_do_not_become_headers(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        answer = raw.ask("POST", "/echo", CHUNKED, body=b"1\r\nx\r\n0\r\nauthorization: me\r\n\r\n")
        assert answer.body == b"1 ['host', 'transfer-encoding']"


def test_an_incomplete_body_ends_the_connection(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        raw.send(request("POST", "/echo", "content-length: 10", body=b"12345"))
        assert raw.is_closed(BODY_SECONDS + 2)


def test_an_unread_body_is_discarded_and_the_connection_stays_open(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        for _ in range(5):
            assert raw.ask("POST", "/unread", f"content-length: {2 * MIB}", body=bytes(2 * MIB)).status == 401
        assert raw.ask("GET", "/livez").status == 200


@pytest.mark.parametrize("lines", [(), ("connection: close",)], ids=["keep-alive", "close"])
def test_an_endless_unread_body_ends_the_connection(tiny: Tiny, lines: tuple[str, ...]) -> None:
    with tiny.connect() as raw:
        assert raw.ask("POST", "/unread", CHUNKED, *lines).status == 401
        assert raw.send_until_cut(b"8000\r\n" + bytes(32_768) + b"\r\n", most=64 * MIB) < 64 * MIB


def test_an_incomplete_body_after_the_answer_ends_the_connection(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        assert raw.ask("POST", "/unread", "content-length: 10", body=b"1").status == 401
        assert raw.is_closed(DISCARD_SECONDS + 2)


@pytest.mark.parametrize("lines", [("connection: close",), UPGRADE], ids=["close", "upgrade"])
def test_a_closing_connection_discards_the_rest_of_its_body(patient: Tiny, lines: tuple[str, ...]) -> None:
    with patient.connect() as raw:
        assert raw.ask("POST", "/unread", f"content-length: {4 * MIB}", *lines, body=b"1").status == 401
        assert raw.socket.recv(1) == b""
        raw.send(bytes(4 * MIB))  # raises ConnectionError if the server resets the connection


def test_an_http_1_0_client_is_answered_before_it_has_sent_its_body(patient: Tiny) -> None:
    with patient.connect() as raw:
        raw.send(b"POST /unread HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % (4 * MIB))
        assert raw.answer().status == 401
        raw.send(bytes(4 * MIB))
        assert raw.socket.recv(1) == b""


def test_a_closing_connection_whose_body_stays_incomplete_is_closed(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        assert raw.ask("POST", "/unread", "content-length: 1000", "connection: close", body=b"1").status == 401
        assert raw.socket.recv(1) == b""
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            raw.send_slowly(b"1", 150)


def test_a_few_pipelined_requests_are_answered_in_order(tiny: Tiny) -> None:
    with tiny.connect() as raw:
        paths = ["/slow?seconds=0.1", *(f"/echo?{number}" for number in range(5)), "/slow?seconds=0.1"]
        raw.send(b"".join(request("GET", path) for path in paths))
        assert [raw.answer().body[:3] for _ in paths] == [b"at ", *[b"0 ["] * 5, b"at "]


def test_very_many_pipelined_requests_are_not_buffered(tiny: Tiny) -> None:
    before, limit = tiny.mib, 8 * MIB
    with tiny.connect(seconds=1) as raw:
        raw.send(request("GET", "/slow?seconds=3"))
        raw.send_until_cut(b"GET /livez HTTP/1.1\r\n\r\n" * 2_000, most=limit)
        assert tiny.mib - before < 4
        raw.socket.settimeout(5)
        answered = 0
        try:
            while raw.answer().status == 200:
                answered += 1
        except OSError:
            pass
        assert answered <= 10


@pytest.mark.parametrize("lines", [(), ("connection: close",)], ids=["keep-alive", "close"])
@pytest.mark.parametrize("path", ["/big", "/stream"])
def test_a_connection_that_does_not_read_its_answer_is_closed(tiny: Tiny, path: str, lines: tuple[str, ...]) -> None:
    others = tiny.connections()
    with ExitStack() as closing:
        for _ in range(5):
            raw = closing.enter_context(tiny.connect(receive_buffer=4_096))
            raw.send(request("GET", path, *lines))
        assert reaches(tiny, others + 5, 2)
        assert reaches(tiny, others, ANSWER_SECONDS + 3)


def test_a_slow_but_steady_reader_gets_the_whole_answer(tiny: Tiny) -> None:
    with tiny.connect(receive_buffer=65_536) as raw:
        raw.send(request("GET", "/stream", "connection: close"))
        received, started = 0, time.monotonic()
        while data := raw.socket.recv(65_536):
            received += len(data)
            time.sleep(0.01)
        assert received > 16 * MIB
        assert time.monotonic() - started > ANSWER_SECONDS


def reaches(tiny: Tiny, connections: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while tiny.connections() != connections:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
