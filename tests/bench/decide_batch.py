"""Prints how much CPU time a shard takes for one command, by step, without servers: `python tests/bench/decide_batch.py
[--commands N] [--batch N] [--pause MS]`. The commands are mixed, in batches. The rows that a batch would read from
PostgreSQL are computed, and this is not timed.
"""

import argparse
import os
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import process_time, sleep

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.figures import say
from bench.measuring.kafka_load import command_record
from bench.measuring.orgs import batches, plan_orgs
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.shard.effects import Append, LoadSnapshot, LogAppend
from daybook_command.shard.events import (
    Acknowledged,
    CommandsArrived,
    EndsRead,
    Event,
    LogOpened,
    SnapshotLoaded,
)
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_command.shard.state import ShardConfig
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_infra.runtime.startup import freeze_startup_objects
from support.logbook import START
from support.publisher import Send
from support.rows_of_orgs import loaded_org
from support.simulated_postgres import taken_ids

ORGS, BATCH, LAG = 100, 200, 2
STEPS = ("parse, list needs", "decide, record, answer", "drop what is projected")


class Tables:
    """What is projected: all batches but the last `LAG`."""

    def __init__(self) -> None:
        self.checkpoint = NOTHING_PROJECTED
        self._orgs: dict[str, Org | None] = {}
        self._users: set[str] = set()
        self._owners: dict[str, str] = {}
        self._waiting: deque[Sequence[LogAppend]] = deque()

    def append(self, records: Sequence[LogAppend]) -> None:
        self._waiting.append(records)
        if len(self._waiting) > LAG:
            for record in self._waiting.popleft():
                self._project(record)

    def _project(self, record: LogAppend) -> None:
        entry, fact = record.trusted.entry, record.trusted.fact
        metadata, at = entry.metadata_json, self.checkpoint.next_offset
        self.checkpoint = Checkpoint(at + 1, Head(metadata.position, metadata.hash), at)
        if entry.entity_type == "user" and fact is not None:
            self._users.add(entry.entity_id)
        elif entry.org_id is not None and fact is not None:
            self._orgs[entry.org_id] = evolve(self._orgs.get(entry.org_id), entry.actor_user_id, fact)

    def snapshot(self, needs: Needs, now_us: int) -> Snapshot:
        orgs = {need.org_id: loaded_org(self._orgs.get(need.org_id), need) for need in needs.orgs}
        users = self._users.intersection(needs.users)
        return Snapshot(self.checkpoint, now_us, {}, orgs, frozenset(users), taken_ids(needs.chosen_ids, self._owners))


class Decider:
    """One shard, and the CPU seconds of each step."""

    def __init__(self) -> None:
        config = ShardConfig(partitions=1, cache_bytes=1 << 30, max_tail=1 << 30, managed_users=True)
        self._shard, self._tables, self._offset = Shard.of(0, config), Tables(), 0
        self._shard.start()
        self._shard.handle(LogOpened(NOTHING_PROJECTED, 0, 0))
        self._shard.handle(EndsRead(0, {}))
        self.seconds = [0.0] * len(STEPS)

    def decide(self, sends: Sequence[Send]) -> None:
        """Decides the commands, in several batches if the shard splits them."""
        effects = self._timed(0, CommandsArrived([self._record(send) for send in sends]))
        while effects:
            (load,) = (effect for effect in effects if isinstance(effect, LoadSnapshot))
            now_us = START + 1000 * self._offset
            snapshot = self._tables.snapshot(load.needs, now_us)
            decided = self._timed(1, SnapshotLoaded(snapshot, now_us, os.urandom(16 * load.commands)))
            (append,) = (effect for effect in decided if isinstance(effect, Append))
            self._tables.append(append.records)
            after = self._timed(2, Acknowledged(self._shard.memory.end))
            effects = [effect for effect in after if isinstance(effect, LoadSnapshot)]

    def _record(self, send: Send) -> CommandRecord:
        made, offset = command_record(send, 1), self._offset
        self._offset += 1
        return CommandRecord(offset, made.key, made.value, made.headers, START // 1000)

    def _timed(self, step: int, event: Event) -> list[object]:
        started = process_time()
        effects = self._shard.handle(event)
        self.seconds[step] += process_time() - started
        return list(effects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=BATCH, help="commands of each batch")
    parser.add_argument("--pause", type=float, default=0, metavar="MS", help="how long to sleep between two batches")
    args = parser.parse_args()
    orgs, decider = plan_orgs(ORGS), Decider()
    mixed = orgs.mixed(args.commands)
    for batch in batches([*orgs.registrations, *orgs.founding], BATCH):
        decider.decide(batch)
    freeze_startup_objects()
    decider.seconds = [0.0] * len(STEPS)
    for batch in batches(mixed, args.batch):
        decider.decide(batch)
        sleep(args.pause / 1000)
    for name, seconds in zip(STEPS, decider.seconds, strict=True):
        say(f"{name:>24} {seconds / args.commands * 1e6:6.1f} µs")
    say(f"{'a command':>24} {sum(decider.seconds) / args.commands * 1e6:6.1f} µs")


if __name__ == "__main__":
    main()
