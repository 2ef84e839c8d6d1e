"""Collects the figures that the benchmarks of this folder have left in build/bench: prints them as a table, and writes
the table, one JSON file and a plot there. `python tests/bench/performance_table.py`; `make bench` ends with it.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from matplotlib import pyplot as plt

from bench.figures import say
from bench.measuring.comparison import RESULTS, shown

ORDER = (
    "mixed_kafka",
    "http_one_client",
    "kafka_one_client",
    "http_echo",
    "http_batches",
    "projector_bulk",
    "large_history",
    "cached_orgs",
    "cached_orgs_bound",
    "loop_stall_saturated",
    "loop_stall_takeover",
    "loop_stall_members",
    "overload_throughput",
    "overload_memory",
    "overload_p99",
)
TEXT, WHOLE, PLOT = (RESULTS / name for name in ("performance.txt", "performance.json", "performance.png"))
Found = dict[str, Any]


def main() -> None:
    paths = (RESULTS / f"{name}.json" for name in ORDER)
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    if not found:
        sys.exit(f"no figures in {RESULTS}: run a benchmark first")
    table = "\n".join(map(line, found))
    say(table)
    TEXT.write_text(table + "\n", encoding="utf-8")
    WHOLE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    plot(found)


def line(one: Found) -> str:
    values = ", ".join(
        f"{name} {shown(median(each['value'] for each in rounds), one['unit']).strip()}"
        for name, rounds in one["sides"].items()
    )
    return f"{one['title']:<64} {one['ratio']:7.2f}  {goal(one):<7} {'void' if one['void'] else '':<5} {values}"


def goal(one: Found) -> str:
    return f"{'≥' if one['at_least'] else '≤'} {one['target']:g}"


def colour(one: Found, reached: float) -> str:
    if one["void"]:
        return "#d9d9d9"
    return "#2a7f62" if reached >= 1 else "#c8853a"


def plot(found: list[Found]) -> None:
    """A bar for each figure, with the goal at 1: longer is better, even where the ratio should be small."""
    rows = found[::-1]
    reached = [one["ratio"] / one["target"] if one["at_least"] else one["target"] / one["ratio"] for one in rows]
    figure, axes = plt.subplots(figsize=(10, 0.55 * len(rows) + 1.2))
    colours = [colour(one, each) for one, each in zip(rows, reached, strict=True)]
    bars = axes.barh([one["title"] for one in rows], reached, color=colours)
    for bar, one in zip(bars, rows, strict=True):
        if one["void"]:
            bar.set_hatch("//")
    labels = [f" {one['ratio']:.2f} (goal {goal(one)}{', void' if one['void'] else ''})" for one in rows]
    axes.bar_label(bars, labels)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(min(0.05, *reached), max(10, *reached) * 4)
    axes.set_xlabel("how much of the goal is reached (logarithmic; the line is the goal)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(PLOT, dpi=110)


if __name__ == "__main__":
    main()
