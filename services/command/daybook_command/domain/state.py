"""An org as the deciders see it, folded from its entries.

Members, projects, connections and secret references are always complete. Runs, dead letters, alerts and the activity of
connections are loaded only when a command needs them, because an org may have millions.
"""

from typing import TYPE_CHECKING

from immutables import Map
from msgspec import Struct, field

from daybook_contracts.entries.fields import Role

if TYPE_CHECKING:  # these modules import Org
    from daybook_command.domain.alerts import Alert
    from daybook_command.domain.connections import Connection
    from daybook_command.domain.dead_letters import DeadLetter
    from daybook_command.domain.projects import Project
    from daybook_command.domain.secret_refs import SecretRef
    from daybook_command.domain.syncs import Run


class Org(Struct, frozen=True, gc=False):
    """All maps are by id, except `key_names`."""

    name: str
    members: Map[str, Role]
    """user id -> role"""
    owners: int
    """How many members are owners. Counting up to 100,000 members for each command would take too long."""
    projects: "Map[str, Project]"
    connections: "Map[str, Connection]" = field(default_factory=Map)
    secret_refs: "Map[str, SecretRef]" = field(default_factory=Map)
    key_names: Map[str, str] = field(default_factory=Map)
    """key_name -> secret reference's id"""
    runs: "Map[str, Run]" = field(default_factory=Map)
    dead_letters: "Map[str, DeadLetter]" = field(default_factory=Map)
    alerts: "Map[str, Alert]" = field(default_factory=Map)
