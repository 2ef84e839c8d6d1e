"""What a connection has been doing: its runs and dead letters change it, and policies watch it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from daybook_command.domain.permissions import Acting, Standings, in_project
from daybook_command.domain.references import ChildKind, ChildRef
from daybook_command.domain.state import Org

FAILURES_COUNTED: Final = 3
"""No rule asks for more failed runs in a row."""


@dataclass(frozen=True, slots=True)
class Activity:
    config: bytes
    """SHA-256 of the config's JCS: enough to tell whether another one is the same."""
    running: str | None = None
    """The run that is under way."""
    failures: int = 0
    """How many of the last finished runs failed in a row, cancelled ones left out; at most FAILURES_COUNTED."""
    pending: int = 0
    """Pending dead letters."""
    more: bool = False
    """Whether `pending` is a lower bound, because counting stopped there."""


class NamesConnection(Protocol):
    """A run, a dead letter, or the data of a command or an entry."""

    @property
    def connection_id(self) -> str: ...


class ConnectionCommand(Acting, Protocol):
    """Any command whose data names a connection."""

    @property
    def data(self) -> NamesConnection: ...


def project_of(org: Org | None, connection_id: str) -> str | None:
    connection = None if org is None else org.connections.get(connection_id)
    return None if connection is None else connection.project_id


def rights_on_child(command: Acting, org: Org, child: NamesConnection) -> Standings:
    return in_project(command, org, org.connections[child.connection_id].project_id)


def activity_of(org: Org, connection_id: str) -> Activity:
    """Of a connection that the command names; LookupError if it was not looked up before the decision."""
    activity = org.connections[connection_id].activity
    if activity is None:
        raise LookupError("the connection's activity was not looked up")
    return activity


def with_activity(org: Org, connection_id: str, change: Callable[[Activity], Activity]) -> Org:
    """Activity that was not looked up stays unknown."""
    connection = org.connections[connection_id]
    if connection.activity is None:
        return org
    changed = replace(connection, activity=change(connection.activity))
    return replace(org, connections=org.connections.set(connection_id, changed))


def touches_connection(fact: NamesConnection) -> tuple[ChildRef, ...]:
    return (ChildRef(ChildKind.CONNECTION, fact.connection_id),)
