"""What is done to connections with few and with many dead letters, and what it cost, as printed lines.
What is compared takes turns, so that whatever else the machine does meets both.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from bench.figures import Timings, rss, say, say_both
from bench.scene import Scene, scene

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
        """Enough for all bulk commands."""
        return (RETRIES + RESOLVES) * BULK

    @property
    def unretried(self) -> int:
        return RETRIES * BULK

    @property
    def program(self) -> int:
        """How many are worked off by `daybook dlq`, and how many by bulk commands for the memory."""
        return self.rows // 10

    @property
    def touched(self) -> int:
        return self.rows // 100


async def singles(here: Scene, few: str, many: str, sizes: Sizes) -> None:
    """Each round records one on each connection, retries another, and resolves the one that is longest known."""
    known = {few: deque(await here.planted(few, 10)), many: deque(await here.planted(many, sizes.commands + 10))}
    spent = {(id_, kind): Timings() for id_ in known for kind in ("RECORD", "RETRY", "RESOLVE")}
    for _ in range(sizes.commands):
        for id_, letters in known.items():
            recorded = here.made("RECORD_DLQ_EVENT", connection_id=id_, payload={"event": "x"})
            letters.append(await spent[id_, "RECORD"].of(recorded))
        for id_, letters in known.items():
            await spent[id_, "RETRY"].of(here.send("RETRY_DLQ_EVENT", dlq_event_id=letters[1]))
        for id_, letters in known.items():
            ended = here.send("RESOLVE_DLQ_EVENT", dlq_event_id=letters.popleft(), resolution="manual")
            await spent[id_, "RESOLVE"].of(ended)
    for kind in ("RECORD", "RETRY", "RESOLVE"):
        say_both(f"{kind}_DLQ_EVENT", spent[few, kind], spent[many, kind])


async def bulks(here: Scene, middle: str, many: str, sizes: Sizes) -> None:
    """The retries choose by retry_count, which of the many few have. The tables catch up before each command."""
    unretried: dict[str, Any] = {"filter": {"max_retry_count": 0}}
    every: dict[str, Any] = {"filter": {}, "resolution": "manual"}
    for kind, data, rounds in (("RETRY", unretried, RETRIES), ("RESOLVE", every, RESOLVES)):
        spent = {middle: Timings(), many: Timings()}
        for _ in range(rounds):
            for id_, timings in spent.items():
                answer = await timings.of(here.send(f"{kind}_DLQ_EVENTS", connection_id=id_, **data))
                await here.projected(answer["position"])
        say_both(f"{kind}_DLQ_EVENTS {data['filter']}", spent[middle], spent[many])


async def programs(here: Scene, connection_id: str, sizes: Sizes) -> None:
    for kind in (("retry",), ("resolve", "--resolution", "discarded")):
        start = time.perf_counter()
        said = await here.daybook("dlq", *kind, "--connection", connection_id)
        rate = sizes.program / (time.perf_counter() - start)
        say(f"{f'daybook dlq {kind[0]}':<48} {rate:8.0f} dead letters a second   ({said})")


async def memory(here: Scene, many: str, sizes: Sizes) -> None:
    """Everything twice: what the first time costs is the process's own growth too."""
    letters = await here.planted(many, 2 * sizes.touched)
    await here.settled()
    before = rss(here.command_pid)
    say(f"{'memory of the command service':<48} {before / MIB:8.1f} MiB")
    for half in (letters[: sizes.touched], letters[sizes.touched :]):
        await _retry(here, half)
        before = await _say_growth(here, f"after {len(half)} by RETRY_DLQ_EVENT", before, len(half))
    for _ in range(2):
        for _ in range(sizes.program // BULK):
            await here.send("RESOLVE_DLQ_EVENTS", connection_id=many, filter={}, resolution="manual")
        before = await _say_growth(here, f"after {sizes.program} by RESOLVE_DLQ_EVENTS", before, sizes.program)


async def _retry(here: Scene, letters: list[str]) -> None:
    for start in range(0, len(letters), BATCH):
        some = letters[start : start + BATCH]
        await here.send_many([here.envelope("RETRY_DLQ_EVENT", dlq_event_id=id_) for id_ in some])


async def _say_growth(here: Scene, name: str, before: int, touched: int) -> int:
    await here.settled()
    now = rss(here.command_pid)
    say(f"{name:<48} {now / MIB:8.1f} MiB   {(now - before) / touched:+.0f} bytes for each")
    return now


async def deletion(here: Scene, many: str) -> None:
    """Of the connection with all that is left on it, and how two other orgs fare meanwhile."""
    left = await here.database.fetchval("SELECT count(*) FROM dlq_events WHERE connection_id = $1", many)
    async with scene(here.system, beside=here) as near, scene(here.system, beside=here, same_partition=False) as far:
        answered, projected = Timings(), Timings()
        answer = await answered.of(here.send("DELETE_CONNECTION", connection_id=many))
        gone = asyncio.create_task(projected.of(here.projected(answer["position"])))
        others = [asyncio.create_task(_watch(each, gone)) for each in (near, far)]
        await gone
        say(f"{f'DELETE_CONNECTION of {left}: answered':<48} {answered.p50 * 1e3:8.2f} ms")
        say(f"{'DELETE_CONNECTION: in the tables':<48} {projected.p50 * 1e3:8.2f} ms")
        for name, other in zip(("its partition", "another partition"), others, strict=True):
            decided, seen = await other
            line = f"{decided.p50 * 1e3:8.2f} ms, in the tables {max(seen.seconds) * 1e3:8.2f} ms at worst"
            say(f"{f'  meanwhile RENAME_ORG in {name}':<48} {line}")


async def _watch(other: Scene, gone: asyncio.Task[None]) -> tuple[Timings, Timings]:
    decided, seen = Timings(), Timings()
    while not gone.done():
        answer = await decided.of(other.send("RENAME_ORG", name=f"Org {len(decided.seconds)}"))
        await seen.of(other.projected(answer["position"]))
    return decided, seen
