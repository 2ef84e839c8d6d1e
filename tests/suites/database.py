"""PostgreSQL as a projector writes it and a shard reads it: what the simulated and the real one have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.children import Children
from daybook_command.domain.connections import Connection
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.references import RULES, ChildKind, ChildRef, PendingLetters
from daybook_command.domain.secret_refs import SecretRef
from daybook_command.domain.syncs import Run
from daybook_command.shard.snapshot import LoadedOrg, Needs, OrgNeeds, Snapshot
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, Rule, free_json
from daybook_contracts.entries.identity import Identity, policy_alert_id
from daybook_contracts.json.canonical import canonical_bytes
from daybook_contracts.log.head import NOTHING_PROJECTED, Checkpoint, Head
from daybook_projector.partition.machine import Batch, PartitionLog
from daybook_projector.postgres.checkpoints import CheckpointLost
from support.given import ANN, BOB, NOBODY, alert, dead_letter, secret_ref, sync_run
from support.hub_scene import ADS, SHOP, WEB, cancelled, completed, connected, failed, recorded, started
from support.logbook import command_id, log_with, org, records
from support.projecting import expected
from support.tables import Tables, differences
from support.taken_ids import cut_first_ids

ORG, OTHER, LATER = org(1), org(2), org(3)
NO_CONFIG = sha256(b"{}").digest()


class Database(ABC):
    """It has two orgs with a connection in each, SHOP in ORG and ADS in OTHER, once something has been written."""

    def __init__(self) -> None:
        self.log = log_with(ORG, OTHER, users=(ANN, BOB))
        self._way = PartitionLog(0, NOTHING_PROJECTED, partitions=1)
        for org_id, connection_id, project_id in ((ORG, SHOP, WEB), (OTHER, ADS, OTHER)):
            self.log.add(org_id, ANN, facts.ProjectCreated(project_id=project_id, name="Web"))
            self.log.add(org_id, ANN, connected(connection_id, project_id))

    @abstractmethod
    async def write(self, batch: Batch) -> None:
        """A projector's transaction. Raises `CheckpointLost`."""

    @abstractmethod
    async def look_up(self, needs: Needs, partition: int = 0) -> Snapshot:
        """What a shard of the partition is told."""

    @abstractmethod
    async def tables(self) -> Tables: ...

    async def has(self, *more: Fact) -> None:
        """Writes the log, after these facts of ORG were added to it."""
        for fact in more:
            self.log.add(ORG, ANN, fact)
        for batch in self.batches():
            await self.write(batch)

    def batches(self) -> Iterator[Batch]:
        start = self._way.next_to_read
        self._way.take(records(self.log.records[0][start:], start=start))
        while (batch := self._way.next_batch(5000)) is not None:
            yield batch
            self._way.mark_projected(batch)

    async def orgs(self, *needs: OrgNeeds) -> list[LoadedOrg]:
        found = (await self.look_up(Needs(orgs=needs))).orgs
        return [found[need.org_id] for need in needs]

    async def children(self, need: OrgNeeds) -> Children:
        return (await self.orgs(need))[0].children


class WritesContract:
    async def test_a_batch_writes_rows_audit_log_and_checkpoint(self, database: Database) -> None:
        await database.has(started(1), failed(1), recorded(1), facts.MemberAdded(user_id=BOB, role="viewer"))
        assert differences(expected(database.log), await database.tables()) == []
        end = len(database.log.records[0])
        assert (await database.look_up(Needs())).checkpoint == Checkpoint(end, database.log.heads[0], end - 1)
        assert (await database.look_up(Needs(), partition=1)).checkpoint == NOTHING_PROJECTED

    async def test_a_batch_is_written_once(self, database: Database) -> None:
        [batch] = database.batches()
        await database.write(batch)
        with pytest.raises(CheckpointLost):
            await database.write(batch)
        assert differences(expected(database.log), await database.tables()) == []

    @pytest.mark.parametrize(
        "before",
        [
            Checkpoint(1, NOTHING_PROJECTED.head, -1),
            Checkpoint(0, Head(0, NOTHING_PROJECTED.head.hash), -1),
            Checkpoint(0, Head(-1, "f" * 64), -1),
        ],
    )
    async def test_a_batch_behind_another_checkpoint_writes_nothing(
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
        await database.has(started(1), completed(1))
        one, other = (Identity("org", ORG, None, command_id(database.log.commands - back)) for back in (1, 0))
        assert one.first_id() == other.first_id()
        assert {one.second_id(), other.second_id()} <= {id_ for (id_,) in (await database.tables())["audit_log"]}
        found = (await database.look_up(Needs((one, other)))).entries
        assert {identity: entry and entry.action for identity, entry in found.items()} == {
            one: "START_SYNC",
            other: "COMPLETE_SYNC",
        }


class LookUpsContract:
    async def test_the_entries_of_a_command_are_found_by_the_identity_of_the_first(self, database: Database) -> None:
        places = database.log.add(ORG, ANN, started(1), failed(1), about(SHOP, "sync_failing"))
        await database.has()
        first, none = (Identity("org", ORG, None, command_id(database.log.commands + more)) for more in (0, 1))
        found = (await database.look_up(Needs((first, none)))).entries
        assert {identity: entry and entry.id for identity, entry in found.items()} == {
            first.at(ordinal): place.id for ordinal, place in enumerate(places)
        }

    async def test_an_org_is_read_with_its_members_projects_connections_and_secret_references(
        self, database: Database
    ) -> None:
        secrets = {"secrets": {"hottok": "hotmart", "client_secret": "Größe"}, "environment": "sandbox"}
        await database.has(
            facts.MemberAdded(user_id=BOB, role="viewer"),
            facts.ProjectMemberAdded(project_id=WEB, user_id=BOB, role="viewer"),
            facts.SecretRefCreated(secret_ref_id=secret_ref(1), key_name="hotmart", secret_id_ref="env:TÖKEN"),
            facts.ConnectionUpdated(connection_id=SHOP, config=free_json(secrets)),
            connected(LATER, WEB),
        )
        one, none = await database.orgs(OrgNeeds(ORG), OrgNeeds(LATER))
        assert (none.org, none.fresh) == (None, True)
        assert one.org is not None
        assert (one.org.name, dict(one.org.members), one.org.owners) == ("a", {ANN: "owner", BOB: "viewer"}, 1)
        assert {id_: (made.name, dict(made.members)) for id_, made in one.org.projects.items()} == {
            WEB: ("Web", {BOB: "viewer"})
        }
        plain = Connection(WEB, "sheets", "S", active=True, key_names=frozenset())
        named = Connection(WEB, "sheets", "S", active=True, key_names=frozenset({"hotmart", "Größe"}))
        assert dict(one.org.connections) == {SHOP: named, LATER: plain}
        assert dict(one.org.secret_refs) == {secret_ref(1): SecretRef("hotmart", sha256("env:TÖKEN".encode()).digest())}
        assert dict(one.org.key_names) == {"hotmart": secret_ref(1)}
        assert not [*one.org.runs, *one.org.dead_letters, *one.org.alerts]

    async def test_a_cached_org_is_not_read_again(self, database: Database) -> None:
        await database.has()
        [cached] = await database.orgs(OrgNeeds(ORG, 0))
        assert cached == LoadedOrg(None, fresh=False, generation=0, quarantined=False)

    async def test_only_existing_users_are_known(self, database: Database) -> None:
        await database.has()
        known = (await database.look_up(Needs(users=(ANN, NOBODY)))).known_users
        assert (ANN in known, NOBODY in known) == (True, False)

    async def test_a_chosen_id_belongs_to_the_first_org_that_asks_for_it(self, database: Database) -> None:
        await database.has()

        async def taken(*org_ids: str) -> frozenset[tuple[str, str]]:
            chosen = tuple(("projects", alert(1), org_id) for org_id in org_ids)
            return (await database.look_up(Needs(chosen_ids=chosen))).taken_ids

        assert await taken(OTHER) == frozenset()
        assert await taken(ORG) == await taken(ORG, OTHER) == {(ORG, alert(1))}

    @pytest.mark.parametrize("asking", [(ORG, OTHER), (OTHER, ORG)])
    async def test_an_id_chosen_by_two_orgs_at_once_goes_to_the_lower_org_id(
        self, database: Database, asking: tuple[str, str]
    ) -> None:
        await database.has()
        for _ in range(2):
            chosen = tuple(("sync_runs", alert(1), org_id) for org_id in asking)
            assert (await database.look_up(Needs(chosen_ids=chosen))).taken_ids == {(OTHER, alert(1))}

    async def test_children_are_loaded_by_id_and_only_for_their_own_org(self, database: Database) -> None:
        by_hand = facts.AlertRaised(alert_id=alert(1), project_id=WEB, severity="info", message="!")
        await database.has(started(1), failed(1), *(recorded(number) for number in (1, 2)), by_hand)
        await database.has(*retried([1], 2), resolved([2]))
        asked = children(
            connections=[SHOP], runs=[sync_run(1)], letters=[dead_letter(1), dead_letter(2)], alerts=[alert(1)]
        )
        mine, theirs = await database.orgs(OrgNeeds(ORG, 0, asked), OrgNeeds(OTHER, 0, asked))
        assert theirs.children == Children()
        assert mine.org is None
        assert mine.children == Children(
            runs={sync_run(1): Run(SHOP, "failed")},
            dead_letters={
                dead_letter(1): DeadLetter(SHOP, pending=True, retry_count=2),
                dead_letter(2): DeadLetter(SHOP, pending=False, retry_count=0),
            },
            alerts={alert(1): Alert(WEB, "info")},
            activities={SHOP: Activity(NO_CONFIG, failures=1, pending=1)},
        )

    @pytest.mark.parametrize(
        "named", [{"runs": [sync_run(1)]}, {"letters": [dead_letter(1)]}], ids=["a run", "a dead letter"]
    )
    async def test_a_child_is_loaded_with_activity_and_policy_alerts(
        self, database: Database, named: dict[str, list[str]]
    ) -> None:
        by_hand = facts.AlertRaised(alert_id=alert(1), project_id=WEB, severity="info", message="!")
        await database.has(started(1), recorded(1), by_hand, *(about(SHOP, rule) for rule in RULES))
        found = await database.children(OrgNeeds(ORG, 0, children(**named)))
        assert found.activities == {SHOP: Activity(NO_CONFIG, running=sync_run(1), pending=1)}
        assert found.alerts == {policy_alert_id(SHOP, rule): Alert(WEB, "warning") for rule in RULES}
        known = await database.children(OrgNeeds(ORG, 0, children(**named), known=frozenset({SHOP})))
        assert (known.activities, known.alerts) == ({}, found.alerts)

    async def test_touched_children_are_read_only_with_the_org(self, database: Database) -> None:
        await database.has(started(1), completed(1))
        touched, known = children(runs=[sync_run(1)]), frozenset({SHOP})
        assert await database.children(OrgNeeds(ORG, 0, touched=touched, known=known)) == Children()
        found = await database.children(OrgNeeds(ORG, touched=touched, known=known))
        assert (found.runs, set(found.activities)) == ({sync_run(1): Run(SHOP, "success")}, {SHOP})

    async def test_the_digest_of_a_config_covers_its_canonical_form(self, database: Database) -> None:
        config = {"ids": [1e21, 5, 0.1, 2.0**53], "größe": {"b": None, "a": "\u2028"}}
        await database.has(facts.ConnectionUpdated(connection_id=SHOP, config=free_json(config)))
        found = await database.children(OrgNeeds(ORG, 0, children(connections=[SHOP])))
        assert found.activities[SHOP].config == sha256(canonical_bytes(config)).digest()

    @pytest.mark.parametrize(
        ("ends", "failures"),
        [
            ([], 0),
            ([cancelled], 0),
            ([failed, completed], 0),
            ([completed, failed, cancelled, failed, None], 2),
            ([failed, completed, cancelled, failed, cancelled], 1),
            ([completed, failed, failed, cancelled, failed], 3),
            ([failed] * 5, 3),
        ],
    )
    async def test_failures_are_counted_back_to_the_last_success(
        self, database: Database, ends: list[Callable[[int], Fact] | None], failures: int
    ) -> None:
        for number, end in enumerate(ends):
            database.log.add(ORG, ANN, started(number))
            database.log.add(ORG, ANN, *([] if end is None else [end(number)]))
        await database.has()
        running = sync_run(len(ends) - 1) if None in ends else None
        found = await database.children(OrgNeeds(ORG, 0, children(connections=[SHOP])))
        assert found.activities == {SHOP: Activity(NO_CONFIG, running=running, failures=failures)}


class BacklogsContract:
    """Dead letters in large numbers: filters bring a page and a count, counts have a limit."""

    async def test_pending_dead_letters_are_counted_up_to_the_limit_of_each_org(self, database: Database) -> None:
        await database.has(*map(recorded, range(8)), resolved([*range(4, 8)]))
        for limit, counted in ((3, (3, True)), (4, (4, True)), (5, (4, False))):
            need = OrgNeeds(ORG, 0, children(connections=[SHOP]), count_limit=limit)
            beside = OrgNeeds(OTHER, 0, children(connections=[ADS]), count_limit=9)
            mine, _ = await database.orgs(need, beside)
            [activity] = mine.children.activities.values()
            assert (activity.pending, activity.more) == counted

    async def test_a_low_count_is_recounted_without_touched_dead_letters(self, database: Database) -> None:
        low, high, idle = SHOP, LATER, alert(9)
        await database.has(connected(high, WEB), connected(idle, WEB), *(recorded(number) for number in range(5)))
        await database.has(recorded(5, high), recorded(6, idle), recorded(7, idle))
        need = OrgNeeds(
            ORG,
            0,
            named=children(letters=letters(range(4, 6))),
            touched=children(letters=letters(range(2))),
            known=frozenset({low, high, idle}),
            low=frozenset({low, idle}),
        )
        found = await database.children(need)
        assert (found.recounted, found.activities) == ({low: 3}, {})
        beside_a_higher_limit = await database.orgs(replace(need, count_limit=2), OrgNeeds(OTHER, 0))
        assert beside_a_higher_limit[0].children.recounted == {low: 2}
        assert (await database.children(replace(need, generation=None))).recounted == {}

    async def test_a_filter_loads_the_first_matching_dead_letters_and_counts_the_rest(self, database: Database) -> None:
        often, touched, matching, gone = range(10), range(10, 20), range(20, 1025), range(1025, 1035)
        await database.has(*(recorded(number) for number in range(1035)), resolved(gone))
        await database.has(*retried(often, 3), *retried([*touched, *matching], 2))
        need = OrgNeeds(ORG, 0, children(connections=[SHOP]), children(letters=letters(touched)))
        twice = await database.children(replace(need, filtered=PendingLetters(SHOP, 2)))
        assert sorted(twice.dead_letters) == letters(matching)[:1000]
        assert set(twice.dead_letters.values()) == {DeadLetter(SHOP, pending=True, retry_count=2)}
        assert twice.beyond == 5
        every = await database.children(replace(need, filtered=PendingLetters(SHOP, None)))
        assert sorted(every.dead_letters) == [*letters(often), *letters(matching)[:990]]
        assert every.beyond == 15
        afresh = await database.children(replace(need, generation=None, filtered=PendingLetters(SHOP, 2)))
        assert sorted(afresh.dead_letters) == [*letters(touched), *letters(matching)[:1000]]
        never = await database.children(replace(need, filtered=PendingLetters(SHOP, 1)))
        assert (never.dead_letters, never.beyond) == ({}, 0)

    async def test_a_page_is_ordered_by_id_whatever_the_retry_counts(self, database: Database) -> None:
        await database.has(*map(recorded, range(1800)))
        await database.has(*retried(range(1, 1800, 3), 2), *retried(range(2, 1800, 3), 5))
        upto_two = [id_ for at, id_ in enumerate(letters(range(1800))) if at % 3 < 2]
        for most, matching in ((4, upto_two), (5, letters(range(1800)))):
            found = await database.children(OrgNeeds(ORG, 0, filtered=PendingLetters(SHOP, most)))
            assert sorted(found.dead_letters) == matching[:1000]
            assert found.beyond == max(0, len(matching) - 1000)

    async def test_a_filter_on_a_connection_of_another_org_matches_nothing(self, database: Database) -> None:
        await database.has(recorded(1))
        need = OrgNeeds(OTHER, 0, children(connections=[SHOP]), filtered=PendingLetters(SHOP, None))
        assert await database.children(need) == Children()

    async def test_the_rest_is_counted_up_to_10001(self, database: Database) -> None:
        await database.has(*map(recorded, range(11_000)))
        need = OrgNeeds(ORG, 0, filtered=PendingLetters(SHOP, None))
        assert (await database.children(need)).beyond == 10_000
        await database.has(*map(recorded, range(11_000, 11_005)))
        found = await database.children(need)
        assert (found.beyond, len(found.dead_letters)) == (10_001, 1000)


def about(connection_id: str, rule: Rule) -> facts.AlertRaised:
    """A policy's alert."""
    return facts.AlertRaised(
        alert_id=policy_alert_id(connection_id, rule),
        connection_id=connection_id,
        rule=rule,
        project_id=WEB,
        severity="warning",
        message="!",
    )


def letters(numbers: Iterable[int]) -> list[str]:
    return [dead_letter(number) for number in numbers]


def retried(numbers: Iterable[int], times: int) -> Sequence[Fact]:
    """Dead letters of SHOP."""
    ids = tuple(letters(numbers))
    pages = [ids[at : at + 1000] for at in range(0, len(ids), 1000)]
    return [facts.DlqEventsRetried(connection_id=SHOP, ids=page) for page in pages] * times


def resolved(numbers: Iterable[int]) -> Fact:
    return facts.DlqEventsResolved(connection_id=SHOP, ids=tuple(letters(numbers)), resolution="manual")


def children(
    *,
    connections: Iterable[str] = (),
    runs: Iterable[str] = (),
    letters: Iterable[str] = (),
    alerts: Iterable[str] = (),
) -> frozenset[ChildRef]:
    named = (
        (ChildKind.CONNECTION, connections),
        (ChildKind.RUN, runs),
        (ChildKind.DEAD_LETTER, letters),
        (ChildKind.ALERT, alerts),
    )
    return frozenset(ChildRef(kind, id_) for kind, ids in named for id_ in ids)
