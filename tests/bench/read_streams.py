"""Prints how soon entries are on live streams: `python tests/bench/read_streams.py [--readers N] [--seconds N]`. Half
of the readers follow one org, the others an org each, and one reader of the first org stops reading. The time of an
entry starts when its transaction has been committed. It asserts nothing.
"""

import argparse
import asyncio
import os
import re
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import rss, say
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from support import projecting
from support.driving import fresh_id
from support.planted_rows import plant
from support.processes import Service, free_port, launch
from support.publisher import token
from support.read_scene import ReadOrg, append, set_checkpoint
from support.stack import Fresh, servers

MIB = 1024 * 1024
# Entries are small, so that one is seldom split between two reads.
EVENT_ID = re.compile(rb"^id: 0\.([0-9]+)\n", re.MULTILINE)


class Reader(asyncio.Protocol):
    """Notes when events arrive. It does little else, because one process plays all readers."""

    def __init__(self, org: ReadOrg, request: bytes) -> None:
        self.org = org
        self.seen: dict[int, float] = {}
        self.is_open = asyncio.Event()
        self._request = request
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        for number in EVENT_ID.findall(data):
            self.seen.setdefault(int(number), now)
        self.is_open.set()

    def stop_reading(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=30)
    args = parser.parse_args()
    with servers(Settings()) as found:
        fresh = Fresh(found)
        settings = fresh(partitions=1)
        service = launch(settings, "projector", Path(os.devnull), free_port())
        try:
            service.wait_ready()
            asyncio.run(run(settings, service, args.readers, args.seconds))
        finally:
            service.stop()
            fresh.drop()


async def run(settings: Settings, service: Service, count: int, seconds: int) -> None:
    orgs = [ReadOrg() for _ in range(count // 2 + 1)]
    async with projecting.database(settings) as pool, AsyncExitStack() as closing:
        await fill(pool, orgs, count)
        before = rss(service.process.pid)
        chosen = [orgs[0]] * (count - count // 2) + orgs[1:]
        readers = [await follow(settings, service, org, closing) for org in chosen]
        say(f"{len(readers)} streams are open; each takes {(rss(service.process.pid) - before) / count / 1024:.0f} KiB")
        readers[0].stop_reading()
        process = psutil.Process(service.process.pid)
        busy = sum(process.cpu_times()[:2])
        committed = await write(pool, orgs, seconds)
        await asyncio.sleep(2)
        busy = sum(process.cpu_times()[:2]) - busy
        report(readers[1:], committed)
        ticks = service.metric("daybook_read_stream_tick_seconds_count")
        tick = service.metric("daybook_read_stream_tick_seconds_sum") / ticks
        say(f"{ticks:.0f} ticks took {tick * 1e3:.1f} ms each on average")
        say(f"the instance used {busy / seconds * 100:.0f} % of a core")
        say(f"memory: {rss(service.process.pid) / MIB:.0f} MiB; {before / MIB:.0f} MiB without streams")


async def fill(pool: Pool, orgs: list[ReadOrg], count: int) -> None:
    """Each reader of the first org is a different admin, so that the rights of each must be looked up."""
    for at, org in enumerate(orgs):
        owners = [fresh_id() for _ in range(count if at == 0 else 0)]
        rows = org.rows(1)
        rows["auth.users"] += [(user, "now") for user in owners]
        rows["org_members"] += [(org.org_id, user, "admin", "now") for user in owners]
        rows["audit_log"] = rows["audit_log"][:1]
        await plant(pool, {name: rows[name] for name in ("auth.users", "orgs", "org_members", "audit_log")})
        ADMINS[org.org_id] = owners or [org.owner]
    await set_checkpoint(pool, 0, 100)


ADMINS: dict[str, list[str]] = {}


async def follow(settings: Settings, service: Service, org: ReadOrg, closing: AsyncExitStack) -> Reader:
    host, _, port = service.url.removeprefix("http://").partition(":")
    bearer = token(settings, f"user:{ADMINS[org.org_id].pop()}")
    lines = (f"GET {org.path}/audit-log/stream HTTP/1.1", "Host: x", f"Authorization: Bearer {bearer}", "", "")
    request = "\r\n".join(lines).encode()
    transport, reader = await asyncio.get_running_loop().create_connection(
        lambda: Reader(org, request), host, int(port)
    )
    closing.callback(transport.close)
    await reader.is_open.wait()
    return reader


async def write(pool: Pool, orgs: list[ReadOrg], seconds: int) -> dict[int, tuple[ReadOrg, float]]:
    """Writes twenty entries a second, half of them for the org that many follow. Returns the org and the commit time of
    each entry, by position.
    """
    committed = {}
    started, position = time.monotonic(), 100
    while time.monotonic() - started < seconds:
        position += 1
        org = orgs[0] if position % 2 else orgs[1 + position // 2 % (len(orgs) - 1)]
        await append(pool, org, [position])
        committed[position] = org, time.monotonic()
        await asyncio.sleep(0.05)
    return committed


def report(readers: list[Reader], committed: dict[int, tuple[ReadOrg, float]]) -> None:
    late, missing = [], 0
    for reader in readers:
        for position, (org, at) in committed.items():
            if org is reader.org and position in reader.seen:
                late.append(reader.seen[position] - at)
            elif org is reader.org:
                missing += 1
    cuts = quantiles(late, n=100, method="inclusive")
    say(f"{len(committed)} entries, {len(late)} arrivals, {missing} missing")
    say(
        f"from commit to arrival: p50 {cuts[49] * 1e3:.0f} ms, p95 {cuts[94] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
