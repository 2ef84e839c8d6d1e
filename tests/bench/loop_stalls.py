"""Prints how long hostile bodies block the event loop of the HTTP API, compared with valid bodies of the same size.

`python tests/bench/loop_stalls.py [--rounds 3]`. It measures the CPU time of the loop's thread between two turns of the
loop, so that other load does not matter. The best round of each body counts. The targets are in docs/commands.md.
"""

import argparse
import asyncio
import gc
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import orjson

from daybook_client.kafka.command_publisher import CommandToSend, Fate, Receipt
from daybook_client.kafka.replies import Replies
from daybook_contracts.results import encode_record
from daybook_contracts.topics import CORRELATION_ID
from support.door_doubles import DoorAlone, accepted, rename
from support.hostile_bodies import batches, envelopes, valid_batch, valid_envelope

CHUNK = 64 * 1024
MAX_RATIO = 10.0
MAX_STALL = 0.020
REPLY = encode_record(accepted(rename()))
Message = MutableMapping[str, Any]


@dataclass(slots=True)
class AnsweringKafka:
    """A stand-in for Kafka that acknowledges and answers every record, 20 in each turn of the loop."""

    replies: Replies

    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[list[Receipt]]:
        for number, record in enumerate(records):
            if number % 20 == 0:
                await asyncio.sleep(0)
            self.replies.resolve(dict(record.headers)[CORRELATION_ID].decode(), REPLY)
        receipts = asyncio.get_running_loop().create_future()
        receipts.set_result([Receipt(Fate.PUBLISHED)] * count)
        return receipts


@dataclass(frozen=True, slots=True)
class Measurement:
    status: int
    stall: float
    total: float


class Ticker:
    """Runs in every turn of the loop and keeps the longest time between two turns, in seconds of CPU time."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._on = True

    async def run(self) -> None:
        before = time.thread_time()
        while self._on:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - before)
            before = now

    def stop(self) -> None:
        self._on = False


async def post(door: DoorAlone, path: str, body: bytes) -> int:
    """Posts a body and returns the status. It calls the app directly, so that the work of an HTTP client is not
    measured.
    """
    chunks = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
    status = 0

    async def receive() -> Message:
        await asyncio.sleep(0)
        if not chunks:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = [(b"authorization", door.bearer()["Authorization"].encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    app: Callable[..., Awaitable[None]] = door.app
    await app(scope | {"http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
    return status


async def measure_once(path: str, body: bytes) -> Measurement:
    door = DoorAlone(publishing=AnsweringKafka, rate=1e9, burst=1e9)
    await post(door, "/v1/commands", orjson.dumps(rename()))
    gc.collect()
    ticker = Ticker()
    ticking = asyncio.create_task(ticker.run())
    await asyncio.sleep(0)
    started = time.thread_time()
    status = await post(door, path, body)
    total = time.thread_time() - started
    ticker.stop()
    await ticking
    return Measurement(status, ticker.longest, total)


async def best(path: str, body: bytes, rounds: int) -> Measurement:
    measured = [await measure_once(path, body) for _ in range(rounds)]
    return Measurement(measured[0].status, min(each.stall for each in measured), min(each.total for each in measured))


async def measure(rounds: int) -> bool:
    line = "{:>38} {:>9} {:>6} {:>10} {:>10} {:>7} {:>10} {:>10} {:>7}\n"
    names = ("body", "bytes", "status", "stall ms", "valid", "ratio", "total ms", "valid", "ratio")
    sys.stdout.write(line.format(*names))
    good = True
    corpora = (("/v1/commands", envelopes, valid_envelope), ("/v1/commands:batch", batches, valid_batch))
    for path, hostile, valid in corpora:
        sys.stdout.write(f"{path}\n")
        for name, body in hostile():
            bad, twin = await best(path, body, rounds), await best(path, valid(len(body)), rounds)
            assert twin.status == 200, f"the valid body for {name} is answered with {twin.status}"
            stall, total = bad.stall / twin.stall, bad.total / twin.total
            over = stall > MAX_RATIO or total > MAX_RATIO or bad.stall > MAX_STALL
            good = good and not over
            figures = (f"{bad.stall * 1e3:.2f}", f"{twin.stall * 1e3:.2f}", f"{stall:.2f}")
            totals = (f"{bad.total * 1e3:.2f}", f"{twin.total * 1e3:.2f}", f"{total:.2f}{'  OVER' if over else ''}")
            sys.stdout.write(line.format(name, len(body), bad.status, *figures, *totals))
            sys.stdout.flush()
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    good = asyncio.run(measure(args.rounds))
    sys.stdout.write("all within the targets\n" if good else "some are OVER a target\n")


if __name__ == "__main__":
    main()
