"""A projector falls behind, or an org is in quarantine: the services report the partition or the org, and all others
continue.
"""

import pytest

from support.chain import partition_of
from support.driving import check_tables, eventually, fresh_id, new_tenant, open_database, register
from support.forging import forge
from support.healing import run_heal
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import are_projected, doors, item, send_until_decided
from support.replay import by_command, entries_of, read_log
from support.reports import ask, code_of, health, status, until_ready, until_unready

pytestmark = pytest.mark.timeout(240)
PARTITIONS = 2
MOST_IN_MEMORY = 4
# One of two partitions may take three quarters of this limit (9.75 KiB). Four of the test's entries take 11 KiB, so the
# fourth is the last.
MAX_TAIL_MIB = 13 / 1024
TAIL, LAG = "daybook_command_tail_entries", "daybook_projector_lag_records"
QUARANTINED = "daybook_projector_quarantined_orgs"


async def test_without_a_projector_commands_are_decided_up_to_the_limit_of_their_partition(systems: Systems) -> None:
    system = systems.start(partitions=PARTITIONS, max_tail_mib=MAX_TAIL_MIB, wait_seconds=1)
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        busy, quiet = [await new_tenant(door, database, org_in(number, PARTITIONS)) for number in range(PARTITIONS)]
        await check_tables(settings)
        projector.stop()
        system.projectors.remove(projector)
        within = [busy.rename(f"Within {number}") for number in range(MOST_IN_MEMORY)]
        for send in within:
            assert code_of(item(await door.send(send))) == "200"
        beyond = [busy.rename(f"Beyond {number}") for number in range(4)]
        answers = await ask(door, beyond[0], beyond[1:3], within[0])
        assert (answers.one, answers.batch, answers.outcome) == ("202", ("202", "202"), "404 NOT_FOUND")
        assert code_of(item(await door.send(beyond[3], Prefer="respond-async"))) == "202"
        place = partition_of(busy.org_id, PARTITIONS)
        await until_unready(f"partition {place}", f"{len(within)} entries wait for the projector", command)
        assert command.metric(TAIL, partition=str(place)) == len(within)
        assert code_of(item(await door.send(quiet.rename("Other org")))) == "200"
        waiting = (await status(system.settings))["partitions"][place]
        assert (waiting["commands_lag"], waiting["log_lag"]) == (len(beyond), len(within))
        system.start("projector")
        await until_ready(system)
        await eventually(lambda: are_projected(door, [*within, *beyond]), 60)
    decisions = by_command(entries_of(await read_log(settings)))
    assert sum(entries[0]["action"] == "RENAME_ORG" for entries in decisions.values()) == len(within) + len(beyond) + 1
    await check_tables(settings)


async def test_only_commands_of_the_org_in_quarantine_are_refused(systems: Systems) -> None:
    system = systems.start(partitions=1)
    settings, (command,), (projector,) = system.settings, system.commands, system.projectors
    async with doors(settings, command.url) as (door,), open_database(settings) as database:
        affected, unaffected = await new_tenant(door, database), await new_tenant(door, database)
        before = affected.rename("Before")
        assert (await send_until_decided(before, door))["status"] == 200
        await eventually(lambda: are_projected(door, [before]))
        newcomer = fresh_id()
        joined = {"user_id": newcomer, "role": "member"}
        position = await forge(settings, affected.org_id, affected.owner, "ADD_MEMBER", joined)
        await eventually(lambda: is_quarantine_reported(system), 60)
        assert affected.org_id in (await health(projector)).notes["quarantine"]
        assert projector.metric(QUARANTINED) == 1
        # All instances stay ready, because a restart would not help.
        assert [(await health(service)).reasons for service in system.services] == [{}, {}]
        (listed,) = (await status(system.settings))["quarantine"]
        assert (listed["org_id"], listed["position"]) == (affected.org_id, position)
        again = [affected.rename(f"Name {number}") for number in range(2)]
        answers = await ask(door, again[0], again[1:], before)
        assert (answers.one, answers.batch, answers.outcome) == ("503 ORG_QUARANTINED", ("503 ORG_QUARANTINED",), "200")
        assert code_of(item(await door.send(unaffected.rename("Other org")))) == "200"
        refused = await door.send(again[0])
        assert int(refused.headers["retry-after"]) > 0
        assert "entry_id" not in refused.json()
        assert code_of(item(await door.outcome(again[0]))) == "404 NOT_FOUND"
        await register(door, database, [newcomer])
        assert (await run_heal(settings, affected.org_id)).code == 0
        assert {(await send_until_decided(send, door))["status"] for send in again} == {200}
        await eventually(lambda: is_quarantine_over(system), 60)
        assert projector.metric(QUARANTINED) == 0
        assert (await status(system.settings))["quarantine"] == []
    await check_tables(settings)


async def is_quarantine_over(system: System) -> bool:
    return not await is_quarantine_reported(system)


async def is_quarantine_reported(system: System) -> bool:
    return "quarantine" in (await health(system.projectors[0])).notes
