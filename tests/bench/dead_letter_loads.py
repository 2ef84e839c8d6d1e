"""Measures operations on connections with few and with many dead letters, and prints their cost. The compared
operations alternate, so that other load on the machine affects both.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from bench.bench_org import BenchOrg, new_org
from bench.figures import Timings, rss, say, say_both

BULK = 1000
BATCH = 500
RETRIES, RESOLVES = 20, 20
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sizes:
    rows: int
    commands: int

    @property
    def middle(self) -> int:
        """The number of dead letters of the middle connection: enough for all bulk commands."""
        return (RETRIES + RESOLVES) * BULK

    @property
    def unretried(self) -> int:
        return RETRIES * BULK

    @property
    def program(self) -> int:
        """The number of dead letters for `daybook dlq`, and for the bulk commands of the memory test."""
        return self.rows // 10

    @property
    def touched(self) -> int:
        return self.rows // 100


async def singles(org: BenchOrg, few: str, many: str, sizes: Sizes) -> None:
    """Times single commands. Each round records a dead letter on each connection, retries one, and resolves another."""
    known = {few: deque(await org.planted_ids(few, 10)), many: deque(await org.planted_ids(many, sizes.commands + 10))}
    spent = {(id_, kind): Timings() for id_ in known for kind in ("RECORD", "RETRY", "RESOLVE")}
    for _ in range(sizes.commands):
        for id_, letters in known.items():
            recorded = org.create("RECORD_DLQ_EVENT", connection_id=id_, payload={"event": "x"})
            letters.append(await spent[id_, "RECORD"].of(recorded))
        for id_, letters in known.items():
            await spent[id_, "RETRY"].of(org.send("RETRY_DLQ_EVENT", dlq_event_id=letters[1]))
        for id_, letters in known.items():
            ended = org.send("RESOLVE_DLQ_EVENT", dlq_event_id=letters.popleft(), resolution="manual")
            await spent[id_, "RESOLVE"].of(ended)
    for kind in ("RECORD", "RETRY", "RESOLVE"):
        say_both(f"{kind}_DLQ_EVENT", spent[few, kind], spent[many, kind])


async def bulks(org: BenchOrg, middle: str, many: str, sizes: Sizes) -> None:
    """Times bulk commands. Retries match only the few dead letters that were never retried. Each command is projected
    before the next one is sent.
    """
    unretried: dict[str, Any] = {"filter": {"max_retry_count": 0}}
    every: dict[str, Any] = {"filter": {}, "resolution": "manual"}
    for kind, data, rounds in (("RETRY", unretried, RETRIES), ("RESOLVE", every, RESOLVES)):
        spent = {middle: Timings(), many: Timings()}
        for _ in range(rounds):
            for id_, timings in spent.items():
                answer = await timings.of(org.send(f"{kind}_DLQ_EVENTS", connection_id=id_, **data))
                await org.wait_until_projected(answer["position"])
        say_both(f"{kind}_DLQ_EVENTS {data['filter']}", spent[middle], spent[many])


async def programs(org: BenchOrg, connection_id: str, sizes: Sizes) -> None:
    for kind in (("retry",), ("resolve", "--resolution", "discarded")):
        start = time.perf_counter()
        output = await org.daybook("dlq", *kind, "--connection", connection_id)
        rate = sizes.program / (time.perf_counter() - start)
        say(f"{f'daybook dlq {kind[0]}':<48} {rate:8.0f} dead letters a second   ({output})")


async def memory(org: BenchOrg, many: str, sizes: Sizes) -> None:
    """Measures memory. It does everything twice, because the first time includes growth of the process itself."""
    letters = await org.planted_ids(many, 2 * sizes.touched)
    await org.settle()
    before = rss(org.command_pid)
    say(f"{'memory of the command service':<48} {before / MIB:8.1f} MiB")
    for half in (letters[: sizes.touched], letters[sizes.touched :]):
        await _retry(org, half)
        before = await _report_growth(org, f"after {len(half)} by RETRY_DLQ_EVENT", before, len(half))
    for _ in range(2):
        for _ in range(sizes.program // BULK):
            await org.send("RESOLVE_DLQ_EVENTS", connection_id=many, filter={}, resolution="manual")
        before = await _report_growth(org, f"after {sizes.program} by RESOLVE_DLQ_EVENTS", before, sizes.program)


async def _retry(org: BenchOrg, letters: list[str]) -> None:
    for start in range(0, len(letters), BATCH):
        chunk = letters[start : start + BATCH]
        await org.send_many([org.envelope("RETRY_DLQ_EVENT", dlq_event_id=id_) for id_ in chunk])


async def _report_growth(org: BenchOrg, name: str, before: int, touched: int) -> int:
    await org.settle()
    now = rss(org.command_pid)
    say(f"{name:<48} {now / MIB:8.1f} MiB   {(now - before) / touched:+.0f} bytes for each")
    return now


async def deletion(org: BenchOrg, many: str) -> None:
    """Deletes the connection with its remaining dead letters, and times commands of two other orgs at the same time."""
    left = await org.database.fetchval("SELECT count(*) FROM dlq_events WHERE connection_id = $1", many)
    async with new_org(org.system, beside=org) as near, new_org(org.system, beside=org, same_partition=False) as far:
        answer_times, table_times = Timings(), Timings()
        answer = await answer_times.of(org.send("DELETE_CONNECTION", connection_id=many))
        deleting = asyncio.create_task(table_times.of(org.wait_until_projected(answer["position"])))
        others = [asyncio.create_task(_watch(each, deleting)) for each in (near, far)]
        await deleting
        say(f"{f'DELETE_CONNECTION of {left}: answered':<48} {answer_times.p50 * 1e3:8.2f} ms")
        say(f"{'DELETE_CONNECTION: in the tables':<48} {table_times.p50 * 1e3:8.2f} ms")
        for name, other in zip(("its partition", "another partition"), others, strict=True):
            decided, in_tables = await other
            line = f"{decided.p50 * 1e3:8.2f} ms, in the tables {max(in_tables.seconds) * 1e3:8.2f} ms at worst"
            say(f"{f'  meanwhile RENAME_ORG in {name}':<48} {line}")


async def _watch(other: BenchOrg, deleting: asyncio.Task[None]) -> tuple[Timings, Timings]:
    decided, in_tables = Timings(), Timings()
    while not deleting.done():
        answer = await decided.of(other.send("RENAME_ORG", name=f"Org {len(decided.seconds)}"))
        await in_tables.of(other.wait_until_projected(answer["position"]))
    return decided, in_tables
