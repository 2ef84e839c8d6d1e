"""An org as the deciders see it, folded from its entries. It must not know topics, tables or time.

Members, projects, connections and secret references are all there. Runs, dead letters, alerts and what a connection has
been doing are there where a command names them: there may be millions.
"""

from dataclasses import dataclass, field
from typing import Final

from immutables import Map

FAILURES_COUNTED: Final = 3
"""No rule asks for more failed runs in a row."""


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    members: Map[str, str]
    """user id -> project role"""


@dataclass(frozen=True, slots=True)
class Activity:
    """What a connection has been doing, and what it is configured to do."""

    config: bytes
    """SHA-256 of the config's JCS: enough to tell whether another one is the same."""
    running: str | None = None
    """The run that is under way."""
    failures: int = 0
    """How many of the last finished runs failed in a row, cancelled ones left out; at most FAILURES_COUNTED."""
    pending: int = 0
    """Pending dead letters."""
    more: bool = False
    """There are at least `pending`: nobody counts a million."""


@dataclass(frozen=True, slots=True)
class Connection:
    project_id: str
    type: str
    name: str
    active: bool
    key_names: frozenset[str]
    """Of the secret references that its config names."""
    activity: Activity | None = None
    """None until a command names the connection."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    key_name: str
    digest: bytes
    """SHA-256 of `secret_id_ref`."""


@dataclass(frozen=True, slots=True)
class Run:
    connection_id: str
    status: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    connection_id: str
    pending: bool
    retry_count: int


@dataclass(frozen=True, slots=True)
class Alert:
    project_id: str
    severity: str


@dataclass(frozen=True, slots=True)
class Org:
    """All maps are by id, but `key_names`."""

    name: str
    members: Map[str, str]
    """user id -> role"""
    owners: int
    """How many members are owners: counted as they change, because nobody can count 100,000 members per command."""
    projects: Map[str, Project]
    connections: Map[str, Connection] = field(default_factory=Map)
    secret_refs: Map[str, SecretRef] = field(default_factory=Map)
    key_names: Map[str, str] = field(default_factory=Map)
    """key_name -> secret reference's id"""
    runs: Map[str, Run] = field(default_factory=Map)
    dead_letters: Map[str, DeadLetter] = field(default_factory=Map)
    alerts: Map[str, Alert] = field(default_factory=Map)
