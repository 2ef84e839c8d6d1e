"""The things of an org that are too many to be loaded with it: which a command names, which a fact changes.

Enters: a command, a fact, an org. Leaves: references, or the org with some of them put in or left out.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar, get_args

import msgspec
from immutables import Map

from daybook_command.domain.state import Activity, Alert, Connection, DeadLetter, Org, Run
from daybook_contracts.commands.dead_letters import ResolveDlqEvents, RetryDlqEvents
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import DlqEventsResolved, DlqEventsRetried
from daybook_contracts.entries.fields import Rule
from daybook_contracts.entries.identity import policy_alert_id

RULES: Final[tuple[Rule, ...]] = get_args(Rule)
"""In the order in which their entries stand."""


Child = TypeVar("Child")


class Kind(StrEnum):
    CONNECTION = "source_connection"
    RUN = "sync_run"
    DEAD_LETTER = "dlq_event"
    ALERT = "integration_alert"


class Ref(NamedTuple):
    """CONNECTION stands for the connection's activity: the connection itself is loaded with its org."""

    kind: Kind
    id: str


_FIELDS: Final = (
    ("connection_id", Kind.CONNECTION),
    ("sync_run_id", Kind.RUN),
    ("dlq_event_id", Kind.DEAD_LETTER),
    ("alert_id", Kind.ALERT),
)


@dataclass(frozen=True, slots=True)
class Children:
    """Rows as of a snapshot. `beyond`: how many more dead letters the batch's filter matches; 10001 means more.

    `recounted`: untouched pending dead letters of a connection, up to the limit that was asked for.
    """

    runs: Mapping[str, Run] = field(default_factory=dict)
    dead_letters: Mapping[str, DeadLetter] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    activities: Mapping[str, Activity] = field(default_factory=dict)
    recounted: Mapping[str, int] = field(default_factory=dict)
    beyond: int = 0

    def refs(self) -> Iterable[Ref]:
        """Of those that a batch may leave behind; a connection's activity stays with its org."""
        for kind, ids in ((Kind.RUN, self.runs), (Kind.DEAD_LETTER, self.dead_letters), (Kind.ALERT, self.alerts)):
            for id_ in ids:
                yield Ref(kind, id_)


def named_by(command: Command) -> frozenset[Ref]:
    """All that deciding the command may ask for, as far as the command alone can tell."""
    refs = set(_single(command.data))
    match command:
        case RetryDlqEvents(data=data) | ResolveDlqEvents(data=data):
            refs.update(Ref(Kind.DEAD_LETTER, id_) for id_ in data.ids or ())
        case _:
            pass
    return with_alerts(refs)


def with_alerts(refs: Iterable[Ref]) -> frozenset[Ref]:
    """The references, and the alerts that policies may have open for their connections."""
    named = frozenset(refs)
    connections = [ref.id for ref in named if ref.kind is Kind.CONNECTION]
    return named | {Ref(Kind.ALERT, policy_alert_id(id_, rule)) for id_ in connections for rule in RULES}


def activity_of(org: Org, connection_id: str) -> Activity:
    """Of a connection that the command names, so it was looked up; LookupError where that was forgotten."""
    activity = org.connections[connection_id].activity
    if activity is None:
        raise LookupError("nobody looked up what the connection has been doing")
    return activity


def touched_by(fact: msgspec.Struct) -> tuple[Ref, ...]:
    """What a fact makes or changes, as far as the fact alone can tell."""
    match fact:
        case DlqEventsRetried() | DlqEventsResolved():
            return (Ref(Kind.CONNECTION, fact.connection_id), *(Ref(Kind.DEAD_LETTER, id_) for id_ in fact.ids))
        case _:
            return tuple(_single(fact))


def _single(named: object) -> Iterable[Ref]:
    for name, kind in _FIELDS:
        id_ = getattr(named, name, None)
        if isinstance(id_, str):
            yield Ref(kind, id_)


def put(org: Org, children: Children, touched: Collection[Ref]) -> Org:
    """The org with rows that were read for it; of what entries have touched since, it knows better itself."""
    return replace(
        org,
        connections=_with_activities(org, children),
        runs=_put(org.runs, Kind.RUN, children.runs, touched),
        dead_letters=_put(org.dead_letters, Kind.DEAD_LETTER, children.dead_letters, touched),
        alerts=_put(org.alerts, Kind.ALERT, children.alerts, touched),
    )


def _with_activities(org: Org, children: Children) -> Map[str, Connection]:
    connections = org.connections
    for connection_id, activity in children.activities.items():
        connection = connections.get(connection_id)
        if connection is not None and connection.activity is None:
            connections = connections.set(connection_id, replace(connection, activity=activity))
    return connections


def _put(here: Map[str, Child], kind: Kind, rows: Mapping[str, Child], touched: Collection[Ref]) -> Map[str, Child]:
    return here.update({id_: row for id_, row in rows.items() if Ref(kind, id_) not in touched}) if rows else here


def without(org: Org, refs: Iterable[Ref]) -> Org:
    """The org without these runs, dead letters and alerts: they can be read again."""
    runs, dead_letters, alerts = org.runs, org.dead_letters, org.alerts
    for kind, id_ in refs:
        match kind:
            case Kind.RUN:
                runs = _drop(runs, id_)
            case Kind.DEAD_LETTER:
                dead_letters = _drop(dead_letters, id_)
            case Kind.ALERT:
                alerts = _drop(alerts, id_)
            case Kind.CONNECTION:
                pass
    return replace(org, runs=runs, dead_letters=dead_letters, alerts=alerts)


def _drop(here: Map[str, Child], id_: str) -> Map[str, Child]:
    return here.delete(id_) if id_ in here else here
