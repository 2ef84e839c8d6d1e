"""Compares two sides: runs them in turn, three times each, and writes what was measured as text and JSON. A figure is
void if, in any round, other processes used more than 0.2 cores, or a side that has to saturate a core did not.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.figures import say
from bench.measuring.usage import BENCH, Usage, Watch

ROUNDS = 3
WARMING = 4
"""A warm-up has this many times fewer commands than a round."""
MOST_BY_OTHERS = 0.2
SATURATED = 0.95
RESULTS = Path(__file__).parents[3] / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Done:
    """What a side has done: how many items. `values` are further measurements, such as latencies in seconds. `seconds`
    and `usage` are given if only a part of the call counts.
    """

    items: int
    seconds: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """`work` does one round. `value`: the name of the value that is compared; if empty, items a second. `processes`:
    the ids of the processes whose CPU time and memory count, by name. `saturates`: the one that must use a whole core.
    """

    name: str
    work: Callable[[], Awaitable[Done]]
    processes: Mapping[str, int]
    value: str = ""
    saturates: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    items: int
    seconds: float
    value: float
    usage: Usage
    values: Mapping[str, float]
    saturated: bool

    @property
    def void(self) -> bool:
        return self.usage.others > MOST_BY_OTHERS or not self.saturated


@dataclass(frozen=True, slots=True)
class Figure:
    """`file`: the name of its JSON file. `target`: the goal of the ratio, a minimum with `at_least`, else a maximum.
    `unit`: that of the values, for the text; times are in seconds. `timed`: other load distorts the figure.
    """

    file: str
    title: str
    target: float
    at_least: bool
    unit: str
    timed: bool = True


async def compare(figure: Figure, ours: Side, theirs: Side, rounds: int = ROUNDS) -> None:
    """Alternates, because a machine's speed changes within minutes; each round gives a ratio. The sides take turns in
    going first, because that may be an advantage.
    """
    say(f"{figure.title}: {ours.name} / {theirs.name}")
    found: dict[str, list[Round]] = {ours.name: [], theirs.name: []}
    for number in range(rounds):
        for side in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            done = await measure(side)
            found[side.name].append(done)
            say(f"  round {number + 1}: {describe(figure, side, done)}")
    mine, yours = found[ours.name], found[theirs.name]
    ratios = [one.value / other.value for one, other in zip(mine, yours, strict=True)]
    record(figure, ratios, found)


async def alone(figure: Figure, side: Side, rounds: int = 1) -> None:
    """Measures a side that has no yardstick. The figure is its value."""
    say(f"{figure.title}:")
    found: list[Round] = []
    for number in range(rounds):
        found.append(await measure(side))
        say(f"  round {number + 1}: {describe(figure, side, found[-1])}")
    record(figure, [each.value for each in found], {side.name: found})


async def measure(side: Side) -> Round:
    watch = Watch(side.processes)
    done = await side.work()
    usage = done.usage or watch.stop()
    seconds = done.seconds or usage.seconds
    value = done.values[side.value] if side.value else done.items / seconds
    saturated = not side.saturates or usage.cpu[side.saturates] >= SATURATED * seconds
    return Round(done.items, seconds, value, usage, done.values, saturated)


def describe(figure: Figure, side: Side, done: Round) -> str:
    cpu = ", ".join(f"{name} {spent / done.items * 1e6:.0f}" for name, spent in done.usage.cpu.items())
    peak = ", ".join(f"{name} {size / 2**20:.0f}" for name, size in done.usage.peak.items() if name != BENCH)
    void = "" if not done.void else "  VOID" + ("" if done.saturated else f" ({side.saturates} was not saturated)")
    return (
        f"{side.name:<14} {shown(done.value, figure.unit)}; µs of CPU per item: {cpu}; peak MiB: {peak}; "
        f"others {done.usage.others:.2f} cores{void}"
    )


def shown(value: float, unit: str) -> str:
    return f"{value * 1e3:8.2f} ms" if unit == "s" else f"{value:8,.0f} {unit}"


def record(figure: Figure, ratios: list[float], found: Mapping[str, list[Round]]) -> None:
    ratio = median(ratios)
    void = figure.timed and any(each.void for rounds in found.values() for each in rounds)
    sides = {name: [_as_json(each) for each in rounds] for name, rounds in found.items()}
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {
        **asdict(figure),
        "measured_at": measured_at,
        "ratio": ratio,
        "ratios": ratios,
        "void": void,
        "sides": sides,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{figure.file}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    medians = ", ".join(
        f"{name} {shown(median(each.value for each in rounds), figure.unit).strip()}" for name, rounds in found.items()
    )
    goal = f"{'at least' if figure.at_least else 'at most'} {figure.target:g}"
    say(
        f"{figure.title}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}; goal: {goal})"
        f"{'  VOID' if void else ''}: {medians}"
    )


def _as_json(done: Round) -> dict[str, object]:
    whole = asdict(done)
    return {**whole, "cpu_per_item": {name: spent / done.items for name, spent in done.usage.cpu.items()}}
