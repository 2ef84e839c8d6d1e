"""A cheap HTTP load generator, in a process of its own: requests in, latencies and statuses out. Requests are
ready-made bytes, and answers are only split by their length, so the generator costs less than any server under test.

`run` starts it. Without a `rate`, each of the `connections` sends its next request when it has an answer (closed loop,
for throughput). With a `rate`, this many requests a second are sent at fixed times, whatever the answers (open loop,
for latencies, which are then measured from the planned time).
"""

import asyncio
import json
import pickle
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from bench.measuring.comparison import Done

MOST_CONNECTIONS = 1000
WAIT_SECONDS = 120
LENGTH = b"content-length:"
UNDECIDED = ("202", "429", "500", "503")
"""Statuses of requests that were not decided, or not yet."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`requests` are the bytes of whole requests. `connections` is ignored if a `rate` is given."""

    url: str
    requests: Sequence[bytes]
    connections: int = 1
    rate: float = 0.0


def request(path: str, body: bytes, authorization: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: {authorization}\r\n"
    )
    return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def run(plan: Plan, items_in_each: int = 1, *, may_refuse: bool = False) -> Done:
    """Runs a generator process. The values are latencies in seconds, the number of answers of each status, and `began`,
    on the clock of `time.perf_counter`, which Linux shares between processes. The items are those of decided requests.
    Raises AssertionError if there are others, unless the server `may_refuse` them.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(pickle.dumps((plan.url, list(plan.requests), plan.connections, plan.rate)))
        file.flush()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.measuring.http_load",
            file.name,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the generator failed with {process.returncode}")
    found: dict[str, Any] = json.loads(out)
    undecided = sum(found.get(status, 0) for status in UNDECIDED)
    assert may_refuse or undecided == 0, found
    return Done((len(plan.requests) - undecided) * items_in_each, found.pop("seconds"), found)


@dataclass(slots=True)
class Load:
    """What all connections share."""

    requests: Iterator[bytes]
    unanswered: int
    finished: asyncio.Event
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    idle: "deque[Connection]" = field(default_factory=deque)
    due: "deque[tuple[float, bytes]]" = field(default_factory=deque)
    open_loop: bool = False

    def answered(self, connection: "Connection", seconds: float, status: bytes) -> None:
        self.latencies.append(seconds)
        self.statuses[status.decode()] += 1
        self.unanswered -= 1
        if self.unanswered == 0:
            self.finished.set()
        if not self.open_loop:
            self.send_next(connection)
        elif self.due:
            connection.send(*self.due.popleft())
        else:
            self.idle.append(connection)

    def send_next(self, connection: "Connection") -> None:
        following = next(self.requests, None)
        if following is not None:
            connection.send(time.perf_counter(), following)

    def arrive(self, planned: float, following: bytes) -> None:
        if self.idle:
            self.idle.popleft().send(planned, following)
        else:
            self.due.append((planned, following))


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self._load, self._buffer, self._began = load, b"", 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._load.finished.is_set():
            self._load.statuses["lost"] += 1
            self._load.finished.set()

    def send(self, began: float, whole: bytes) -> None:
        assert self._transport is not None
        self._began = began
        self._transport.write(whole)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._buffer.lower().index(LENGTH, 0, head) + len(LENGTH)
        length = int(self._buffer[at : self._buffer.index(b"\r\n", at)])
        if len(self._buffer) >= head + 4 + length:
            status, self._buffer = self._buffer[9:12], b""
            self._load.answered(self, time.perf_counter() - self._began, status)


async def drive(url: str, requests: list[bytes], connections: int, rate: float) -> dict[str, Any]:
    load = Load(iter(requests), len(requests), asyncio.Event(), open_loop=rate > 0)
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    # The server closes a connection that sends no request within 10 s. In an open loop, each one sends within 5 s.
    count = min(MOST_CONNECTIONS, int(5 * rate)) if rate > 0 else connections
    made = [
        (await loop.create_connection(lambda: Connection(load), address.hostname or "", address.port or 80))[1]
        for _ in range(min(count, len(requests)))
    ]
    began = time.perf_counter()
    if rate > 0:
        load.idle.extend(made)
        await arrivals(load, requests, rate)
    else:
        for connection in made:
            load.send_next(connection)
    await asyncio.wait_for(load.finished.wait(), WAIT_SECONDS)
    seconds = time.perf_counter() - began
    assert "lost" not in load.statuses, "the server has closed a connection"
    return {"seconds": seconds, "began": began, **summary(load.latencies), **load.statuses}


async def arrivals(load: Load, requests: Sequence[bytes], rate: float) -> None:
    began = time.perf_counter()
    for number, following in enumerate(requests):
        planned = began + number / rate
        if (early := planned - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        load.arrive(planned, following)


def summary(latencies: list[float]) -> dict[str, float]:
    cuts = quantiles(latencies * 2, n=100, method="inclusive")  # twice, because `quantiles` needs two values
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(latencies)}


def main() -> None:
    with Path(sys.argv[1]).open("rb") as file:
        plan = pickle.load(file)  # noqa: S301 - written by `run`
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(drive(*plan))))


if __name__ == "__main__":
    main()
