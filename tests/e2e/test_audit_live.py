"""`daybook audit verify` while commands are decided and projected: it always finds the log valid, needs only a login
that can read, and does not disturb the services.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.settings import Settings
from support.driving import eventually, open_database, over_http, over_kafka, register_all, send_all, until_projected
from support.granted import granted
from support.processes import Service, Systems
from support.publisher import Publisher, doors
from support.replay import check_against_model, read_log
from support.shell import Completed, run_daybook
from support.workload import Workload

pytestmark = pytest.mark.timeout(300)

SEED = 20_261_129
MIN_RUNS = 4
TROUBLE = re.compile(r'"level": ?"(warning|error|critical)"|Traceback')
PARTITION = re.compile(r"^partition \d+: entries (\d+)", re.MULTILINE)


async def test_a_running_system_is_always_valid_and_undisturbed(systems: Systems) -> None:
    workload = Workload(SEED, orgs=40, users=60, commands=3000)
    settings = (system := systems.start()).settings
    async with (
        doors(settings, system.commands[0].url) as (door,),
        Publisher(settings) as publisher,
        open_database(settings) as database,
        granted(settings) as roles,
    ):
        await register_all(door, database, workload.registrations)
        groups = await consumer_groups(settings)
        auditor = settings.model_copy(update={"database_url": roles.url("auditor")})
        async with verified_meanwhile(auditor) as runs:
            outcomes = await send_all(workload.sends, [over_http(door), over_kafka(publisher)], at_once=24)
        await until_projected(database, [answer["position"] for _, answer in outcomes])
        await eventually(lambda: is_caught_up(system.projectors[0]))
        assert [run.stdout.splitlines()[-1] for run in runs] == ["valid: topic, audit_log, tables"] * len(runs)
        assert len({entries_in(run) for run in runs}) > 1, "the log did not grow meanwhile"
        assert await consumer_groups(settings) == groups
    check_against_model(await read_log(settings), [*workload.registrations, *workload.distinct])
    for service in system.services:
        assert TROUBLE.findall(service.log.read_text(encoding="utf-8")) == []
    assert system.commands[0].metric("daybook_command_voids_total") == 0


@asynccontextmanager
async def verified_meanwhile(settings: Settings) -> AsyncIterator[list[Completed]]:
    """Verifies again and again until the block ends, and at least MIN_RUNS times."""
    runs, is_over = list[Completed](), asyncio.Event()

    async def verify_again_and_again() -> None:
        while not is_over.is_set() or len(runs) < MIN_RUNS:
            runs.append(await run_daybook(settings, "audit", "verify"))
            assert (runs[-1].code, runs[-1].stderr) == (0, ""), runs[-1]

    async with asyncio.TaskGroup() as group:
        group.create_task(verify_again_and_again())
        yield runs
        is_over.set()


def entries_in(run: Completed) -> int:
    """How many entries were verified."""
    return sum(map(int, PARTITION.findall(run.stdout)))


async def is_caught_up(projector: Service) -> bool:
    return await asyncio.to_thread(projector.metric, "daybook_projector_lag_records") == 0


async def consumer_groups(settings: Settings) -> set[str]:
    """The consumer groups with this system's topic prefix, and any that an audit may have made."""
    async with admin(settings) as kafka:
        found = {group for group, *_ in await kafka.list_consumer_groups()}
    return {group for group in found if group.startswith(settings.topic_prefix) or "audit" in group}
