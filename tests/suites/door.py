"""Contract suites for what the HTTP door depends on: the publisher of commands, and the readers of PostgreSQL."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import pytest

from daybook_client.kafka.command_publisher import CommandToSend, Fate
from daybook_command.http.deliveries import Publisher
from daybook_command.http.dependencies import Outcomes, Users
from daybook_command.postgres.outcomes import Outcome
from daybook_contracts.entries.identity import Identity
from daybook_contracts.results import Accepted, EntryRef
from daybook_infra.runtime.errors import DatabaseAway
from support.door_doubles import ORG, OTHER, USER, rename

COMMAND: str = rename()["id"]
IDENTITY = Identity("org", ORG, None, COMMAND)
RENAMED = Outcome(
    Accepted(COMMAND, (EntryRef(IDENTITY.first_id(), "RENAME_ORG", "org", ORG),), "6.7"), "RENAME_ORG", None, ORG
)


async def published(publisher: Publisher, records: Sequence[CommandToSend]) -> list[Fate]:
    receipts = await publisher.hand_over(records, len(records))
    return [receipt.fate for receipt in await receipts]


class Broker(ABC):
    """A broker whose commands topic has three partitions."""

    publisher: Publisher

    @abstractmethod
    async def taken(self, partition: int, count: int) -> list[CommandToSend]: ...

    @abstractmethod
    async def go_away(self) -> None: ...


class PublisherContract:
    async def test_records_are_published_in_order_to_their_partitions(self, broker: Broker) -> None:
        records = [CommandToSend(n % 3, b"key", b"%d" % n, [("daybook-door", b"http")]) for n in range(500)]
        assert await published(broker.publisher, records) == [Fate.PUBLISHED] * 500
        for partition in range(3):
            assert await broker.taken(partition, len(records[partition::3])) == records[partition::3]

    async def test_without_kafka_the_fate_is_nothing_done(self, broker: Broker) -> None:
        await broker.go_away()
        records = [CommandToSend(0, b"key", value, []) for value in (b"1", b"2")]
        assert await published(broker.publisher, records) == [Fate.NOTHING_DONE] * 2


class DoorTables(ABC):
    """The door's readers, and methods that change the rows that they read."""

    users: Users
    outcomes: Outcomes

    @abstractmethod
    async def add_user(self, user_id: str) -> None: ...

    @abstractmethod
    async def add_admin(self, user_id: str) -> None:
        """Makes the user an admin of ORG."""

    @abstractmethod
    async def add_renaming(self) -> None:
        """Stores the entry of RENAMED."""

    @abstractmethod
    async def go_away(self) -> None: ...


class DoorTablesContract:
    async def test_unseen_leaves_out_users_that_a_wait_has_found(self, tables: DoorTables) -> None:
        await tables.add_user(USER)
        await tables.users.wait_for([USER, OTHER])
        assert list(tables.users.unseen([OTHER, USER])) == [OTHER]
        await tables.add_user(OTHER)
        await tables.users.wait_for([OTHER])
        assert list(tables.users.unseen([OTHER, USER])) == []

    async def test_an_outcome_is_found_by_the_key_and_id_of_its_command(self, tables: DoorTables) -> None:
        await tables.add_renaming()
        assert (
            await tables.outcomes.find(ORG, COMMAND, USER) == RENAMED == await tables.outcomes.find(ORG, COMMAND, None)
        )
        assert await tables.outcomes.find(ORG, OTHER, USER) is None
        assert await tables.outcomes.find(OTHER, COMMAND, USER) is None

    async def test_the_role_of_a_member_is_found_and_others_have_none(self, tables: DoorTables) -> None:
        await tables.add_admin(USER)
        assert [await tables.outcomes.role(ORG, user) for user in (USER, OTHER)] == ["admin", None]

    async def test_without_the_database_an_outcome_is_an_outage(self, tables: DoorTables) -> None:
        await tables.go_away()
        with pytest.raises(DatabaseAway):
            await tables.outcomes.find(ORG, COMMAND, USER)
