"""How Kafka is reached and fetched from: settings in, the keyword arguments of aiokafka's clients out."""

import ssl
from typing import Any

from daybook_infra.runtime.kafka import lenient_records
from daybook_infra.runtime.settings import Settings, require_kafka

MIB = 1024 * 1024
REQUEST_TIMEOUT_MS = 10_000
# A broker answers one fetch at a time: a partition just taken over may have to wait for one that went out for others.
FETCH_WAIT_MS = 100


def connection_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """The keyword arguments that all of aiokafka's clients share. Raises `SettingsError` where no server is named."""
    lenient_records.install()
    options: dict[str, Any] = {
        # A list: FastStream takes a string for one server, whatever it holds.
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
    # A partition's share must hold the largest batch, 4 MiB, or the fetch would not move on from it.
    return {"max_partition_fetch_bytes": 4 * MIB, "fetch_min_bytes": 1, "fetch_max_wait_ms": FETCH_WAIT_MS}
