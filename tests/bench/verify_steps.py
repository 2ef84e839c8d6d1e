"""Prints what each step of verifying an entry of the topic costs, alone and in one process: the records of a partition
in, CPU per entry out. A whole verification takes more than the sum: memory is also filled and freed between the steps.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.figures import say
from daybook_contracts.entries import reading_runs
from daybook_contracts.entries.entry import Entry, decode_entries, encode_entries
from daybook_contracts.entries.facts import decode_fact
from daybook_contracts.json.canonical import is_plainly_canonical
from daybook_contracts.log.head import GENESIS, Head
from daybook_projector.audit.checks import digest, quick_check
from daybook_projector.audit.checks.quick_check import RUN, CheckedRun, check_quickly

ROUNDS = 7

Run = tuple[list[bytes], CheckedRun]


def say_steps(values: Sequence[bytes], partition: int, partitions: int) -> None:
    """`values`: the entries of a partition from its beginning."""
    runs = _checked_runs(values, partition, partitions)
    entries = sum(len(run) for run, _ in runs)
    for name, step in _STEPS.items():
        say(f"  {name:<68} {_best(step, runs) / entries * 1e6:5.2f} us")


def _checked_runs(values: Sequence[bytes], partition: int, partitions: int) -> list[Run]:
    runs, head, last_time = [], GENESIS, ""
    for start in range(0, len(values), RUN):
        run = list(values[start : start + RUN])
        checked = check_quickly(run, partition, head, last_time, partitions)
        assert checked is not None
        last = checked.entries[-1]
        head, last_time = Head(last.metadata_json.position, last.metadata_json.hash), last.created_at
        runs.append((run, checked))
    return runs


def _best(step: Callable[[list[bytes], CheckedRun], Any], runs: Sequence[Run]) -> float:
    """CPU seconds for all runs, in the quickest round."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for values, checked in runs:
            step(values, checked)
        rounds.append(time.process_time() - begun)
    return min(rounds)


def _data(entries: Sequence[Entry]) -> list[bytes]:
    return [bytes(entry.metadata_json.data) for entry in entries]


def _place(checked: CheckedRun) -> bool:
    first = checked.entries[0].metadata_json
    before = Head(first.position - 1, first.prev)
    return quick_check._are_next(checked.entries, first.partition, before, "")


_STEPS: dict[str, Callable[[list[bytes], CheckedRun], Any]] = {
    "reading the entry": lambda values, _: decode_entries(values),
    "`canonical`: writing it again": lambda values, checked: encode_entries(checked.entries) == values,
    "`canonical`: the same for its data": lambda _, checked: [*map(is_plainly_canonical, _data(checked.entries))],
    "`position`, `prev`, `partition`, and the order of `created_at`": lambda _, checked: _place(checked),
    "`hash`, and the hash of the row": lambda values, checked: quick_check._row_hashes_if_right(
        values, checked.entries, _data(checked.entries)
    ),
    "`id`, with scope, key and ordinal": lambda _, checked: reading_runs._check_identities(
        checked.entries, [entry.metadata_json for entry in checked.entries]
    ),
    "`commit`": lambda _, checked: reading_runs._check_commits(
        [entry.metadata_json for entry in checked.entries], _data(checked.entries)
    ),
    "`columns` and `created_at`: the form of ids, salt and time": lambda _, checked: reading_runs._check_forms(
        checked.entries, [entry.metadata_json for entry in checked.entries]
    ),
    "`data`: the fact that it states": lambda _, checked: [
        decode_fact(entry.action, entry.metadata_json.data) for entry in checked.entries if entry.result == "success"
    ],
    "the digest of the rows": lambda _, checked: digest.extended(digest.EMPTY, *checked.row_hashes),
}
