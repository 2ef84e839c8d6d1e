"""Every metric of the projector, named and explained."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

PARTITION = ("partition",)
BATCH_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._add_counts(registry)
        self._add_states(registry)

    def _add_counts(self, registry: CollectorRegistry) -> None:
        self.entries = Counter(
            "daybook_projector_entries", "Entries projected into the tables", PARTITION, registry=registry
        )
        self.voids = Counter(
            "daybook_projector_voids",
            "Skipped records of the audit log: they do not extend it",
            (*PARTITION, "reason"),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "daybook_projector_batch_seconds",
            "Time to write one batch, including the wait for a connection",
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self.checkpoints_lost = Counter(
            "daybook_projector_checkpoints_lost",
            "Batches not written because another process had moved the checkpoint",
            PARTITION,
            registry=registry,
        )

    def _add_states(self, registry: CollectorRegistry) -> None:
        self.lag = Gauge(
            "daybook_projector_lag_records",
            "Records of the partition that are not projected yet",
            PARTITION,
            registry=registry,
        )
        self.position = Gauge(
            "daybook_projector_position", "Position of the last projected entry", PARTITION, registry=registry
        )
        self.waiting = Gauge(
            "daybook_projector_waiting",
            "1 while the partition waits for a user whose registration is not projected yet",
            PARTITION,
            registry=registry,
        )
        self.stopped = Gauge(
            "daybook_projector_stopped",
            "1 while the partition is stopped and needs an operator",
            PARTITION,
            registry=registry,
        )
        self.quarantined = Gauge(
            "daybook_projector_quarantined_orgs", "Orgs in quarantine, in all partitions", registry=registry
        )


class ReadMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.request_seconds = Histogram(
            "daybook_read_request_seconds",
            "Time from a request's headers to the response's headers, including the wait for a position",
            ("route", "status"),
            registry=registry,
        )
        self.streams = Gauge("daybook_read_streams", "Open streams of audit logs", registry=registry)
        self.tick_seconds = Histogram(
            "daybook_read_stream_tick_seconds",
            "Time to read new entries and rights for all open streams, and to pass entries on",
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self.stream_entries = Counter(
            "daybook_read_stream_entries",
            "Entries read for open streams; one read serves all streams of an org",
            registry=registry,
        )
        self.streams_ended = Counter(
            "daybook_read_streams_ended",
            "Streams that ended: slow, right_gone, token_expired, no_database, stopping, client_gone",
            ("reason",),
            registry=registry,
        )
