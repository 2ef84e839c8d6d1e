"""A connection's activity: a summary of its runs and dead letters. Policies decide on this summary. The projector keeps
it as rows of `daybook.connection_activity`.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from daybook_command.domain.permissions import Acting, Standings, project_standings
from daybook_command.domain.references import ChildKind, ChildRef
from daybook_command.domain.state import Org


class Activity(Struct, frozen=True, gc=False):
    config: bytes
    """SHA-256 of the config's JCS. It tells whether a new config is the same."""
    running: str | None = None
    """The id of the running run."""
    failures: int = 0
    """How many runs have failed since the last successful one."""
    pending: int = 0
    """How many dead letters are pending."""


class NamesConnection(Protocol):
    """A run, a dead letter, or the data of a command or an entry that names a connection."""

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
    return project_standings(command, org, org.connections[child.connection_id].project_id)


def activity_of(org: Org, connection_id: str) -> Activity:
    """The activity of a connection. Raises KeyError if the connection has none, because a missing row must not count as
    zero.
    """
    activity = org.connections[connection_id].activity
    if activity is None:
        raise KeyError(f"connection {connection_id} has no row in daybook.connection_activity, or it was not looked up")
    return activity


def with_activity(org: Org, connection_id: str, change: Callable[[Activity], Activity]) -> Org:
    """The org with the connection's activity changed. Raises KeyError like `activity_of`."""
    changed = replace(org.connections[connection_id], activity=change(activity_of(org, connection_id)))
    return replace(org, connections=org.connections.set(connection_id, changed))


def touched_connection(fact: NamesConnection) -> tuple[ChildRef, ...]:
    return (ChildRef(ChildKind.CONNECTION, fact.connection_id),)
