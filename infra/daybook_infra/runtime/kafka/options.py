"""Options for connecting to Kafka and fetching from it: settings in, keyword arguments of aiokafka's clients out."""

import ssl
from typing import Any

from daybook_infra.runtime.kafka import lenient_records
from daybook_infra.runtime.settings import Settings, require_kafka

MIB = 1024 * 1024
REQUEST_TIMEOUT_MS = 10_000
# A broker answers a client's fetches one at a time, so a partition that was just taken over may wait this long for an
# earlier fetch of other partitions.
FETCH_WAIT_MS = 100


def connection_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """The keyword arguments that all of aiokafka's clients share. Raises `SettingsError` if no server is named."""
    lenient_records.install()
    options: dict[str, Any] = {
        # A list, because FastStream takes a string for a single server, even if it contains commas.
        "bootstrap_servers": [server.strip() for server in require_kafka(settings).split(",")],
        "client_id": client_id,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file or None)
    if settings.kafka_security.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def fetch_options(*, bulk: bool) -> dict[str, int]:
    """`bulk`: for throughput (projector, auditor), else for latency."""
    if bulk:
        return {"max_partition_fetch_bytes": 8 * MIB, "fetch_max_bytes": 50 * MIB, "fetch_max_wait_ms": FETCH_WAIT_MS}
    # The limit for a partition must be at least the largest batch, 4 MiB, or fetching would never get past such a
    # batch.
    return {"max_partition_fetch_bytes": 4 * MIB, "fetch_min_bytes": 1, "fetch_max_wait_ms": FETCH_WAIT_MS}
