"""An HTTP server's bounds on unauthenticated clients: settings and the descriptor limit in, bounds out."""

import resource
from dataclasses import dataclass
from typing import Final

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import FEWEST_CONNECTIONS, Settings

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Default of DAYBOOK_MAX_CONNECTIONS. A connection with a full head costs about 50 KiB: 200 MiB at worst.
CONNECTIONS: Final = 4_000
# The kernel's queue of connections that are not accepted yet. All of them may be accepted before one is closed, so each
# needs a descriptor.
BACKLOG: Final = 256
# Descriptors for Kafka clients (up to nine, with a connection to each broker), PostgreSQL pools, listeners and files.
RESERVED_DESCRIPTORS: Final = 256
# Query parameters of a request. No route has more than 12; FastAPI takes 2 µs for each unknown one.
PARAMETERS: Final = 50
# Enough for health probes, metric scrapers and one or two people.
ADMIN_CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """`*_seconds`: how long the server waits for its client; tests shorten them."""

    connections: int = CONNECTIONS
    # Request line and headers together; each line costs memory too, however short it is.
    head_bytes: int = 32 * KIB
    head_lines: int = 100
    head_seconds: float = 10.0
    # The command routes refuse a slow body themselves after 30 s; this bounds all other routes.
    body_seconds: float = 60.0
    idle_seconds: float = 30.0
    # The time for the client to read an answer. Bytes in the kernel's buffer count as read.
    answer_seconds: float = 30.0
    # A client may still be sending its body when it gets the answer. The server discards the rest, up to these limits.
    discard_seconds: float = 10.0
    discard_bytes: int = 8 * MIB
    # Replaces `discard_bytes` if the server itself refused the request. Lower, as honest clients rarely exceed a limit.
    refused_bytes: int = 256 * KIB
    # Requests that arrived before the previous one was answered.
    pipelined: int = 8

    @property
    def requests_in_progress(self) -> int:
        """With this many requests in progress, only health checks are answered. So some connections always wait for
        their client, and can be closed for new ones.
        """
        return self.connections - max(1, min(64, self.connections // 16))


def main_limits(settings: Settings) -> HttpLimits:
    """Raises SettingsError if the process may not have as many descriptors as the settings need."""
    reserved = RESERVED_DESCRIPTORS + BACKLOG + (0 if settings.admin_port is None else ADMIN_CONNECTIONS + BACKLOG)
    asked = settings.max_connections
    allowed = _raise_descriptor_limit((asked or CONNECTIONS) + reserved) - reserved
    if asked is not None and allowed < asked:
        raise SettingsError(
            f"DAYBOOK_MAX_CONNECTIONS: {asked} connections need {asked + reserved} descriptors, and this process "
            f"may have {allowed + reserved}; lower it, or raise the limit (`ulimit -n`, systemd's LimitNOFILE)"
        )
    if allowed < FEWEST_CONNECTIONS:
        raise SettingsError(
            f"this process may have {allowed + reserved} descriptors and needs {FEWEST_CONNECTIONS + reserved}; "
            "raise the limit (`ulimit -n`, systemd's LimitNOFILE)"
        )
    return HttpLimits(connections=min(asked or CONNECTIONS, allowed))


def _raise_descriptor_limit(wanted: int) -> int:
    """How many descriptors this process may have, after raising its soft limit to `wanted` or to the hard limit."""
    soft, hard = (_finite_limit(limit, wanted) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    if soft < wanted and soft < hard:
        soft = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return soft


def _finite_limit(limit: int, wanted: int) -> int:
    return wanted if limit == resource.RLIM_INFINITY else limit
