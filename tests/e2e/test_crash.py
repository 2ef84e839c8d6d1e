"""Instances are killed, or suspended and resumed, under load. No command is lost or decided twice."""

import asyncio
import signal
from collections.abc import Callable
from typing import Literal

import pytest

from daybook_infra.runtime.settings import Settings
from support.chain import Json, partition_of
from support.driving import Way, check_tables, open_database, over_http, over_kafka, register_all, send_all
from support.processes import Systems
from support.publisher import Publisher, Send, doors
from support.replay import by_command, check_against_model, check_answer, entries_of, read_log
from support.workload import Workload


def with_fault(way: Way, fault: Callable[[], None], after: int) -> Way:
    """The same way of sending, but the `after`-th call first calls `fault`."""
    left = after

    async def send(one: Send) -> Json:
        nonlocal left
        left -= 1
        if left == 0:
            fault()
        return await way(one)

    return send


async def check(settings: Settings, workload: Workload, outcomes: list[tuple[Send, Json]]) -> None:
    """Asserts that the log has each command once, as the model decides it and as it was answered, and that the tables
    equal its fold.
    """
    log = await read_log(settings)
    check_against_model(log, [*workload.registrations, *workload.distinct])
    entries = by_command(entries_of(log))
    for send, answer in outcomes:
        check_answer(answer, entries[partition_of(send.key, settings.partitions), send.command["id"]])
    await check_tables(settings)


@pytest.mark.parametrize("role", ["command", "projector"])
async def test_another_instance_continues_after_a_kill(systems: Systems, role: Literal["command", "projector"]) -> None:
    workload = Workload(7, orgs=30, users=40, commands=600)
    settings = (system := systems.start(commands=2, projectors=2)).settings
    victim = (system.commands if role == "command" else system.projectors)[0]
    async with (
        doors(settings, *(service.url for service in system.commands)) as (dying, living),
        Publisher(settings) as publisher,
        open_database(settings) as database,
    ):
        await register_all(living, database, workload.registrations)
        ways = [with_fault(over_http(dying, living), victim.kill, after=70), over_http(living), over_kafka(publisher)]
        outcomes = await send_all(workload.sends, ways, at_once=24)
    assert victim.process.returncode == -signal.SIGKILL
    await check(settings, workload, outcomes)


async def test_a_suspended_instance_that_was_replaced_does_no_harm_when_resumed(systems: Systems) -> None:
    workload = Workload(8, orgs=30, users=40, commands=600)
    settings = (system := systems.start(commands=2, projectors=1)).settings
    sleeper = system.commands[0].process
    async with (
        doors(settings, *(service.url for service in system.commands)) as (sleeping, waking),
        Publisher(settings) as publisher,
        open_database(settings) as database,
    ):
        await register_all(waking, database, workload.registrations)
        half = len(workload.sends) // 2
        # The suspended instance has accepted commands, and answers them only after it is resumed. By then, another
        # instance owns its partitions.
        first = [
            with_fault(over_http(waking), lambda: sleeper.send_signal(signal.SIGSTOP), after=50),
            over_kafka(publisher),
        ]
        outcomes = await send_all(workload.sends[:half], first, at_once=24)
        sleeper.send_signal(signal.SIGCONT)
        second = [over_http(sleeping, waking), over_http(waking), over_kafka(publisher)]
        outcomes += await send_all(workload.sends[half:], second, at_once=24)
    await asyncio.to_thread(system.wait_ready)
    await check(settings, workload, outcomes)
