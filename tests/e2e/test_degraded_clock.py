"""An instance with a wrong clock reports that its clock is wrong, and appends nothing; instances with a correct clock
decide (docs/log.md, rule 9).
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from support import wrong_clock
from support.chain import partition_of
from support.driving import check_tables, eventually, new_tenant, open_database
from support.forging import forge, timestamp
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import Publisher, are_projected, doors, item, send_until_decided, token
from support.replay import entries_of, read_log
from support.reports import ask, code_of, health, status, until_ready, until_serving, until_unready

pytestmark = pytest.mark.timeout(240)
HOUR = 3600
PARTITIONS = 2
APPENDED = "daybook_command_entries_total"
OWNED = "daybook_command_partitions"
# An entry may be at most 60 s ahead of the clock. With 90 s, the test has 30 s to observe that the shard waits.
AHEAD = timedelta(seconds=90)


async def test_an_instance_whose_clock_is_an_hour_off_decides_nothing(systems: Systems) -> None:
    system = systems.start(partitions=PARTITIONS)
    settings, right = system.settings, system.commands[0]
    async with (
        doors(settings, right.url) as (door,),
        open_database(settings) as database,
        Publisher(settings) as publisher,
    ):
        tenants = [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)]
        for off in (HOUR, -HOUR):
            wrong = system.start("command", wrong_clock.program(off))
            await until_serving(wrong)
            # The instance reports the wrong clock even before a command arrives.
            await until_unready("clock", f"the clock is {off:+}.", wrong)
            await eventually(lambda: partitions_are_shared(system), 60)
            answers = [await publisher.publish(tenant.rename(f"At {off}")) for tenant in tenants]
            await eventually(lambda: is_held_by_clock(system), 60)
            done, pending = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            assert (len(done), len(pending)) == (1, 1)
            assert wrong.metric(APPENDED) == 0
            async with doors(settings, wrong.url) as (its_door,):
                # The token is valid by both clocks. This instance accepts the command. The other one decides it, at the
                # latest after it has taken over the partition of this instance.
                sender = f"user:{tenants[0].owner}"
                its_door.tokens[sender] = time.monotonic(), token(settings, sender, exp=int(time.time()) + 3 * HOUR)
                asked = tenants[0].rename("Asked")
                assert code_of(item(await its_door.send(asked, Prefer="respond-async"))) == "202"
            assert (await health(right)).reasons == {}
            assert sum(each["commands_lag"] for each in (await status(system.settings))["partitions"]) >= 1
            wrong.stop()
            system.commands.remove(wrong)
            assert {(await asyncio.wait_for(answer, 60))["status"] for answer in answers} == {200}
            await eventually(partial(are_projected, door, [asked]), 60)
        await until_ready(system)
    await check_tables(settings)


async def partitions_are_shared(system: System) -> bool:
    """Whether each instance owns a partition."""
    return [service.metric(OWNED) for service in system.commands] == [1, 1]


async def is_held_by_clock(system: System) -> bool:
    """Whether the instance with the wrong clock reports that its partition waits because of the clock."""
    reasons = (await health(system.commands[1])).reasons
    return any("off PostgreSQL's" in reason for name, reason in reasons.items() if name.startswith("partition"))


async def test_an_entry_stamped_90_s_ahead_holds_its_partition_until_the_clock_is_near(systems: Systems) -> None:
    system = systems.start(partitions=PARTITIONS, wait_seconds=1)
    settings, (command,) = system.settings, system.commands
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        affected, unaffected = [
            await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)
        ]
        earlier = affected.rename("Before")
        assert (await send_until_decided(earlier, door))["status"] == 200
        await check_tables(settings)
        ahead = timestamp(datetime.now(UTC) + AHEAD)
        await forge(settings, affected.org_id, affected.owner, "RENAME_ORG", {"name": "Ahead"}, created_at=ahead)
        waiting = [affected.rename(f"Name {number}") for number in range(3)]
        answers = await ask(door, waiting[0], waiting[1:], earlier)
        assert (answers.one, answers.batch, answers.outcome) == ("202", ("202", "202"), "200")
        place = partition_of(affected.org_id, PARTITIONS)
        await until_unready(f"partition {place}", "s past this clock", command)
        assert code_of(item(await door.send(unaffected.rename("Other org")))) == "200"
        assert {(await send_until_decided(send, door, seconds=120))["status"] for send in waiting} == {200}
        await until_ready(system)
    names = [
        entry["metadata_json"]["data"]["name"]
        for entry in entries_of(await read_log(settings))
        if entry["action"] == "RENAME_ORG" and entry["org_id"] == affected.org_id
    ]
    assert sorted(names) == sorted(["Before", "Ahead", *(send.command["data"]["name"] for send in waiting)])
    await check_tables(settings)
