"""What happens at twice the sustainable rate: `python tests/bench/overload.py [--seconds N]`.

The sustainable rate is what 100 clients reach over HTTP with dead letters of ten orgs. Then these ten send twice that
rate, whatever the answers (open loop), while other orgs send 50 commands a second. Three figures:

- throughput: commands decided a second / that rate (goal: at least 0.9);
- memory: the command service's peak in the second half / in the first (goal: at most 1.1);
- p99: the other orgs' latency / the same without the busy orgs (goal: at most 3).
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.measuring import http_load
from bench.measuring.comparison import ROUNDS, Done, Figure, Round, Side, describe, measure, record
from bench.measuring.http_load import Plan
from bench.measuring.orgs import FOUNDING, ORGS, Orgs
from bench.measuring.running import Bench, bench_orgs
from bench.measuring.usage import peak_of, reset_peak
from support.driving import fresh_id
from support.publisher import Send
from support.workload import SERVICE, by_user, command

TITLE = "at twice the sustainable rate"
THROUGHPUT = Figure(
    "overload_throughput", f"{TITLE}: throughput / sustainable rate", 0.9, at_least=True, unit="commands/s"
)
MEMORY = Figure(
    "overload_memory", f"{TITLE}: peak memory, second half / first", 1.1, at_least=False, unit="MiB", timed=False
)
P99 = Figure("overload_p99", f"{TITLE}: other orgs' p99 / without the busy ones", 3, at_least=False, unit="s")
BUSY, CLIENTS, QUIET_RATE = 10, 100, 50
WARM_COMMANDS, MOST_COMMANDS = 2_000, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="how long requests are sent in each part of a round")
    parser.add_argument("--orgs", type=int, default=ORGS)
    args = parser.parse_args()
    with bench_orgs(args.orgs) as (bench, orgs):
        asyncio.run(run(bench, orgs, args.seconds))


async def run(bench: Bench, orgs: Orgs, seconds: int) -> None:
    """Each round measures the best rate, the other orgs alone, and both at once with twice the best rate."""
    owners = {send.command["org_id"]: send.principal for send in orgs.founding[::FOUNDING]}
    connections = {
        send.key: send.command["data"].get("connection_id") for send in orgs.founding[FOUNDING - 1 :: FOUNDING]
    }
    busy = {org: connections[org] for org in orgs.org_ids[:BUSY]}
    traffic = Traffic(bench, busy, [(org, owners[org]) for org in orgs.org_ids[BUSY:]])
    await traffic.best(WARM_COMMANDS)
    found: dict[str, list[Round]] = {"best": [], "quiet": [], "overload": [], "first half": [], "second half": []}
    for _ in range(ROUNDS):
        best = await measured(THROUGHPUT, bench, "best", lambda: traffic.best(MOST_COMMANDS))
        rate = 2 * best.value
        quiet = await measured(P99, bench, "quiet", lambda: traffic.quiet(seconds), "p99")
        over = await measured(THROUGHPUT, bench, "overload", lambda: traffic.overload(rate, seconds))  # noqa: B023
        found["best"].append(best)
        found["quiet"].append(quiet)
        found["overload"].append(over)
        for half in ("first half", "second half"):
            found[half].append(replace(over, value=over.values[half]))
    keep(THROUGHPUT, found["overload"], found["best"], "overload", "best")
    keep(MEMORY, found["second half"], found["first half"], "second half", "first half")
    others = [replace(each, value=each.values["p99 of others"]) for each in found["overload"]]
    keep(P99, others, found["quiet"], "overload", "quiet")


def keep(figure: Figure, ours: list[Round], theirs: list[Round], name: str, other: str) -> None:
    ratios = [one.value / two.value for one, two in zip(ours, theirs, strict=True)]
    record(figure, ratios, {name: ours, other: theirs})


async def measured(
    figure: Figure, bench: Bench, name: str, work: Callable[[], Awaitable[Done]], value: str = ""
) -> Round:
    side = Side(name, work, bench.processes, value)
    done = await measure(side)
    await bench.until_projected()
    say(f"  {describe(figure, side, done)}")
    return done


@dataclass(frozen=True, slots=True)
class Traffic:
    """`busy`: orgs that send too much, each with a connection. `others`: orgs and the principals of their owners."""

    bench: Bench
    busy: Mapping[str, str]
    others: Sequence[tuple[str, str]]

    async def best(self, count: int) -> Done:
        return await http_load.run(Plan(self.bench.door, self._busy_requests(count), CLIENTS))

    async def quiet(self, seconds: int) -> Done:
        return await http_load.run(Plan(self.bench.door, self._quiet_requests(seconds), rate=QUIET_RATE))

    async def overload(self, rate: float, seconds: int) -> Done:
        """The busy orgs' requests take at least twice as long as planned, so the other orgs finish first."""
        plan = Plan(self.bench.door, self._busy_requests(int(rate * seconds)), rate=rate)
        flood = asyncio.create_task(http_load.run(plan, may_refuse=True))
        halves = asyncio.create_task(self._peaks(seconds))
        quiet = await self.quiet(seconds)
        done, peaks = await flood, await halves
        values = {**done.values, **peaks, "p99 of others": quiet.values["p99"]}
        return Done(done.items, done.seconds, values)

    async def _peaks(self, seconds: int) -> dict[str, float]:
        pid, peaks = self.bench.processes["command"], {}
        for half in ("first half", "second half"):
            reset_peak(pid)
            await asyncio.sleep(seconds)
            peaks[half] = peak_of(pid) / 2**20
        return peaks

    def _busy_requests(self, count: int) -> list[bytes]:
        payload = {"event": "PURCHASE_APPROVED", "price": 12.5, "buyer": {"name": "Zoë"}}
        made = []
        for org, connection in islice(cycle(self.busy.items()), count):
            data = {"connection_id": connection, "payload": payload}
            made.append(self.bench.request(Send(SERVICE, command("RECORD_DLQ_EVENT", org, None, fresh_id(), **data))))
        return made

    def _quiet_requests(self, seconds: int) -> list[bytes]:
        made = []
        for at in range(QUIET_RATE * seconds):
            org, owner = self.others[at % len(self.others)]
            made.append(
                self.bench.request(by_user("RENAME_ORG", org, owner.partition(":")[2], fresh_id(), name=f"{at}"))
            )
        return made


if __name__ == "__main__":
    main()
