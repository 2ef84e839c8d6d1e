"""Reports what the projector does: events in; log lines, metrics and health out."""

from daybook_contracts.log.head import Checkpoint
from daybook_infra.runtime.errors import DatabaseAway, KafkaAway
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.logs import get_logger
from daybook_projector.metrics import Metrics
from daybook_projector.partition.batch_rows import Poison
from daybook_projector.partition.machine import Batch, Voids

log = get_logger(__name__)

GROUP = "consumer group"
SERVERS = {DatabaseAway: "postgres", KafkaAway: "kafka"}
NAMED_ORGS = 10


class ProjectorReport:
    """Makes the process unready until it has joined its consumer group."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics
        health.require(GROUP)

    def assigned(self, partitions: list[int]) -> None:
        self._health.ok(GROUP)
        for partition in partitions:
            self._health.require(condition(partition))
        log.info("partitions_assigned", partitions=sorted(partitions))

    def taken_over(self, partition: int, checkpoint: Checkpoint) -> None:
        self._health.ok(condition(partition))
        self._metrics.stopped.labels(partition).set(0)
        self._metrics.position.labels(partition).set(checkpoint.head.position)
        log.info("partition_taken_over", partition=partition, position=checkpoint.head.position)

    def given_away(self, partition: int) -> None:
        self._health.ok(condition(partition))
        self._health.note(condition(partition), None)
        for gauge in (self._metrics.stopped, self._metrics.waiting, self._metrics.lag, self._metrics.position):
            gauge.remove(partition)

    def projected(self, batch: Batch, seconds: float) -> None:
        self._metrics.entries.labels(batch.partition).inc(len(batch.entries))
        self._metrics.position.labels(batch.partition).set(batch.after.head.position)
        self._metrics.batch_seconds.observe(seconds)

    def voids(self, partition: int, voids: Voids) -> None:
        for reason, count in voids.reasons.items():
            self._metrics.voids.labels(partition, reason.value).inc(count)
        if voids.reasons:
            log.warning(
                "voids_skipped",
                partition=partition,
                first_offset=voids.first_offset,
                last_offset=voids.last_offset,
                reasons={reason.value: count for reason, count in voids.reasons.items()},
            )

    def quarantined(self, partition: int, poison: Poison) -> None:
        log.error(
            "org_quarantined",
            org_id=poison.org_id,
            position=f"{partition}.{poison.position}",
            reason=poison.reason,
        )

    def waiting_for_user(self, partition: int, position: int, user_id: str) -> None:
        self._metrics.waiting.labels(partition).set(1)
        self._health.note(condition(partition), f"entry {partition}.{position} waits for user {user_id}")

    def waited_for_user(self, partition: int, user_id: str, *, is_there: bool) -> None:
        self._metrics.waiting.labels(partition).set(0)
        self._health.note(condition(partition), None)
        if not is_there:
            log.error("user_does_not_exist", partition=partition, user_id=user_id)

    def checkpoint_lost(self, partition: int) -> None:
        self._metrics.checkpoints_lost.labels(partition).inc()
        log.warning("checkpoint_lost", partition=partition)

    def stopped(self, partition: int, reason: str) -> None:
        self._metrics.stopped.labels(partition).set(1)
        self._health.fail(condition(partition), f"stopped: {reason}")
        log.error("partition_stopped", partition=partition, reason=reason)

    def server_away(self, error: DatabaseAway | KafkaAway, by: object = None) -> None:
        kind = DatabaseAway if isinstance(error, DatabaseAway) else KafkaAway
        self._health.fail(SERVERS[kind], str(error), by)

    def server_back(self, kind: type[DatabaseAway | KafkaAway], by: object = None) -> None:
        self._health.ok(SERVERS[kind], by)

    def lag(self, partition: int, records: int) -> None:
        self._metrics.lag.labels(partition).set(records)

    def in_quarantine(self, org_ids: list[str]) -> None:
        self._metrics.quarantined.set(len(org_ids))
        named = ", ".join(org_ids[:NAMED_ORGS]) + (", …" if len(org_ids) > NAMED_ORGS else "")
        self._health.note("quarantine", f"{len(org_ids)} orgs: {named}" if org_ids else None)


def condition(partition: int) -> str:
    return f"partition {partition}"
