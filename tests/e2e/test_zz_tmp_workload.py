"""Many mixed commands by every way at once, held against the model and against the tables."""

from collections import defaultdict

import pytest

from support.chain import Json, partition_of
from support.driving import check_tables, connected, over_kafka, register_all, send_all, through
from support.processes import Systems
from support.publisher import Publisher, Send, doors
from support.replay import by_command, check_against_model, check_answer, entries_of, read_log
from support.workload import Workload

pytestmark = pytest.mark.e2e
SEED = 202
CODES = {
    "FORBIDDEN",
    "ORG_NOT_FOUND",
    "USER_NOT_FOUND",
    "MEMBER_NOT_FOUND",
    "PROJECT_NOT_FOUND",
    "ALREADY_EXISTS",
    "ALREADY_MEMBER",
    "LAST_OWNER",
}


async def test_two_thousand_mixed_commands_end_as_the_model_says(systems: Systems) -> None:
    workload = Workload(SEED, orgs=50, users=80, commands=2000)
    settings = (system := systems.start(commands=2, projectors=2)).settings
    async with (
        doors(settings, *(service.url for service in system.commands)) as (one, other),
        Publisher(settings) as publisher,
        connected(settings) as database,
    ):
        await register_all(one, database, workload.registrations)
        outcomes = await send_all(workload.sends, [through(one, other), through(other, one), over_kafka(publisher)])
    log = await read_log(settings)
    check_against_model(log, [*workload.registrations, *workload.distinct])
    check_answers(outcomes, by_command(entries_of(log)), settings.partitions)
    assert {answer.get("code") for _, answer in outcomes} == CODES | {None}, f"seed {SEED}"
    await check_tables(settings)


def check_answers(
    outcomes: list[tuple[Send, Json]], entries: dict[tuple[int, str], list[Json]], partitions: int
) -> None:
    """Each command has one entry, each answer is its, and a repeat was answered byte for byte as the first."""
    answers = defaultdict(list)
    for send, answer in outcomes:
        (entry,) = entries[partition_of(send.key, partitions), send.command["id"]]
        check_answer(answer, entry)
        answers[send.key, send.command["id"]].append(answer)
    assert all(answer == given[0] for given in answers.values() for answer in given)
