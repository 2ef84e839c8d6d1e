"""Contract suite for a shard's look-ups of orgs, their things and entries, in the simulated and the real PostgreSQL."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from daybook_command.domain.activity import Activity
from daybook_command.domain.alerts import Alert
from daybook_command.domain.children import Children
from daybook_command.domain.connections import Connection
from daybook_command.domain.dead_letters import DeadLetter
from daybook_command.domain.secret_refs import SecretRef
from daybook_command.domain.syncs import Run
from daybook_command.shard.snapshot import LoadedOrg, Needs, OrgNeeds
from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, Rule, Severity, free_json
from daybook_contracts.entries.identity import Identity, policy_alert_id
from daybook_contracts.json.canonical import canonical_bytes
from suites.database import LATER, ORG, OTHER, Database, children, resolved, retried
from support.given import ANN, BOB, NOBODY, alert, dead_letter, secret_ref, sync_run
from support.hub_scene import (
    SHOP,
    WEB,
    alert_raised,
    connection_created,
    letter_recorded,
    sync_cancelled,
    sync_completed,
    sync_failed,
    sync_started,
)
from support.logbook import command_id

NO_CONFIG = sha256(b"{}").digest()
ALERTS: tuple[tuple[Rule, Severity], ...] = (
    ("sync_failing", "warning"),
    ("dlq_backlog", "warning"),
    ("sync_stalled", "critical"),
)


class LookUpsContract:
    async def test_the_entries_of_a_command_are_found_by_the_identity_of_the_first(self, database: Database) -> None:
        places = database.log.add(ORG, ANN, sync_started(1), sync_failed(1), alert_raised("sync_failing", "warning"))
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
            connection_created(LATER, WEB),
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
    async def test_an_id_chosen_by_two_orgs_in_one_look_up_goes_to_the_lower_org_id(
        self, database: Database, asking: tuple[str, str]
    ) -> None:
        await database.has()
        for _ in range(2):
            chosen = tuple(("sync_runs", alert(1), org_id) for org_id in asking)
            assert (await database.look_up(Needs(chosen_ids=chosen))).taken_ids == {(OTHER, alert(1))}

    async def test_children_are_loaded_by_id_and_only_for_their_own_org(self, database: Database) -> None:
        by_hand = facts.AlertRaised(alert_id=alert(1), project_id=WEB, severity="info", message="!")
        await database.has(sync_started(1), sync_failed(1), *(letter_recorded(number) for number in (1, 2)), by_hand)
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
        await database.has(sync_started(1), letter_recorded(1), by_hand, *(alert_raised(*each) for each in ALERTS))
        found = await database.children(OrgNeeds(ORG, 0, children(**named)))
        assert found.activities == {SHOP: Activity(NO_CONFIG, running=sync_run(1), pending=1)}
        assert found.alerts == {policy_alert_id(SHOP, rule): Alert(WEB, severity) for rule, severity in ALERTS}
        known = await database.children(OrgNeeds(ORG, 0, children(**named), known_activities=frozenset({SHOP})))
        assert (known.activities, known.alerts) == ({}, found.alerts)

    async def test_touched_children_are_not_read_without_the_org(self, database: Database) -> None:
        await database.has(sync_started(1), sync_completed(1))
        touched, known = children(runs=[sync_run(1)]), frozenset({SHOP})
        assert await database.children(OrgNeeds(ORG, 0, touched=touched, known_activities=known)) == Children()
        found = await database.children(OrgNeeds(ORG, touched=touched, known_activities=known))
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
            ([sync_cancelled], 0),
            ([sync_failed, sync_completed], 0),
            ([sync_completed, sync_failed, sync_cancelled, sync_failed, None], 2),
            ([sync_failed, sync_completed, sync_cancelled, sync_failed, sync_cancelled], 1),
            ([sync_completed, sync_failed, sync_failed, sync_cancelled, sync_failed], 3),
            ([sync_failed] * 5, 5),
        ],
    )
    async def test_failures_are_counted_back_to_the_last_success(
        self, database: Database, ends: list[Callable[[int], Fact] | None], failures: int
    ) -> None:
        for number, end in enumerate(ends):
            database.log.add(ORG, ANN, sync_started(number))
            database.log.add(ORG, ANN, *([] if end is None else [end(number)]))
        await database.has()
        running = sync_run(len(ends) - 1) if None in ends else None
        found = await database.children(OrgNeeds(ORG, 0, children(connections=[SHOP])))
        assert found.activities == {SHOP: Activity(NO_CONFIG, running=running, failures=failures)}
