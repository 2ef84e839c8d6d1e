"""Runs whose workers are gone: Daybook itself ends each of them, once, whoever owns its partition and whatever dies."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import Json, partition_of
from support.driving import check_tables, connected, eventually, until_projected
from support.forging import forge
from support.hub_org import HubOrg, done, made_id, new_hub_orgs
from support.processes import System, Systems
from support.publisher import Door, decided, doors
from support.replay import by_command, entries_of, read_log
from support.stack import FreshSettings

pytestmark = pytest.mark.e2e
LIMIT = 3
"""Seconds that a run may take: time enough for one that is started and ended at once."""
TIMEKEEPER = "service:daybook"
LOOKUPS = "daybook_command_lookup_seconds_count"


@dataclass(frozen=True, slots=True)
class Site:
    """A system with clients of it."""

    system: System
    ways: list[Door]
    database: Connection

    @property
    def door(self) -> Door:
        return self.ways[-1]

    async def started(self, org: HubOrg) -> list[str]:
        """A run of each of the org's connections, all in the tables."""
        answers = [await done(self.door, org.start(connection)) for connection in org.connections]
        await until_projected(self.database, [answer["position"] for answer in answers])
        return [made_id(answer) for answer in answers]

    async def until_ended(self, runs: Collection[str], seconds: float = 30) -> None:
        look = "select count(*) = 0 from sync_runs where id = any($1::uuid[]) and status = 'running'"
        await eventually(lambda: self.database.fetchval(look, list(runs)), seconds)

    async def until_old(self, runs: Collection[str], seconds: float) -> None:
        """Until one of them has been there for so long, by PostgreSQL's clock."""
        look = "select min(started_at) + make_interval(secs => $2) < now() from sync_runs where id = any($1::uuid[])"
        await eventually(lambda: self.database.fetchval(look, list(runs), seconds), 30)

    async def timeouts(self) -> dict[str, list[Json]]:
        """What Daybook itself decided, by command id."""
        told = by_command(entries_of(await read_log(self.system.settings)))
        own = [entries for entries in told.values() if entries[0]["metadata_json"]["principal"] == TIMEKEEPER]
        assert len({entries[0]["metadata_json"]["command_id"] for entries in own}) == len(own)
        return {entries[0]["metadata_json"]["command_id"]: entries for entries in own}


@asynccontextmanager
async def site(system: System) -> AsyncIterator[Site]:
    urls = [service.url for service in system.commands]
    async with doors(system.settings, *urls) as ways, connected(system.settings) as database:
        yield Site(system, ways, database)


@pytest.fixture(scope="module")
def impatient(lasting_settings: FreshSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two instances of the command service that give a run little time."""
    made = Systems(lasting_settings, tmp_path_factory.mktemp("impatient"))
    try:
        yield made.start(commands=2, projectors=1, sync_max_seconds=LIMIT)
    finally:
        made.stop()


def timeout_id(run_id: str) -> str:
    return str(uuid5(UUID(run_id), "sync_stalled"))


def alert_id(connection_id: str, rule: str) -> str:
    return str(uuid5(UUID(connection_id), rule))


def told(entries: Collection[Json]) -> list[tuple[str, str, str | None, str | None]]:
    """Of each entry what it did to what, and how grave it is for which rule."""
    data = [entry["metadata_json"]["data"] for entry in entries]
    return [(e["action"], e["entity_id"], d.get("rule"), d.get("severity")) for e, d in zip(entries, data, strict=True)]


def check_timed_out(entries: Collection[Json], connection_id: str, run_id: str) -> None:
    """The run was failed by the service, with both of its alerts in the same command."""
    failing, stalled = alert_id(connection_id, "sync_failing"), alert_id(connection_id, "sync_stalled")
    assert told(entries) == [
        ("FAIL_SYNC", run_id, None, None),
        ("RAISE_ALERT", failing, "sync_failing", "warning"),
        ("RAISE_ALERT", stalled, "sync_stalled", "critical"),
    ]
    for entry in entries:
        assert (entry["result"], entry["actor_user_id"]) == ("success", None)
        assert entry["metadata_json"]["principal"] == TIMEKEEPER


async def check_all_timed_out(at: Site, orgs: Collection[HubOrg], runs: dict[str, str]) -> None:
    """`runs` are connections by run. Each was ended once, by the service, and nothing else by it."""
    found = await at.timeouts()
    assert found.keys() >= {timeout_id(run) for run in runs}
    for run, connection_id in runs.items():
        check_timed_out(found[timeout_id(run)], connection_id, run)
    rows = await at.database.fetch("select * from sync_runs where id = any($1::uuid[])", list(runs))
    assert {(row["status"], row["error_message"]) for row in rows} == {("failed", "TIMED_OUT")}
    alerts = "select count(*) from integration_alerts where project_id = any($1::uuid[])"
    assert await at.database.fetchval(alerts, [org.project_id for org in orgs]) == 2 * len(runs)
    await check_tables(at.system.settings)


async def test_a_run_whose_worker_is_gone_is_ended_and_the_next_success_forgives_it(impatient: System) -> None:
    async with site(impatient) as at:
        (org,) = await new_hub_orgs(at.door, at.database, 1)
        (run,) = await at.started(org)
        await at.until_ended([run])
        await check_all_timed_out(at, [org], {run: org.connection_id})
        took = "select finished_at - started_at from sync_runs where id = $1"
        assert await at.database.fetchval(took, run) >= timedelta(seconds=LIMIT)
        (again,) = await at.started(org)
        success = await done(at.ways[0], org.complete(again))
        assert [entry["action"] for entry in success["entries"]] == ["COMPLETE_SYNC", "RESOLVE_ALERT", "RESOLVE_ALERT"]
        await until_projected(at.database, [success["position"]])
        alerts = "select count(*) from integration_alerts where project_id = $1"
        assert await at.database.fetchval(alerts, org.project_id) == 0
        late = await decided(org.complete(run), at.door)
        assert (late["status"], late["code"]) == (409, "SYNC_NOT_RUNNING")


async def test_of_a_worker_that_ends_at_the_last_moment_and_the_service_only_one_is_heard(impatient: System) -> None:
    async with site(impatient) as at:
        orgs = await new_hub_orgs(at.door, at.database, 6, 4)
        runs = {run: org for org in orgs for run in await at.started(org)}
        rows = await at.database.fetch("select id::text, started_at from sync_runs where id = any($1::uuid[])", [*runs])
        due = {row["id"]: row["started_at"] + timedelta(seconds=LIMIT) for row in rows}
        # The service looks every LIMIT / 4: the workers come before, between and after its looks.
        ends = {run: due[run] + timedelta(seconds=LIMIT * (number / 24 - 0.3)) for number, run in enumerate(due)}
        outcomes = await asyncio.gather(*(completed(at, runs[run], run, moment) for run, moment in ends.items()))
        await at.until_ended(runs)
        own = await at.timeouts()
        for run, outcome in zip(ends, outcomes, strict=True):
            heard = outcome["status"] == 200
            assert heard is not (timeout_id(run) in own), (outcome, own.get(timeout_id(run)))
            assert heard or outcome["code"] == "SYNC_NOT_RUNNING"
        await check_tables(impatient.settings)


async def completed(at: Site, org: HubOrg, run: str, moment: datetime) -> Json:
    async def due() -> bool:
        return datetime.now(UTC) >= moment

    await eventually(due, 2 * LIMIT)
    return await decided(org.complete(run), *at.ways)


async def test_the_runs_of_an_org_in_quarantine_are_left_alone(impatient: System) -> None:
    async with site(impatient) as at:
        closed, other = await new_hub_orgs(at.door, at.database, 2)
        (left,) = await at.started(closed)
        await forge(impatient.settings, closed.org_id, None, "PAINT_ORG", {})
        look = "select count(*) = 1 from daybook.quarantine where org_id = $1"
        await eventually(lambda: at.database.fetchval(look, closed.org_id))
        await at.until_old([left], LIMIT)
        before = sum(service.metric(LOOKUPS) for service in impatient.commands)
        (run,) = await at.started(other)
        await at.until_ended([run])
        # One to start this run and one to end it; the four looks at overdue runs meanwhile have not led to any.
        assert sum(service.metric(LOOKUPS) for service in impatient.commands) - before < 6
        assert await at.database.fetchval("select status from sync_runs where id = $1", left) == "running"
        assert timeout_id(left) not in await at.timeouts()


async def test_runs_outlive_the_death_of_their_partitions_owner_by_no_more_than_a_takeover(systems: Systems) -> None:
    system = systems.start(commands=2, projectors=1, sync_max_seconds=LIMIT)
    async with site(system) as at:
        orgs = await new_hub_orgs(at.door, at.database, 8, 2)
        runs = {run: connection for org in orgs for run, connection in await started_on(at, org)}
        assert len({partition_of(org.org_id, system.settings.partitions) for org in orgs}) > 1
        await at.until_old(runs, LIMIT)
        system.commands[0].kill()
        await at.until_ended(runs)
        await check_all_timed_out(at, orgs, runs)


async def started_on(at: Site, org: HubOrg) -> list[tuple[str, str]]:
    return list(zip(await at.started(org), org.connections, strict=True))


async def test_what_became_overdue_while_nobody_looked_is_ended_after_the_start(systems: Systems) -> None:
    system = systems.start(commands=1, projectors=1, sync_max_seconds=3600)
    async with site(system) as at:
        orgs = await new_hub_orgs(at.door, at.database, 3, 2)
        runs = {run: connection for org in orgs for run, connection in await started_on(at, org)}
        system.commands[0].stop()
        assert await at.timeouts() == {}
        await at.until_old(runs, 1)
        system.start("command", sync_max_seconds=1)
        await at.until_ended(runs)
        await check_all_timed_out(at, orgs, runs)
