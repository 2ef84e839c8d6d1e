"""An HTTP server's bounds on unauthenticated clients: settings and the descriptor limit in, bounds out."""

import resource
from dataclasses import dataclass
from typing import Final

from daybook_infra.runtime.errors import SettingsError
from daybook_infra.runtime.settings import Settings

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Default of DAYBOOK_MAX_CONNECTIONS. A connection with a full head costs about 50 KiB: 200 MiB at worst.
CONNECTIONS: Final = 4_000
# The kernel's queue of connections not accepted yet; all of it may be accepted before one can be closed again.
BACKLOG: Final = 256
# Kafka clients (up to nine, with a connection for each broker), PostgreSQL pools, listeners, files.
RESERVED: Final = 256
# For probes, scrapers and one or two people.
ADMIN_CONNECTIONS: Final = 64
# With fewer the service does not start.
FEWEST: Final = 16


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
    # For the client to read an answer; what fits into the kernel's buffer counts as read.
    answer_seconds: float = 30.0
    # What a client sends after its answer is discarded: it may still be writing before it reads the answer.
    discard_seconds: float = 10.0
    discard_bytes: int = 8 * MIB
    # The same after the server itself refused: honest clients are never far over a limit.
    refused_bytes: int = 256 * KIB
    # Requests that arrived before the previous one was answered.
    pipelined: int = 8

    @property
    def working(self) -> int:
        """Beyond so many requests only health is answered, so some connections can always be closed for new ones."""
        return self.connections - max(1, min(64, self.connections // 16))


def main_limits(settings: Settings) -> HttpLimits:
    """Raises SettingsError if the process may not have as many descriptors as the settings need."""
    reserved = RESERVED + BACKLOG + (0 if settings.admin_port is None else ADMIN_CONNECTIONS + BACKLOG)
    asked = settings.max_connections
    allowed = _descriptors((asked or CONNECTIONS) + reserved) - reserved
    if asked is not None and allowed < asked:
        raise SettingsError(
            f"DAYBOOK_MAX_CONNECTIONS: {asked} connections need {asked + reserved} descriptors, and this process "
            f"may have {allowed + reserved}; lower it, or raise the limit (`ulimit -n`, systemd's LimitNOFILE)"
        )
    if allowed < FEWEST:
        raise SettingsError(
            f"this process may have {allowed + reserved} descriptors and needs {FEWEST + reserved}; "
            "raise the limit (`ulimit -n`, systemd's LimitNOFILE)"
        )
    return HttpLimits(connections=min(asked or CONNECTIONS, allowed))


def _descriptors(wanted: int) -> int:
    """How many descriptors this process may have, after raising its soft limit to `wanted` or to the hard limit."""
    soft, hard = (_finite(limit, wanted) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    if soft < wanted and soft < hard:
        soft = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return soft


def _finite(limit: int, wanted: int) -> int:
    return wanted if limit == resource.RLIM_INFINITY else limit
