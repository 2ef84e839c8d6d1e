"""The connections of one server: which are admitted, which are closed to make room, and which have timed out. Knows
nothing about the bytes of a connection (protocol.py does).
"""

import socket
from collections import Counter, defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Protocol

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge

from daybook_infra.runtime.http.limits import HttpLimits
from daybook_infra.runtime.logs import get_logger

# A provider gives each customer a /64 of IPv6 addresses.
IPV6_NETWORK_BYTES: Final = 8
IPV4_IN_IPV6: Final = bytes(10) + b"\xff\xff"
# A computed order of closing is used for at most this long. Newer connections are not in it, so they get time to send
# their requests.
ORDER_SECONDS: Final = 1.0
# Only the first quarter of a computed order is used.
ORDER_DIVISOR: Final = 4
# Pause after a search that found no connection to close.
SEARCH_SECONDS: Final = 0.1
FULL_LOG_SECONDS: Final = 10.0

log = get_logger(__name__)


class Cut(StrEnum):
    """Why the server ended a connection, as the metric's label."""

    MALFORMED = "malformed"
    HEAD_TOO_LARGE = "head_too_large"
    HEAD_TOO_SLOW = "head_too_slow"
    BODY_TOO_SLOW = "body_too_slow"
    ANSWER_NOT_READ = "answer_not_read"
    TOO_MUCH_UNREAD = "too_much_unread"
    MADE_ROOM = "made_room"
    NO_ROOM = "no_room"
    OVERLOADED = "overloaded"


class ClientConnection(Protocol):
    @property
    def network(self) -> str:
        """The client's network, as `network_of` gives it."""

    @property
    def waiting_since(self) -> float | None:
        """When the server began to wait for the client; None while the client waits for the server."""

    def check(self, now: float) -> None:
        """Ends the connection if its client has kept the server waiting for too long."""

    def drop(self, reason: Cut) -> None:
        """Closes the connection at once."""


class HttpMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("daybook_http_connections", "HTTP connections that are open", registry=registry)
        self.cut = prometheus_client.Counter(
            "daybook_http_cut_total",
            "HTTP connections and requests that a limit ended: " + ", ".join(Cut),
            ("reason",),
            registry=registry,
        )


class Connections:
    def __init__(self, limits: HttpLimits, metrics: HttpMetrics) -> None:
        self.limits = limits
        # Requests that have arrived completely and are not answered yet.
        self.requests_in_progress = 0
        self._most_requests = limits.requests_in_progress
        self._metrics = metrics
        self._open: set[ClientConnection] = set()
        self._networks: Counter[str] = Counter()
        self._to_close: list[ClientConnection] = []
        self._ordered_at = self._next_search_at = self._logged_at = float("-inf")

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, newcomer: ClientConnection, now: float) -> bool:
        """Whether the new connection may stay. If the limit is reached, makes room by closing a connection that waits
        for its client. Refuses the new one if there is none to close, or if its network already has more connections
        than the network of the one to close.
        """
        if len(self._open) >= self.limits.connections:
            self._log_full(now)
            found = self._next_to_close(now)
            if found is None or self._networks[found.network] < self._networks[newcomer.network]:
                self.count_cut(Cut.NO_ROOM)
                return False
            self.forget(found)
            found.drop(Cut.MADE_ROOM)
        self._open.add(newcomer)
        self._networks[newcomer.network] += 1
        self._metrics.open.inc()
        return True

    def forget(self, connection: ClientConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._networks[connection.network] -= 1
            if not self._networks[connection.network]:
                del self._networks[connection.network]
            self._metrics.open.dec()

    def sweep(self, now: float) -> None:
        """Ends the connections whose clients have kept the server waiting for too long."""
        for connection in list(self._open):
            connection.check(now)

    def count_cut(self, reason: Cut) -> None:
        self._metrics.cut.labels(reason.value).inc()

    @property
    def overloaded(self) -> bool:
        return self.requests_in_progress >= self._most_requests

    def _next_to_close(self, now: float) -> ClientConnection | None:
        if now - self._ordered_at > ORDER_SECONDS:
            self._to_close.clear()
        while True:
            while self._to_close:
                found = self._to_close.pop()
                if found in self._open and found.waiting_since is not None:
                    return found
            if now < self._next_search_at:
                return None
            self._compute_order(now)

    def _compute_order(self, now: float) -> None:
        """Keeps only the first part, because newer connections may have to be closed before the rest."""
        order = order_of_closing(self._open)
        self._to_close = order[: len(order) // ORDER_DIVISOR + 1][::-1]
        self._ordered_at = now
        if not order:
            self._next_search_at = now + SEARCH_SECONDS

    def _log_full(self, now: float) -> None:
        if now - self._logged_at > FULL_LOG_SECONDS:
            self._logged_at = now
            log.warning("connections_full", limit=self.limits.connections, working=self.requests_in_progress)


def order_of_closing(connections: Iterable[ClientConnection]) -> list[ClientConnection]:
    """The connections that wait for their client: those of the network with the most connections first, and within a
    network the one that has waited longest. So a flood from one network closes its own connections.
    """
    working: Counter[str] = Counter()
    waiting: dict[str, list[tuple[float, ClientConnection]]] = defaultdict(list)
    for connection in connections:
        since = connection.waiting_since
        if since is None:
            working[connection.network] += 1
        else:
            waiting[connection.network].append((since, connection))
    ranked: list[tuple[int, float, ClientConnection]] = []
    for network, members in waiting.items():
        # A connection's rank: how many connections its network keeps if it and those that wait longer are closed.
        members.sort(key=lambda member: -member[0])
        ranked += [(-rank, since, connection) for rank, (since, connection) in enumerate(members, working[network])]
    ranked.sort(key=lambda one: one[:2])
    return [connection for _, _, connection in ranked]


def network_of(address: str) -> str:
    """The network that an address belongs to: an IPv4 address itself, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if packed.startswith(IPV4_IN_IPV6):
        return socket.inet_ntop(socket.AF_INET, packed[len(IPV4_IN_IPV6) :])
    return packed[:IPV6_NETWORK_BYTES].hex()
