"""Contract suite for PostgreSQL as a projector writes it and a shard reads it. The simulated and the real PostgreSQL
pass the suite.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import pytest

from daybook_command.domain.children import Children
from daybook_command.domain.references import ChildKind, ChildRef
from daybook_command.shard.snapshot import LoadedOrg, Needs, OrgNeeds, Snapshot
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.identity import Identity
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres.checkpoints import CheckpointLost
from support.given import ANN, BOB, dead_letter
from support.hub_scene import (
    ADS,
    SHOP,
    WEB,
    connection_created,
    letter_recorded,
    sync_completed,
    sync_failed,
    sync_started,
)
from support.logbook import command_id, log_with, org, records
from support.projecting import expected_tables
from support.tables import Tables, differences
from support.taken_ids import cut_first_ids

ORG, OTHER, LATER = org(1), org(2), org(3)


class Database(ABC):
    """A database, and the log that is projected to it. The log begins with two orgs: ORG has SHOP, OTHER has ADS."""

    def __init__(self) -> None:
        self.log = log_with(ORG, OTHER, users=(ANN, BOB))
        self._log_reader = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
        for org_id, connection_id, project_id in ((ORG, SHOP, WEB), (OTHER, ADS, OTHER)):
            self.log.add(org_id, ANN, facts.ProjectCreated(project_id=project_id, name="Web"))
            self.log.add(org_id, ANN, connection_created(connection_id, project_id))

    @abstractmethod
    async def write(self, batch: Batch) -> None:
        """Runs a projector's transaction. Raises `CheckpointLost`."""

    @abstractmethod
    async def look_up(self, needs: Needs, partition: int = 0) -> Snapshot:
        """Reads what a shard needs, in one snapshot."""

    @abstractmethod
    async def tables(self) -> Tables: ...

    async def has(self, *more: Fact) -> None:
        """Adds these facts of ORG to the log, and projects all that is not projected yet."""
        for fact in more:
            self.log.add(ORG, ANN, fact)
        for batch in self.batches():
            await self.write(batch)

    def batches(self) -> Iterator[Batch]:
        start = self._log_reader.next_to_read
        self._log_reader.take(records(self.log.records[0][start:], start=start))
        while (batch := self._log_reader.next_batch(5000)) is not None:
            yield batch
            self._log_reader.mark_projected(batch)

    async def orgs(self, *needs: OrgNeeds) -> list[LoadedOrg]:
        found = (await self.look_up(Needs(orgs=needs))).orgs
        return [found[need.org_id] for need in needs]

    async def children(self, need: OrgNeeds) -> Children:
        return (await self.orgs(need))[0].children


class WritesContract:
    async def test_a_batch_writes_rows_audit_log_and_checkpoint(self, database: Database) -> None:
        await database.has(
            sync_started(1), sync_failed(1), letter_recorded(1), facts.MemberAdded(user_id=BOB, role="viewer")
        )
        assert differences(expected_tables(database.log), await database.tables()) == []
        end = len(database.log.records[0])
        assert (await database.look_up(Needs())).checkpoint == Checkpoint(end, database.log.heads[0], end - 1)
        assert (await database.look_up(Needs(), partition=1)).checkpoint == NOTHING_PROJECTED

    async def test_a_batch_is_written_once(self, database: Database) -> None:
        [batch] = database.batches()
        await database.write(batch)
        with pytest.raises(CheckpointLost):
            await database.write(batch)
        assert differences(expected_tables(database.log), await database.tables()) == []

    @pytest.mark.parametrize(
        "before",
        [
            Checkpoint(1, NOTHING_PROJECTED.head, -1),
            Checkpoint(0, Head(0, NOTHING_PROJECTED.head.hash), -1),
            Checkpoint(0, Head(-1, "f" * 64), -1),
        ],
    )
    async def test_a_batch_that_continues_another_checkpoint_writes_nothing(
        self, database: Database, before: Checkpoint
    ) -> None:
        [batch] = database.batches()
        with pytest.raises(CheckpointLost):
            await database.write(Batch(0, batch.entries, before, batch.after))
        assert not any((await database.tables()).values())
        assert (await database.look_up(Needs())).checkpoint == NOTHING_PROJECTED

    @pytest.fixture
    def short_ids(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cut_first_ids(monkeypatch)

    async def test_an_entry_whose_id_is_taken_is_stored_under_its_second_id(
        self, short_ids: None, database: Database
    ) -> None:
        await database.has(sync_started(1), sync_completed(1))
        one, other = (Identity("org", ORG, None, command_id(database.log.commands - back)) for back in (1, 0))
        assert one.first_id() == other.first_id()
        assert {one.second_id(), other.second_id()} <= {id_ for (id_,) in (await database.tables())["audit_log"]}
        found = (await database.look_up(Needs((one, other)))).entries
        assert {identity: entry and entry.action for identity, entry in found.items()} == {
            one: "START_SYNC",
            other: "COMPLETE_SYNC",
        }


KINDS = {
    "connections": ChildKind.CONNECTION,
    "runs": ChildKind.RUN,
    "letters": ChildKind.DEAD_LETTER,
    "alerts": ChildKind.ALERT,
}


def children(**named: Iterable[str]) -> frozenset[ChildRef]:
    """References to the things with these ids. The names of the arguments are those of KINDS."""
    return frozenset(ChildRef(KINDS[name], id_) for name, ids in named.items() for id_ in ids)


def letters(numbers: Iterable[int]) -> list[str]:
    return [dead_letter(number) for number in numbers]


def retried(numbers: Iterable[int], times: int) -> Sequence[Fact]:
    """Retries of SHOP's dead letters."""
    ids = tuple(letters(numbers))
    pages = [ids[at : at + 1000] for at in range(0, len(ids), 1000)]
    return [facts.DlqEventsRetried(connection_id=SHOP, ids=page) for page in pages] * times


def resolved(numbers: Iterable[int]) -> Fact:
    return facts.DlqEventsResolved(connection_id=SHOP, ids=tuple(letters(numbers)), resolution="manual")
