"""Kafka and PostgreSQL no longer match. If the log is not the one that was projected, its partition stops. A database
that was restored to an older state catches up from the log.
"""

import pytest

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Servers
from support.driving import Tenant, check_tables, new_tenant, open_database, until_projected
from support.forging import append
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import Send, doors, item, send_until_decided
from support.replay import by_command, entries_of, read_log, read_topic
from support.reports import ask, code_of, health, restart, status, until_ready, until_unready
from support.restoring import copy, put_back
from support.shell import run_daybook

pytestmark = pytest.mark.timeout(240)
PARTITIONS = 2
BROKEN, INTACT = range(PARTITIONS)
LOST = 2
STOPPED, APPENDED = "daybook_projector_stopped", "daybook_command_entries_total"
CHECKPOINTS_LOST = "daybook_projector_checkpoints_lost_total"
ROWS = "SELECT count(*) FROM audit_log"

Values = list[bytes | None]


async def shorten_log(settings: Settings) -> Values:
    """Recreates the log from a copy without the last records of one partition; returns those records."""
    values: list[Values] = [[] for _ in range(PARTITIONS)]
    for partition, _, value, _ in await read_topic(settings, "audit_log"):
        values[partition].append(value)
    async with admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).audit_log])
    await ensure_topics(settings)
    await append(settings, INTACT, values[INTACT])
    await append(settings, BROKEN, values[BROKEN][:-LOST])
    return values[BROKEN][-LOST:]


async def check_stopped(system: System, reason: str, affected: Tenant, unaffected: Tenant, before: Send) -> list[Send]:
    """Asserts that both services have stopped one partition and report it, and that the other one continues. Returns
    commands that now wait.
    """
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    await until_unready(f"partition {BROKEN}", reason, command, projector)
    new = [affected.rename(f"Name {number}") for number in range(3)]
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        rows = await database.fetchval(ROWS)
        responses = await ask(door, new[0], new[1:], before)
        assert (responses.one, responses.batch, responses.outcome) == ("202", ("202", "202"), "200")
        answer = item(await door.send(unaffected.rename("Other org")))
        assert code_of(answer) == "200"
        await until_projected(database, [answer["position"]])
        assert await database.fetchval(ROWS) == rows + 1
    assert (command.metric(APPENDED, partition=str(BROKEN)), projector.metric(STOPPED, partition=str(BROKEN))) == (0, 1)
    stopped, other = (await status(system.settings))["partitions"]
    assert (reason in stopped["fault"], stopped["commands_lag"], other["fault"]) == (True, len(new), None)
    assert {name for service in system.services for name in (await health(service)).reasons} == {f"partition {BROKEN}"}
    return new


async def test_a_log_other_than_the_projected_one_stops_its_partition_in_both_services(systems: Systems) -> None:
    system = systems.start(partitions=PARTITIONS, wait_seconds=1)
    settings = system.settings
    async with doors(settings, system.commands[0].url) as (door,), open_database(settings) as database:
        affected, unaffected = [
            await new_tenant(door, database, org_in(number, PARTITIONS)) for number in (BROKEN, INTACT)
        ]
        before = affected.rename("Before")
        assert (await send_until_decided(before, door))["status"] == 200
    await check_tables(settings)
    for service in system.services:
        service.stop()
    lost = await shorten_log(settings)
    await restart(system)
    waiting = await check_stopped(system, "before the checkpoint's", affected, unaffected, before)
    # After the lost records are restored and the services restarted, the partition continues.
    await append(settings, BROKEN, lost)
    await restart(system)
    await until_ready(system)
    async with doors(settings, system.commands[0].url) as (door,):
        assert {(await send_until_decided(send, door))["status"] for send in waiting} == {200}
    await check_tables(settings)
    for service in system.services:
        service.stop()
    await shorten_log(settings)
    await append(settings, BROKEN, [b"another", b"history"])
    await restart(system)
    await check_stopped(system, f"is not entry {BROKEN}.", affected, unaffected, before)


async def test_a_restored_database_catches_up_while_services_run(systems: Systems, stack: Servers) -> None:
    system = systems.start(partitions=PARTITIONS, wait_seconds=2)
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    async with doors(settings, command.url) as (door,):
        async with open_database(settings) as database:
            tenants = [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)]
        await check_tables(settings)
        await copy(settings, stack)
        sends = [tenant.rename(f"Name {number}") for tenant in tenants for number in range(5)]
        answers = [await send_until_decided(send, door) for send in sends]
        await check_tables(settings)
        await put_back(settings, stack)
        # One partition has a new command, the other one has none.
        new = tenants[0].rename("New")
        assert (await send_until_decided(new, door))["status"] == 200
        await until_ready(system)
        await check_tables(settings)
        assert [await send_until_decided(send, door) for send in sends] == answers
        responses = await ask(door, tenants[1].rename("One"), [tenants[1].rename("Many")], sends[-1])
        assert (responses.one, responses.batch, responses.outcome) == ("200", ("200",), "200")
    assert projector.metric(CHECKPOINTS_LOST) >= 1
    entries_by_command = by_command(entries_of(await read_log(settings)))
    renames = [entries for entries in entries_by_command.values() if entries[0]["action"] == "RENAME_ORG"]
    assert len(renames) == len(sends) + 3
    await check_tables(settings)
    verified = await run_daybook(settings, "audit", "verify")
    assert verified.code == 0, verified
