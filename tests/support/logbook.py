"""Writes logs of one or more partitions from facts, with the records that the command service would write. Tests can
add void and poison records. Ids are small numbers in the form of UUIDs.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daybook_contracts.entries.entry import EntryError
from daybook_contracts.entries.facts import ACTION_OF, OrgCreated, UserRegistered
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity, Scope
from daybook_contracts.log.head import GENESIS, Head
from daybook_contracts.routing import partition_of
from daybook_contracts.timestamps import timestamp
from support.flat_entries import Flat, seal_flat
from support.world import NOUNS

Claimed = Mapping[str, str]

START = 1_790_000_000_000_000
"""The time of the first record, in microseconds since 1970: a day in 2026."""

SALT = "00112233445566778899aabbccddeeff"


def numbered(prefix: str) -> Callable[[int], str]:
    """Returns a function that turns a small number into a UUID that begins with these two digits."""
    return lambda number: f"{prefix}000000-0000-4000-8000-{number:012d}"


org, user, project, thing = map(numbered, ("0a", "0b", "0c", "0d"))
"""`thing` gives ids of connections, runs, dead letters, alerts and secret references."""


def command_id(number: int) -> str:
    return f"01890000-0000-7000-8000-{number:012d}"


def user_in(partition: int, partitions: int, number: int = 0) -> str:
    """The `number`-th user whose own partition is `partition`."""
    return [user(n) for n in range(1, 100 * partitions) if partition_of(user(n), partitions) == partition][number]


def org_in(partition: int, partitions: int, number: int = 0) -> str:
    return [org(n) for n in range(1, 100 * partitions) if partition_of(org(n), partitions) == partition][number]


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an entry in the log."""

    id: str
    partition: int
    position: int
    offset: int

    @property
    def text(self) -> str:
        return f"{self.partition}.{self.position}"


@dataclass(slots=True)
class Logbook:
    """`published`: how many records of each partition are in Kafka."""

    partitions: int = 1
    records: list[list[bytes | None]] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    commands: int = 0

    def __post_init__(self) -> None:
        self.records = [[] for _ in range(self.partitions)]
        self.published = [0] * self.partitions
        self.heads = [GENESIS] * self.partitions

    def add(self, org_id: str | None, actor: str | None, *facts: Fact, **changes: Any) -> list[Place]:
        """Appends an accepted command, with an entry for each fact. `changes` replace members of the flat entries."""
        self.commands += 1
        entries = [self._success(org_id, actor, fact, ordinal, len(facts)) for ordinal, fact in enumerate(facts)]
        return [self.append({**entry, **changes}) for entry in entries]

    def register(self, user_id: str) -> Place:
        return self.add(None, user_id, UserRegistered(user_id=user_id))[0]

    def refuse(self, org_id: str | None, actor: str | None, action: str, entity_id: str, claimed: Claimed) -> Place:
        """Appends a rejected command of a member or a service. Its data is `claimed`, which names the org or the user
        if `org_id` is None.
        """
        self.commands += 1
        key = org_id or claimed.get("org_id") or claimed["user_id"]
        return self._failure(self._columns(org_id, actor, action, entity_id, key), claimed)

    def refuse_outsider(
        self, org_id: str | None, actor: str | None, action: str, entity_id: str, claimed: Claimed
    ) -> Place:
        """Appends a rejected command of a user who is not a member of the org, or who tried to register another
        user.
        """
        self.commands += 1
        key = entity_id if action == "REGISTER_USER" else org_id or claimed["org_id"]
        columns = self._columns(org_id, actor, action, entity_id, key)
        id_ = Identity("outsider", key, actor or claimed["actor_user_id"], columns["command_id"]).first_id()
        return self._failure({**columns, "scope": "outsider", "id": id_}, claimed)

    def append(self, flat: Flat) -> Place:
        value, head = seal_flat(flat, self.heads[flat["partition"]])
        return self.append_value(flat["partition"], value, head, flat["id"])

    def append_value(self, partition: int, value: bytes, head: Head, id_: str = "") -> Place:
        self.heads[partition] = head
        self.records[partition].append(value)
        return Place(id_, partition, head.position, len(self.records[partition]) - 1)

    def void(self, partition: int, value: bytes | None = b"garbage") -> None:
        self.records[partition].append(value)

    def _failure(self, columns: Flat, claimed: Claimed) -> Place:
        data = json.dumps(claimed, separators=(",", ":"), sort_keys=True).encode()
        error = EntryError("FORBIDDEN", "The actor has no right to do this.")
        return self.append({**columns, "result": "failure", "data": data, "error": error})

    def _success(self, org_id: str | None, actor: str | None, fact: Fact, ordinal: int, entries: int) -> Flat:
        action = ACTION_OF[type(fact)]
        key = org_id or str(getattr(fact, "user_id", ""))
        entity_id = _entity_of(action, fact, key)
        columns = self._columns(org_id, actor, action, entity_id, key, ordinal)
        project_id = getattr(fact, "project_id", None)
        return {**columns, "project_id": project_id, "entries": entries, "result": "success", "data": encode_fact(fact)}

    def _columns(
        self, org_id: str | None, actor: str | None, action: str, entity_id: str, key: str, ordinal: int = 0
    ) -> Flat:
        id_ = command_id(self.commands)
        partition = partition_of(key, self.partitions)
        scope: Scope = "user" if action == "REGISTER_USER" else "org"
        return {
            "action": action,
            "actor_user_id": actor,
            "created_at": timestamp(START + 1000 * sum(map(len, self.records)) + ordinal),
            "entity_id": entity_id,
            "entity_type": NOUNS[action.partition("_")[2]][0],
            "id": Identity(scope, key, None, id_, ordinal).first_id(),
            "org_id": org_id,
            "project_id": None,
            "command_id": id_,
            "entries": 1,
            "error": None,
            "key": key,
            "ordinal": ordinal,
            "partition": partition,
            "principal": f"user:{actor}" if actor else "service:importer",
            "request": request_hash(bytes.fromhex(SALT), action, org_id, actor, b"{}"),
            "salt": SALT,
            "scope": scope,
        }


def log_with(*org_ids: str, users: Sequence[str] = (), partitions: int = 1) -> Logbook:
    """A log in which these users (by default user 1) are registered, and the first of them creates these orgs."""
    people, log = users or (user(1),), Logbook(partitions)
    for user_id in people:
        log.register(user_id)
    for org_id in org_ids:
        log.add(org_id, people[0], OrgCreated(name="a"))
    return log


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a consumer's record that the projector reads."""

    offset: int
    value: bytes | None


def records(values: Iterable[bytes | None], start: int = 0) -> list[Record]:
    return [Record(offset, value) for offset, value in enumerate(values, start=start)]


def _entity_of(action: str, fact: Fact, key: str) -> str:
    return str(getattr(fact, NOUNS[action.partition("_")[2]][1], key))
