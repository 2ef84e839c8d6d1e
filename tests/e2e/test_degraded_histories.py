"""Kafka and PostgreSQL no longer tell one history: a log that is not the one that was projected stops its partition; a
database that was put back to an older state is brought up from the log.
"""

import pytest

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Servers
from support.driving import Tenant, check_tables, connected, new_tenant, until_projected
from support.forging import append
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import Send, decided, doors, item
from support.replay import by_command, entries_of, read_log, read_topic
from support.restoring import copy, put_back
from support.said import ask, health, status, until_ready, until_serving, until_unready, word

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
PARTITIONS = 2
HURT, WELL = range(PARTITIONS)
LOST = 2
STOPPED, APPENDED = "daybook_projector_stopped", "daybook_command_entries_total"
CHECKPOINTS_LOST = "daybook_projector_checkpoints_lost_total"
ROWS = "SELECT count(*) FROM audit_log"

Values = list[bytes | None]


async def shorten(settings: Settings) -> Values:
    """The log's topic is lost, and filled again from a copy that lacks the end of one partition; gives that end."""
    values: list[Values] = [[] for _ in range(PARTITIONS)]
    for partition, _, value, _ in await read_topic(settings, "audit_log"):
        values[partition].append(value)
    async with admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).audit_log])
    await ensure_topics(settings)
    await append(settings, WELL, values[WELL])
    await append(settings, HURT, values[HURT][:-LOST])
    return values[HURT][-LOST:]


async def restarted(system: System) -> None:
    """With nobody ready yet."""
    for service in system.services:
        service.stop()
    system.commands.clear()
    system.projectors.clear()
    for role in ("command", "projector"):
        await until_serving(system.start(role))


async def stands_still(system: System, reason: str, hurt: Tenant, well: Tenant, before: Send) -> list[Send]:
    """One partition is stopped everywhere, loudly, and the other goes on; gives what waits now."""
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    await until_unready(f"partition {HURT}", reason, command, projector)
    new = [hurt.rename(f"Name {at}") for at in range(3)]
    async with doors(settings, command.url) as (door,), connected(settings) as database:
        rows = await database.fetchval(ROWS)
        told = await ask(door, new[0], new[1:], before)
        assert (told.one, told.batch, told.outcome) == ("202", ("202", "202"), "200")
        answer = item(await door.send(well.rename("Beside it")))
        assert word(answer) == "200"
        await until_projected(database, [answer["position"]])
        assert await database.fetchval(ROWS) == rows + 1
    assert (command.metric(APPENDED, partition=str(HURT)), projector.metric(STOPPED, partition=str(HURT))) == (0, 1)
    stopped, other = (await status(system.settings))["partitions"]
    assert (reason in stopped["fault"], stopped["commands_lag"], other["fault"]) == (True, len(new), None)
    assert {name for service in system.services for name in (await health(service)).reasons} == {f"partition {HURT}"}
    return new


async def test_a_log_that_is_not_the_one_that_was_projected_stops_its_partition_in_both_services(
    systems: Systems,
) -> None:
    system = systems.start(partitions=PARTITIONS, wait_seconds=1)
    settings = system.settings
    async with doors(settings, system.commands[0].url) as (door,), connected(settings) as database:
        hurt, well = [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in (HURT, WELL)]
        before = hurt.rename("Before")
        assert (await decided(before, door))["status"] == 200
    await check_tables(settings)
    for service in system.services:
        service.stop()
    lost = await shorten(settings)
    await restarted(system)
    waiting = await stands_still(system, "before the checkpoint's", hurt, well, before)
    # What was lost is found again, and put where it was: a restart goes on as if nothing had been.
    await append(settings, HURT, lost)
    await restarted(system)
    await until_ready(system)
    async with doors(settings, system.commands[0].url) as (door,):
        assert {(await decided(send, door))["status"] for send in waiting} == {200}
    await check_tables(settings)
    for service in system.services:
        service.stop()
    await shorten(settings)
    await append(settings, HURT, [b"another", b"history"])
    await restarted(system)
    await stands_still(system, f"is not entry {HURT}.", hurt, well, before)


async def test_a_database_that_was_put_back_is_brought_up_from_the_log_under_running_services(
    systems: Systems, stack: Servers
) -> None:
    system = systems.start(partitions=PARTITIONS, wait_seconds=2)
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    async with doors(settings, command.url) as (door,):
        async with connected(settings) as database:
            tenants = [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)]
        await check_tables(settings)
        await copy(settings, stack)
        sends = [tenant.rename(f"Name {at}") for tenant in tenants for at in range(5)]
        answers = [await decided(send, door) for send in sends]
        await check_tables(settings)
        await put_back(settings, stack)
        # One of them has something new to decide, the other one has not.
        new = tenants[0].rename("New")
        assert (await decided(new, door))["status"] == 200
        await until_ready(system)
        await check_tables(settings)
        assert [await decided(send, door) for send in sends] == answers
        told = await ask(door, tenants[1].rename("One"), [tenants[1].rename("Many")], sends[-1])
        assert (told.one, told.batch, told.outcome) == ("200", ("200",), "200")
    assert projector.metric(CHECKPOINTS_LOST) >= 1
    told_once = by_command(entries_of(await read_log(settings)))
    renames = [entries for entries in told_once.values() if entries[0]["action"] == "RENAME_ORG"]
    assert len(renames) == len(sends) + 3
    await check_tables(settings)
