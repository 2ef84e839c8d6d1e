"""Adds to an org the children that were read for a batch, and removes them again."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from immutables import Map
from msgspec import Struct, field
from msgspec.structs import replace

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.connections import Connection
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import ALERT, DEAD_LETTER, RUN, ChildKind, ChildRef
from daybook_command.domain.state import Org
from daybook_command.domain.syncs import Run

Child = TypeVar("Child")


class Children(Struct, frozen=True, gc=False):
    """Rows as of a snapshot. `unread_matches`: how many dead letters match the batch's filter but were not read;
    10001 means more than 10000.
    """

    runs: Mapping[str, Run] = field(default_factory=dict)
    dead_letters: Mapping[str, DeadLetter] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    activities: Mapping[str, Activity] = field(default_factory=dict)
    unread_matches: int = 0

    def refs(self) -> list[ChildRef]:
        """The children that can be dropped after the batch. A connection's activity is kept."""
        kinds = (
            (RUN, self.runs),
            (DEAD_LETTER, self.dead_letters),
            (ALERT, self.alerts),
        )
        return [ChildRef(kind, id_) for kind, rows in kinds for id_ in rows]


def with_children(org: Org, children: Children, touched: Collection[ChildRef]) -> Org:
    """The org with the rows that were read for it. A row does not replace a child in `touched`, which is newer."""
    return replace(
        org,
        connections=_with_activities(org, children),
        runs=_add_untouched(org.runs, RUN, children.runs, touched),
        dead_letters=_add_untouched(org.dead_letters, DEAD_LETTER, children.dead_letters, touched),
        alerts=_add_untouched(org.alerts, ALERT, children.alerts, touched),
    )


def _with_activities(org: Org, children: Children) -> Map[str, Connection]:
    connections = org.connections
    for connection_id, activity in children.activities.items():
        connection = connections.get(connection_id)
        if connection is not None and connection.activity is None:
            connections = connections.set(connection_id, replace(connection, activity=activity))
    return connections


def _add_untouched(
    current: Map[str, Child], kind: ChildKind, rows: Mapping[str, Child], touched: Collection[ChildRef]
) -> Map[str, Child]:
    if not rows:
        return current
    return current.update({id_: row for id_, row in rows.items() if ChildRef(kind, id_) not in touched})


def without_children(org: Org, refs: Collection[ChildRef]) -> Org:
    """The org without these runs, dead letters and alerts, which can be read again."""
    return replace(
        org,
        runs=_remove(org.runs, RUN, refs),
        dead_letters=_remove(org.dead_letters, DEAD_LETTER, refs),
        alerts=_remove(org.alerts, ALERT, refs),
    )


def _remove(current: Map[str, Child], kind: ChildKind, refs: Collection[ChildRef]) -> Map[str, Child]:
    for ref in refs if current else ():
        if ref.kind is kind and ref.id in current:
            current = current.delete(ref.id)
    return current
