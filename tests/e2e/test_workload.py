"""Many mixed commands are sent at the same time, over HTTP and partly over Kafka. Their outcomes must match the model,
and the tables must match the log.
"""

from collections import defaultdict

import pytest

from support.chain import Json, partition_of
from support.driving import (
    check_tables,
    eventually,
    open_database,
    over_http,
    over_kafka,
    register_all,
    send_all,
    until_projected,
)
from support.processes import Systems
from support.publisher import Publisher, Send, doors
from support.replay import by_command, check_against_model, check_answer, entries_of, read_log
from support.tables_of_code import LOGGED
from support.workload import Workload

SEED = 20_261_122


@pytest.mark.timeout(300)
async def test_ten_thousand_mixed_commands_have_the_outcomes_of_the_model(systems: Systems) -> None:
    workload = Workload(SEED, orgs=100, users=150, commands=10_000, flooded=1100)
    settings = (system := systems.start(commands=2, projectors=2)).settings
    async with (
        doors(settings, *(service.url for service in system.commands)) as (one, other),
        Publisher(settings) as publisher,
        open_database(settings) as database,
    ):
        await register_all(one, database, workload.registrations)
        ways = [over_http(one, other), over_http(other, one), over_kafka(publisher)]
        outcomes = await send_all(workload.sends, ways, at_once=96)
    log = await read_log(settings)
    check_against_model(log, [*workload.registrations, *workload.distinct])
    check_answers(outcomes, by_command(entries_of(log)), settings.partitions)
    assert {answer.get("code") for _, answer in outcomes} == LOGGED - {"LIMIT_REACHED"} | {None}, f"seed {SEED}"
    await check_tables(settings)


async def test_overdue_runs_are_failed_once_under_load(systems: Systems) -> None:
    workload = Workload(9, orgs=20, users=30, commands=800)
    settings = (system := systems.start(commands=2, projectors=1, sync_max_seconds=1)).settings
    async with (
        doors(settings, *(service.url for service in system.commands)) as (one, other),
        open_database(settings) as database,
    ):
        await register_all(one, database, workload.registrations)
        outcomes = await send_all(workload.sends, [over_http(one, other), over_http(other, one)], at_once=24)

        async def none_is_running() -> bool:
            return not await database.fetchval("select exists (select from sync_runs where status = 'running')")

        await until_projected(database, [answer["position"] for _, answer in outcomes])
        await eventually(none_is_running, seconds=40)
        log = await read_log(settings)
    check_against_model(log, [*workload.registrations, *workload.distinct])
    check_answers(outcomes, by_command(entries_of(log)), settings.partitions)
    stalled = [entry for entry in entries_of(log) if entry["metadata_json"]["data"].get("rule") == "sync_stalled"]
    assert {entry["action"] for entry in stalled} >= {"RAISE_ALERT"}
    await check_tables(settings)


def check_answers(
    outcomes: list[tuple[Send, Json]], entries: dict[tuple[int, str], list[Json]], partitions: int
) -> None:
    """Asserts that each answer agrees with its command's entries, and that repeats got the same answer (apart
    from `detail`).
    """
    answers = defaultdict(list)
    for send, answer in outcomes:
        check_answer(answer, entries[partition_of(send.key, partitions), send.command["id"]])
        without_detail = {name: value for name, value in answer.items() if name != "detail"}
        answers[send.key, send.command["id"]].append(without_detail)
    assert all(answer == given[0] for given in answers.values() for answer in given)
