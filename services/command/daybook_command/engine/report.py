"""Reports what the engine does, as log lines, metrics and health."""

import time
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice

from prometheus_client import Gauge

from daybook_command import metrics
from daybook_command.engine.assignment import Assignment
from daybook_command.shard.effects import Hold, Report, Stop
from daybook_command.shard.machine import Shard
from daybook_command.shard.records import CommandRecord
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.logs import get_logger

ASSIGNMENT = "assignment"
DAY_MS = 86_400_000
IDS_WAIT = "commands that choose ids wait until every partition is projected up to its end at the takeover"

log = get_logger(__name__)

# Kept by partition, because `labels` takes longer than counting.
_commands_of = cache(metrics.COMMANDS.labels)
_entries_of = cache(metrics.ENTRIES.labels)


@cache
def _gauge_of(gauge: Gauge, partition: int) -> Gauge:
    return gauge.labels(partition)


class EngineReport:
    """After it is created, the process is not ready until partitions are assigned."""

    def __init__(self, health: Health) -> None:
        self._health = health
        health.require(ASSIGNMENT)

    def assigned(self, partition: int) -> None:
        self._health.require(condition_name(partition))

    def assignments_changed(self, count: int) -> None:
        metrics.ASSIGNED_PARTITIONS.set(count)
        self._health.ok(ASSIGNMENT)

    def revoked(self, partition: int) -> None:
        for gauge in metrics.PARTITION_GAUGES:
            _gauge_of(gauge, partition).set(0)
        self._health.ok(condition_name(partition))
        self._health.note(condition_name(partition), None)

    def taken_over(self, assignment: Assignment) -> None:
        metrics.TAKEOVER_SECONDS.observe(time.perf_counter() - assignment.assigned_at)
        self._health.ok(condition_name(assignment.partition))

    def commands_taken(self, partition: int, records: Sequence[CommandRecord]) -> None:
        _commands_of(partition).inc(len(records))
        for record in records:
            if record.lost_from is not None:
                metrics.LOST.labels(partition).inc(record.offset - record.lost_from + 1)
                log.error(
                    "commands_lost", partition=partition, first_offset=record.lost_from, last_offset=record.offset
                )

    def append_started(self, partition: int, entries: int) -> None:
        _entries_of(partition).inc(entries)

    def effect(self, partition: int, effect: Report | Hold | Stop) -> None:
        match effect:
            case Report():
                self.shard_reported(partition, effect)
            case Hold(reason=reason):
                self.held(partition, reason)
            case Stop(reason=reason):
                self.stopped(partition, reason)

    def shard_reported(self, partition: int, report: Report) -> None:
        metrics.REPORTS.labels(report.kind).inc()
        if report.kind == "void":
            metrics.VOIDS.labels(partition).inc(report.offsets)
        log.warning("shard_report", partition=partition, kind=report.kind, detail=report.detail, exc_info=report.error)

    def held(self, partition: int, reason: str | None) -> None:
        """`reason`: why the shard waits; None if it no longer does."""
        if reason is None:
            self._health.ok(condition_name(partition))
        else:
            self._health.fail(condition_name(partition), reason)

    def stopped(self, partition: int, reason: str) -> None:
        log.critical("partition_stopped", partition=partition, reason=reason)
        self._health.fail(condition_name(partition), reason)

    def sizes_measured(self, assignment: Assignment) -> None:
        partition, memory, inbox = assignment.partition, assignment.shard.memory, assignment.shard.inbox
        self._health.note(condition_name(partition), IDS_WAIT if inbox.aside else None)
        _gauge_of(metrics.TAIL, partition).set(len(memory.tail))
        _gauge_of(metrics.TAIL_BYTES, partition).set(memory.unprojected_bytes)
        _gauge_of(metrics.CACHED_ORGS, partition).set(len(memory.cache))
        _gauge_of(metrics.QUEUED, partition).set(len(inbox.queue) + len(inbox.aside) + len(inbox.local.line))
        _gauge_of(metrics.QUEUED_BYTES, partition).set(inbox.size + inbox.local.size)

    def partitions_left_busy(self, partitions: Sequence[int]) -> None:
        log.warning("partitions_left_busy", partitions=partitions)


def condition_name(partition: int) -> str:
    return f"partition {partition}"


def oldest_command_fault(assignments: Iterable[Assignment]) -> str | None:
    """A text that says since when the oldest command has waited, if it has waited for more than a day."""
    times = [_oldest_command_ms(assignment.shard) for assignment in assignments]
    oldest = min((each for each in times if each is not None), default=None)
    if oldest is None or time.time() * 1000 - oldest < DAY_MS:
        return None
    return f"a command has waited since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(oldest / 1000))}"


def _oldest_command_ms(shard: Shard) -> int | None:
    """Kafka's timestamp of the oldest undecided record."""
    waiting = (*shard.inbox.aside, *shard.in_flight.arrivals, *islice(shard.inbox.queue, 1))
    return next((each.timestamp_ms for each in waiting if each.timestamp_ms is not None), None)
