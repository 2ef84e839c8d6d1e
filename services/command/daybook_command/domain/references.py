"""References to the things that are looked up before a command is decided: users, chosen ids, and children of an org.

Children are the things that are not loaded with their org, because there may be too many: sync runs, dead letters,
alerts, and the activity of connections.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, get_args

from msgspec import Struct

from daybook_contracts.entries.fields import Rule
from daybook_contracts.entries.identity import policy_alert_id
from daybook_contracts.limits import BULK_IDS

RULES: Final[tuple[Rule, ...]] = get_args(Rule)
"""The rules of policies. If several of them add entries after one command, the entries are in this order."""


class ChildKind(StrEnum):
    """The values are entity types. CONNECTION means a connection's activity; the connections themselves are loaded with
    their org.
    """

    CONNECTION = "source_connection"
    RUN = "sync_run"
    DEAD_LETTER = "dlq_event"
    ALERT = "integration_alert"


# The members as constants: in Python 3.11, `ChildKind.RUN` takes 0.1 µs, and a command needs about twelve of them.
CONNECTION, RUN, DEAD_LETTER, ALERT = ChildKind


class ChildRef(Struct, frozen=True, gc=False, cache_hash=True):
    kind: ChildKind
    id: str


class ChosenId(NamedTuple):
    """The id that a service chose for the thing its command creates, and the table in which the id must be free."""

    table: str
    id: str


class PendingLetters(NamedTuple):
    """The pending dead letters of a connection, in the order of their ids. `max_retry_count`: only those that were
    retried at most this often; None means all.
    """

    connection_id: str
    max_retry_count: int | None


class Named(Struct, frozen=True, gc=False):
    """The things that the command's fields name. Its actor and its org are not among them.

    `filter`: of a bulk command. Its matches depend on every earlier command of the org, so a batch with it takes no
    other command of this org.
    """

    users: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    filter: PendingLetters | None = None
    chosen: ChosenId | None = None

    def refs(self) -> list[ChildRef]:
        """The named children. The decision may also read their connections and those connections' alerts."""
        kinds = (
            (CONNECTION, self.connections),
            (RUN, self.runs),
            (DEAD_LETTER, self.dead_letters),
            (ALERT, self.alerts),
        )
        return [ChildRef(kind, id_) for kind, ids in kinds for id_ in ids]

    @property
    def most_letters(self) -> int:
        """How many dead letters the look-up for the command may return; at least 1."""
        return BULK_IDS if self.filter is not None else max(1, len(self.dead_letters))


def with_alerts(refs: Iterable[ChildRef]) -> frozenset[ChildRef]:
    """Adds to `refs` the alerts that policies may have raised for the connections in `refs`."""
    named = frozenset(refs)
    alerts = [_alerts_of(ref.id) for ref in named if ref.kind is CONNECTION]
    return named.union(*alerts) if alerts else named


@lru_cache(maxsize=20_000)  # about 15 MB
def _alerts_of(connection_id: str) -> frozenset[ChildRef]:
    """The alerts that policies may have raised for the connection."""
    return frozenset([ChildRef(ALERT, policy_alert_id(connection_id, rule)) for rule in RULES])


def optional_id(id_: str | None) -> tuple[str, ...]:
    """An optional id as a tuple, for a field of Named."""
    return () if id_ is None else (id_,)


def chosen_id(table: str, id_: str | None) -> ChosenId | None:
    return None if id_ is None else ChosenId(table, id_)
