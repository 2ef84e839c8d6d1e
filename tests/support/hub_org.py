"""An org with a project and connections, created through the HTTP door of a running system."""

from dataclasses import dataclass
from typing import Any

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json
from support.driving import fresh_id, register
from support.publisher import Door, Send, decided
from support.workload import SERVICE, by_user, command


@dataclass(frozen=True, slots=True)
class HubOrg:
    org_id: str
    owner: str
    project_id: str
    connections: tuple[str, ...]

    @property
    def connection_id(self) -> str:
        return self.connections[0]

    def by_owner(self, kind: str, **data: Any) -> Send:
        return by_user(kind, self.org_id, self.owner, fresh_id(), **data)

    def by_service(self, kind: str, **data: Any) -> Send:
        return Send(SERVICE, command(kind, self.org_id, None, fresh_id(), **data))

    def start(self, connection_id: str | None = None) -> Send:
        return self.by_service("START_SYNC", connection_id=connection_id or self.connection_id)

    def complete(self, sync_run_id: str) -> Send:
        return self.by_service("COMPLETE_SYNC", sync_run_id=sync_run_id)


async def new_hub_orgs(door: Door, database: Connection, orgs: int, connections: int = 1) -> list[HubOrg]:
    owners = [fresh_id() for _ in range(orgs)]
    await register(door, database, owners)
    return [await _founded(door, owner, connections) for owner in owners]


async def _founded(door: Door, owner: str, connections: int) -> HubOrg:
    org = HubOrg(fresh_id(), owner, "", ())
    await done(door, org.by_owner("CREATE_ORG", name="Org"))
    project_id = made_id(await done(door, org.by_owner("CREATE_PROJECT", name="Web")))
    crm = {"project_id": project_id, "type": "crm", "config": {}}
    made = [await done(door, org.by_owner("CREATE_CONNECTION", name=f"CRM {at}", **crm)) for at in range(connections)]
    return HubOrg(org.org_id, owner, project_id, tuple(map(made_id, made)))


async def done(door: Door, send: Send) -> Json:
    """The answer to a command that must succeed."""
    answer = await decided(send, door)
    assert answer["status"] == 200, answer
    return answer


def made_id(answer: Json) -> str:
    """The id of the thing that the command created."""
    id_: str = answer["entries"][0]["entity_id"]
    return id_
