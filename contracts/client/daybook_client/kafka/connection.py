"""How to connect to Kafka: takes servers, security and login, and makes keyword arguments for aiokafka's clients."""

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from daybook_client.defaults import given, optional, secret
from daybook_client.errors import KafkaAway, KafkaRefuses, Misuse
from daybook_client.kafka import broken_connections

MIB = 1024 * 1024
REQUEST_TIMEOUT_MS = 10_000
# A broker answers a client's fetches one at a time, so a partition that was just taken over may wait this long for an
# earlier fetch of other partitions.
FETCH_WAIT_MS = 100

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Sasl = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
Choice = TypeVar("Choice", bound=str)

_SECURITIES: tuple[Security, ...] = get_args(Security)
_MECHANISMS: tuple[Sasl, ...] = get_args(Sasl)


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """`bootstrap`: servers, `host:port,…`. `ca_file`: PEM file of trusted certificate authorities; if empty, the
    system's. `away`, `refuses`: the exceptions to raise if Kafka cannot be reached, and if it refuses this client.
    """

    bootstrap: str
    security: Security = "PLAINTEXT"
    sasl: Sasl = "SCRAM-SHA-512"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    away: type[KafkaAway] = KafkaAway
    refuses: type[KafkaAway] = KafkaRefuses

    def options(self, client_id: str) -> dict[str, Any]:
        """The keyword arguments that all of aiokafka's clients share. Raises Misuse if no server is named."""
        broken_connections.install()  # here, because every aiokafka client of Daybook needs these arguments
        # A list, because FastStream takes a string for a single server, even if it contains commas.
        servers = [server.strip() for server in self.bootstrap.split(",") if server.strip()]
        if not servers:
            raise Misuse("no Kafka server is named: give it as host:port")
        options: dict[str, Any] = {
            "bootstrap_servers": servers,
            "client_id": client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "security_protocol": self.security,
        }
        if self.security.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=self.ca_file or None)
        if self.security.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl
            options["sasl_plain_username"] = self.user
            options["sasl_plain_password"] = self.password
        return options


def connection_by_default(bootstrap: str | None) -> KafkaConnection:
    """From DAYBOOK_KAFKA_BOOTSTRAP, _SECURITY, _SASL, _USER, _PASSWORD and _CA_FILE. Raises Misuse."""
    return KafkaConnection(
        bootstrap=given(bootstrap, "DAYBOOK_KAFKA_BOOTSTRAP"),
        security=_chosen("DAYBOOK_KAFKA_SECURITY", _SECURITIES, "PLAINTEXT"),
        sasl=_chosen("DAYBOOK_KAFKA_SASL", _MECHANISMS, "SCRAM-SHA-512"),
        user=optional(None, "DAYBOOK_KAFKA_USER") or "",
        password=secret(None, "DAYBOOK_KAFKA_PASSWORD") or "",
        ca_file=optional(None, "DAYBOOK_KAFKA_CA_FILE") or "",
    )


def _chosen(variable: str, allowed: tuple[Choice, ...], default: Choice) -> Choice:
    text = optional(None, variable)
    found = default if text is None else next((each for each in allowed if each == text), None)
    if found is None:
        raise Misuse(f"{variable} must be one of {', '.join(allowed)}")
    return found


def fetch_options(*, bulk: bool) -> dict[str, int]:
    """`bulk`: for throughput (as the projector needs it), otherwise for latency."""
    if bulk:
        return {"max_partition_fetch_bytes": 8 * MIB, "fetch_max_bytes": 50 * MIB, "fetch_max_wait_ms": FETCH_WAIT_MS}
    # The limit for a partition must be at least 4 MiB, the size of the largest batch. With a lower limit, such a batch
    # could not be fetched.
    return {"max_partition_fetch_bytes": 4 * MIB, "fetch_min_bytes": 1, "fetch_max_wait_ms": FETCH_WAIT_MS}
