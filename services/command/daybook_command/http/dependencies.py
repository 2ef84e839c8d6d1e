"""What the HTTP door depends on: deliveries, the replies, the users and the outcomes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from daybook_client.kafka.awaited_replies import ReplyRegistry
from daybook_command.http.deliveries import Deliveries
from daybook_command.postgres.outcomes import Outcome
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.topics import Headers
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.settings import Settings


class DoorReplies(ReplyRegistry, Protocol):
    @property
    def partition(self) -> int: ...

    @property
    def waiting(self) -> int: ...

    def headers(self, correlation_id: str) -> Headers: ...


class Users(Protocol):
    def unseen(self, user_ids: Iterable[str]) -> Collection[str]: ...

    async def wait_for(self, user_ids: Collection[str]) -> None: ...


class Outcomes(Protocol):
    async def find(self, key: str, command_id: str, actor: str | None) -> Outcome | None: ...

    async def role(self, org_id: str, user_id: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class DoorDependencies:
    settings: Settings
    deliveries: Deliveries
    replies: DoorReplies
    users: Users
    outcomes: Outcomes
    health: Health
    policy: ServicePolicy | None = None
