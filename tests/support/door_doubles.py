"""The door without servers: in-memory stand-ins for Kafka, the users, the outcomes and the shards; all else is real."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import orjson
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from daybook_client.kafka.command_publisher import CommandToSend, Fate, Receipt
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.replies import Replies
from daybook_command.http.app import create_app
from daybook_command.http.deliveries import Deliveries, DoorShards, Publisher
from daybook_command.http.dependencies import DoorDependencies
from daybook_command.postgres.outcomes import Outcome
from daybook_command.shard.intake import SentCommand
from daybook_contracts.codes import Code
from daybook_contracts.results import Accepted, EntryRef, Result, encode_record, problem
from daybook_contracts.senders.policy import ServicePolicy
from daybook_contracts.topics import CORRELATION_ID
from daybook_infra.runtime.health import Health
from daybook_infra.runtime.http.auth import Authenticator
from daybook_infra.runtime.http.problems import RequestRefused
from daybook_infra.runtime.settings import Settings
from support.publisher import claims_of

SECRET = "a secret of at least thirty-two bytes"
USER = "00000000-0000-4000-8000-0000000000a1"
OTHER = "00000000-0000-4000-8000-0000000000a2"
ORG = "00000000-0000-4000-8000-000000000001"
ENTRY = "01890000-0000-8d42-a25f-2195770a803a"

Decide = Callable[[dict[str, Any]], Result | None]
Verifier = Callable[..., Authenticator]
"""Takes settings as keyword arguments."""


@dataclass(slots=True)
class Clock:
    """A clock in seconds that the test sets."""

    now: float

    def __call__(self) -> float:
        return self.now


async def refusal(authenticator: Authenticator, header: str | None) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        await authenticator.principal(header)
    return caught.value


async def status(authenticator: Authenticator, jwt_text: str) -> int:
    """200 if the token is accepted, else the status of the refusal."""
    try:
        await authenticator.principal(f"Bearer {jwt_text}")
    except RequestRefused as refused:
        return refused.rejected.status
    return 200


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem answer, after checking that its members are consistent."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:daybook:problem:{body['code']}"
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


def accepted(command: dict[str, Any]) -> Result:
    entity = command["org_id"] or command["data"]["user_id"]
    return Accepted(command["id"], (EntryRef(ENTRY, command["type"], "org", entity),), "6.7")


def rejected(command: dict[str, Any]) -> Result:
    return problem(Code.LAST_OWNER, "the last one", command_id=command["id"], entry_id=ENTRY, position="6.7")


def undecided(_: dict[str, Any]) -> None:
    return None


@dataclass(slots=True)
class Kafka:
    """Keeps the records of each call. Unless `fate` is NOTHING_DONE, `decide` gives the result of each command; None
    means that no answer comes.
    """

    replies: Replies
    decide: Decide = accepted
    fate: Fate = Fate.PUBLISHED
    calls: list[list[CommandToSend]] = field(default_factory=list)

    async def hand_over(self, records: Iterable[CommandToSend], count: int) -> Awaitable[list[Receipt]]:
        return self._receipts(list(records))

    async def _receipts(self, records: Sequence[CommandToSend]) -> list[Receipt]:
        ends = Counter(record.partition for record in self.records)
        self.calls.append([*records])
        receipts = []
        for record in records:
            result = self.decide(orjson.loads(record.value)) if self.fate is not Fate.NOTHING_DONE else None
            correlation_id = dict(record.headers).get(CORRELATION_ID)
            if result is not None and correlation_id is not None:
                self.replies.resolve(correlation_id.decode(), encode_record(result))
            offset = ends[record.partition] if self.fate is Fate.PUBLISHED else None
            ends[record.partition] += 1
            receipts.append(Receipt(self.fate, offset))
        return receipts

    @property
    def records(self) -> list[CommandToSend]:
        return [record for call in self.calls for record in call]

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [orjson.loads(record.value) for record in self.records]


@dataclass(slots=True)
class Users:
    """`awaited`: for each call of `wait_for`, the users and how many commands were published by then."""

    kafka: Kafka
    known: set[str] = field(default_factory=lambda: {USER, OTHER})
    awaited: list[tuple[set[str], int]] = field(default_factory=list)

    def unseen(self, user_ids: Iterable[str]) -> list[str]:
        return [user_id for user_id in user_ids if user_id not in self.known]

    async def wait_for(self, user_ids: Collection[str]) -> None:
        self.awaited.append((set(user_ids), len(self.kafka.records)))


@dataclass(slots=True)
class Outcomes:
    found: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    roles: dict[tuple[str, str], str] = field(default_factory=dict)
    actors: list[str | None] = field(default_factory=list)
    error: Exception | None = None

    async def find(self, key: str, command_id: str, actor: str | None) -> Outcome | None:
        self.actors.append(actor)
        if self.error is not None:
            raise self.error
        return self.found.get((key, command_id))

    async def role(self, org_id: str, user_id: str) -> str | None:
        return self.roles.get((org_id, user_id))


class NoShards:
    """Other instances own all partitions."""

    def takes_local(self, partition: int) -> bool:
        return False

    def decided_to(self, partition: int) -> int | None:
        return None

    def has_room(self, partition: int, key: str, commands: int, size: int) -> bool:
        return True

    async def wait_for_room(self) -> None:
        raise AssertionError

    def queue_local(self, partition: int, commands: Sequence[SentCommand]) -> None:
        raise AssertionError(partition)

    def withdraw(self, partition: int, tickets: Collection[bytes]) -> Collection[bytes]:
        raise AssertionError(partition)


class DoorAlone:
    """A door for one test. `principal` sends the commands unless a call names another one. `publishing` replaces the
    in-memory Kafka.
    """

    def __init__(
        self,
        principal: str = f"user:{USER}",
        publishing: Callable[[Replies], Publisher] | None = None,
        *,
        policy: ServicePolicy | None = None,
        shards: DoorShards | None = None,
        **changes: Any,
    ) -> None:
        own: dict[str, Any] = {"jwt_secret": SecretStr(SECRET), "wait_seconds": 0.05}
        self.settings = Settings.model_validate(own | changes)
        self.replies = Replies(KafkaConnection(""), "results", "test", partitions=self.settings.partitions)
        self.kafka = Kafka(self.replies)
        self.users = Users(self.kafka)
        self.outcomes = Outcomes()
        self.health = Health()
        self.principal = principal
        publisher = self.kafka if publishing is None else publishing(self.replies)
        self.shards = NoShards() if shards is None else shards
        self.deliveries = Deliveries(publisher, self.shards)
        looking = self.users, self.outcomes, self.health, policy
        deps = DoorDependencies(self.settings, self.deliveries, self.replies, *looking)
        self.app = create_app(deps, registry=CollectorRegistry())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://door")

    async def send(self, command: object, principal: str | None = None, **headers: str) -> httpx.Response:
        body = command if isinstance(command, bytes) else orjson.dumps(command)
        return await self.post("/v1/commands", body, principal, **headers)

    async def send_batch(self, commands: object, principal: str | None = None, **headers: str) -> httpx.Response:
        body = commands if isinstance(commands, bytes) else orjson.dumps(commands)
        return await self.post("/v1/commands:batch", body, principal, **headers)

    async def post(self, path: str, body: bytes, principal: str | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=body, headers=self.bearer(principal) | named)

    async def outcome(self, key: str, command_id: str, principal: str | None = None) -> httpx.Response:
        return await self.client.get(f"/v1/orgs/{key}/commands/{command_id}", headers=self.bearer(principal))

    def bearer(self, principal: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token(principal or self.principal)}"}


def claims(principal: str = f"user:{USER}", **changes: Any) -> dict[str, Any]:
    return claims_of(principal, **changes)


def token(principal: str = f"user:{USER}", **changes: Any) -> str:
    return jwt.encode(claims(principal, **changes), SECRET, "HS256")


def rename(name: str = "Ada", **changes: Any) -> dict[str, Any]:
    """A valid RENAME_ORG; a member given as `...` is left out."""
    good = {
        "id": "01890000-0000-7000-8000-000000000002",
        "type": "RENAME_ORG",
        "org_id": ORG,
        "actor_user_id": USER,
        "data": {"name": name},
    }
    return {member: value for member, value in (good | changes).items() if value is not ...}
