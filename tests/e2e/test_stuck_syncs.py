"""Sync runs whose worker never ends them: Daybook ends each of them exactly once, even if instances die."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json, partition_of
from support.driving import (
    Tenant,
    check_tables,
    created_id,
    eventually,
    fresh_ids,
    new_tenants,
    open_database,
    send_accepted,
    send_and_project,
    until_projected,
)
from support.forging import forge
from support.processes import System, Systems
from support.publisher import Door, doors, send_until_decided
from support.replay import by_command, entries_of, read_log

LIMIT = 3
"""The time limit of a run in seconds. A test can start and end a run within it."""
DAYBOOK = "service:daybook"
LOOKUPS = "daybook_command_lookup_seconds_count"


@dataclass(frozen=True, slots=True)
class Site:
    """A system, and clients of its instances."""

    system: System
    ways: list[Door]
    database: Connection

    @property
    def door(self) -> Door:
        return self.ways[-1]

    async def start_runs(self, org: Tenant) -> list[str]:
        """Starts a run of each connection of the org, and waits until the runs are projected."""
        answers = [
            await send_accepted(self.door, org.by_service("START_SYNC", connection_id=connection))
            for connection in org.connections
        ]
        await until_projected(self.database, [answer["position"] for answer in answers])
        return [created_id(answer) for answer in answers]

    async def wait_until_ended(self, runs: Collection[str], seconds: float = 30) -> None:
        look = "select count(*) = 0 from sync_runs where id = any($1::uuid[]) and status = 'running'"
        await eventually(lambda: self.database.fetchval(look, list(runs)), seconds)

    async def wait_until_old(self, runs: Collection[str], seconds: float) -> None:
        """Waits until one of the runs is `seconds` old by PostgreSQL's clock."""
        look = "select min(started_at) + make_interval(secs => $2) < now() from sync_runs where id = any($1::uuid[])"
        await eventually(lambda: self.database.fetchval(look, list(runs), seconds), 30)

    async def timeouts(self) -> dict[str, list[Json]]:
        """The entries that Daybook itself has written, by command id."""
        decisions = by_command(entries_of(await read_log(self.system.settings)))
        own = [entries for entries in decisions.values() if entries[0]["metadata_json"]["principal"] == DAYBOOK]
        assert len({entries[0]["metadata_json"]["command_id"] for entries in own}) == len(own)
        return {entries[0]["metadata_json"]["command_id"]: entries for entries in own}


@asynccontextmanager
async def open_site(system: System) -> AsyncIterator[Site]:
    urls = [service.url for service in system.commands]
    async with doors(system.settings, *urls) as ways, open_database(system.settings) as database:
        yield Site(system, ways, database)


@pytest.fixture(scope="module")
def short_limit(lasting_systems: Systems) -> System:
    """Two instances of the command service with a short limit for runs."""
    return lasting_systems.start(commands=2, projectors=1, sync_max_seconds=LIMIT)


def timeout_id(run_id: str) -> str:
    return str(uuid5(UUID(run_id), "sync_stalled"))


def alert_id(connection_id: str, rule: str) -> str:
    return str(uuid5(UUID(connection_id), rule))


def summary(entries: Collection[Json]) -> list[tuple[str, str, str | None, str | None]]:
    """Action, entity, rule and severity of each entry."""
    data = [entry["metadata_json"]["data"] for entry in entries]
    return [(e["action"], e["entity_id"], d.get("rule"), d.get("severity")) for e, d in zip(entries, data, strict=True)]


def check_timed_out(entries: Collection[Json], connection_id: str, run_id: str) -> None:
    """Asserts that Daybook itself failed the run, and raised both alerts in the same command."""
    failing, stalled = alert_id(connection_id, "sync_failing"), alert_id(connection_id, "sync_stalled")
    assert summary(entries) == [
        ("FAIL_SYNC", run_id, None, None),
        ("RAISE_ALERT", failing, "sync_failing", "warning"),
        ("RAISE_ALERT", stalled, "sync_stalled", "critical"),
    ]
    for entry in entries:
        assert (entry["result"], entry["actor_user_id"]) == ("success", None)
        assert entry["metadata_json"]["principal"] == DAYBOOK


async def check_all_timed_out(site: Site, orgs: Collection[Tenant], runs: dict[str, str]) -> None:
    """Asserts that Daybook has ended each run once, and that no other alerts were raised. `runs` maps the ids of runs
    to the ids of their connections.
    """
    found = await site.timeouts()
    assert found.keys() >= {timeout_id(run) for run in runs}
    for run, connection_id in runs.items():
        check_timed_out(found[timeout_id(run)], connection_id, run)
    rows = await site.database.fetch("select * from sync_runs where id = any($1::uuid[])", list(runs))
    assert {(row["status"], row["error_message"]) for row in rows} == {("failed", "TIMED_OUT")}
    alerts = "select count(*) from integration_alerts where project_id = any($1::uuid[])"
    assert await site.database.fetchval(alerts, [org.project_id for org in orgs]) == 2 * len(runs)
    await check_tables(site.system.settings)


async def test_an_abandoned_run_is_ended_and_the_next_success_resolves_its_alerts(short_limit: System) -> None:
    async with open_site(short_limit) as site:
        (org,) = await new_tenants(site.door, site.database, fresh_ids(1), 1)
        (run,) = await site.start_runs(org)
        await site.wait_until_ended([run])
        await check_all_timed_out(site, [org], {run: org.connections[0]})
        took = "select finished_at - started_at from sync_runs where id = $1"
        assert await site.database.fetchval(took, run) >= timedelta(seconds=LIMIT)
        (again,) = await site.start_runs(org)
        success = await send_and_project(
            site.ways[0], site.database, org.by_service("COMPLETE_SYNC", sync_run_id=again)
        )
        assert [entry["action"] for entry in success["entries"]] == ["COMPLETE_SYNC", "RESOLVE_ALERT", "RESOLVE_ALERT"]
        alerts = "select count(*) from integration_alerts where project_id = $1"
        assert await site.database.fetchval(alerts, org.project_id) == 0
        late = await send_until_decided(org.by_service("COMPLETE_SYNC", sync_run_id=run), site.door)
        assert (late["status"], late["code"]) == (409, "SYNC_NOT_RUNNING")


async def test_a_run_ended_at_the_last_moment_is_ended_by_either_its_worker_or_daybook(short_limit: System) -> None:
    async with open_site(short_limit) as site:
        orgs = await new_tenants(site.door, site.database, fresh_ids(6), 4)
        runs = {run: org for org in orgs for run in await site.start_runs(org)}
        look = "select id::text, started_at from sync_runs where id = any($1::uuid[])"
        rows = await site.database.fetch(look, [*runs])
        due = {row["id"]: row["started_at"] + timedelta(seconds=LIMIT) for row in rows}
        # Daybook looks for overdue runs every LIMIT / 4 seconds. Workers end their runs shortly before the limit, or
        # after it.
        ends = {run: due[run] + timedelta(seconds=LIMIT * (number / 24 - 0.3)) for number, run in enumerate(due)}
        outcomes = await asyncio.gather(*(complete_at(site, runs[run], run, moment) for run, moment in ends.items()))
        await site.wait_until_ended(runs)
        own = await site.timeouts()
        for run, outcome in zip(ends, outcomes, strict=True):
            accepted = outcome["status"] == 200
            assert accepted is not (timeout_id(run) in own), (outcome, own.get(timeout_id(run)))
            assert accepted or outcome["code"] == "SYNC_NOT_RUNNING"
        await check_tables(short_limit.settings)


async def complete_at(site: Site, org: Tenant, run: str, moment: datetime) -> Json:
    async def due() -> bool:
        return datetime.now(UTC) >= moment

    await eventually(due, 2 * LIMIT)
    return await send_until_decided(org.by_service("COMPLETE_SYNC", sync_run_id=run), *site.ways)


async def test_runs_of_an_org_in_quarantine_are_not_ended(short_limit: System) -> None:
    async with open_site(short_limit) as site:
        quarantined, other = await new_tenants(site.door, site.database, fresh_ids(2), 1)
        (kept_run,) = await site.start_runs(quarantined)
        await forge(short_limit.settings, quarantined.org_id, None, "PAINT_ORG", {})
        look = "select count(*) = 1 from daybook.quarantine where org_id = $1"
        await eventually(lambda: site.database.fetchval(look, quarantined.org_id))
        await site.wait_until_old([kept_run], LIMIT)
        before = sum(service.metric(LOOKUPS) for service in short_limit.commands)
        (run,) = await site.start_runs(other)
        await site.wait_until_ended([run])
        # Starting this run takes one look-up, and ending it takes one. The constant search for overdue runs takes none.
        assert sum(service.metric(LOOKUPS) for service in short_limit.commands) - before < 6
        assert await site.database.fetchval("select status from sync_runs where id = $1", kept_run) == "running"
        assert timeout_id(kept_run) not in await site.timeouts()


async def test_runs_are_ended_after_a_takeover_if_the_owner_of_their_partition_dies(systems: Systems) -> None:
    system = systems.start(commands=2, projectors=1, sync_max_seconds=LIMIT)
    async with open_site(system) as site:
        orgs = await new_tenants(site.door, site.database, fresh_ids(8), 2)
        runs = {run: connection for org in orgs for run, connection in await started_on(site, org)}
        assert len({partition_of(org.org_id, system.settings.partitions) for org in orgs}) > 1
        await site.wait_until_old(runs, LIMIT)
        system.commands[0].kill()
        await site.wait_until_ended(runs)
        await check_all_timed_out(site, orgs, runs)


async def started_on(site: Site, org: Tenant) -> list[tuple[str, str]]:
    return list(zip(await site.start_runs(org), org.connections, strict=True))


async def test_runs_that_became_overdue_without_an_instance_are_ended_after_the_start(systems: Systems) -> None:
    system = systems.start(commands=1, projectors=1, sync_max_seconds=3600)
    async with open_site(system) as site:
        orgs = await new_tenants(site.door, site.database, fresh_ids(3), 2)
        runs = {run: connection for org in orgs for run, connection in await started_on(site, org)}
        system.commands[0].stop()
        assert await site.timeouts() == {}
        await site.wait_until_old(runs, 1)
        system.start("command", sync_max_seconds=1)
        await site.wait_until_ended(runs)
        await check_all_timed_out(site, orgs, runs)
