"""`daybook audit tail` on real servers: which entries it shows, where it begins, and how it ends.
Over 250 lines, because most tests need a log of their own, and something that follows it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from daybook_contracts.entries import facts
from daybook_contracts.log.continuity import LogChanged
from daybook_infra.runtime.postgres.connections import Pool
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part
from daybook_projector.audit.exports.tail import LogReading, follow
from daybook_projector.audit.exports.tail_starts import find_places
from daybook_projector.audit.log import earlier_heads
from support.logbook import Logbook, log_with, org_in, user_in
from support.processes import environment
from support.projecting import empty_tables, post, publish
from support.servers import kill
from support.servers import start as start_server
from support.shell import finish, run_daybook, start
from support.stack import Fresh, own_stack

PARTITIONS = 2
SETTINGS = {"partitions": PARTITIONS}
ANN = user_in(0, PARTITIONS)
PROGRAM = (sys.executable, "-m", "daybook_infra", "audit", "tail")
HERE, THERE = org_in(0, PARTITIONS), org_in(1, PARTITIONS)


def a_log() -> Logbook:
    """Two entries in partition 0, one in partition 1, and then a void record in each."""
    log = log_with(HERE, THERE, users=[ANN], partitions=PARTITIONS)
    log.void(0)
    log.void(1)
    return log


def rename(log: Logbook, org_id: str, name: str) -> str:
    return log.add(org_id, ANN, facts.OrgRenamed(name=name))[0].text


async def shown(settings: Settings, positions: dict[int, int], number: int) -> list[str]:
    """The positions of the next entries."""
    found: list[str] = []
    places = await find_places(settings, range(PARTITIONS), positions, print)
    async with aclosing(follow(settings, places, print)) as pages, asyncio.timeout(30):
        async for page in pages:
            found += [f"{number}.{each.head.position}" for number, entries in page.items() for each in entries]
            if len(found) >= number:
                return found
    raise AssertionError


async def test_tail_begins_with_the_next_entry(settings: Settings, pool: Pool) -> None:
    log = a_log()
    await publish(settings, log)
    await post(pool, log)
    places = await find_places(settings, range(PARTITIONS), {}, print)
    news = {rename(log, HERE, "b"), rename(log, THERE, "c")}
    await publish(settings, log)
    found = set()
    async with aclosing(follow(settings, places, print)) as pages, asyncio.timeout(30):
        async for page in pages:
            found |= {f"{number}.{each.head.position}" for number, entries in page.items() for each in entries}
            if found >= news:
                break
    assert found == news


async def test_tail_begins_with_the_next_entry_even_without_checkpoints(settings: Settings, pool: Pool) -> None:
    log = a_log()
    await publish(settings, log)
    places = await find_places(settings, range(PARTITIONS), {}, print)
    assert [place.next_offset for place in places.values()] == [0, 0]
    new = rename(log, HERE, "b")
    await publish(settings, log)
    async with aclosing(follow(settings, places, print)) as pages, asyncio.timeout(30):
        async for page in pages:
            if found := [f"0.{each.head.position}" for each in page.get(0, [])]:
                assert found == [new]
                return


async def test_tail_begins_after_a_given_position(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start depends neither on what is projected nor on copies of entries in the topic."""
    monkeypatch.setattr(earlier_heads, "BLOCK_RECORDS", 2)
    log = a_log()
    for number in range(3):
        rename(log, HERE, f"{number}")
        log.void(0, log.records[0][1])
        log.void(0, log.records[0][-2])
        rename(log, HERE, f"{number}")
    await publish(settings, log)
    assert (log.heads[0].position, len(log.records[0])) == (7, 15)
    for projected in (0, 3, 9, 15):
        await empty_tables(pool)
        early = Logbook(PARTITIONS)
        early.records = [values[:projected] for values in log.records]
        await post(pool, early)
        for after in (-1, 0, 3, 6):
            assert await shown(settings, {0: after}, 7 - after) == [f"0.{each}" for each in range(after + 1, 8)]


async def test_tail_waits_for_a_position_that_does_not_exist_yet(settings: Settings, pool: Pool) -> None:
    log = a_log()
    for number in range(3):
        rename(log, HERE, f"{number}")
    await publish(settings, log)
    await post(pool, a_log())
    assert await shown(settings, {0: 3}, 1) == ["0.4"]


async def test_a_log_other_than_the_projected_one_is_refused(settings: Settings, pool: Pool) -> None:
    log, other = a_log(), Logbook(PARTITIONS)
    other.register(ANN)
    other.add(HERE, ANN, facts.OrgCreated(name="other"))
    other.void(0)
    await post(pool, log)
    await publish(settings, other)
    with pytest.raises(LogChanged, match=r"partition 0: the record at offset 1 is not entry 0\.1"):
        await find_places(settings, [0], {}, print)


async def test_a_log_that_was_cut_is_refused(settings: Settings, pool: Pool) -> None:
    await post(pool, a_log())
    ended = await run_daybook(settings, "audit", "tail")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == (
        "Error: partition 0: the log ends at offset 0, before the checkpoint's 3; run `daybook audit verify`\n"
    )


async def test_a_log_that_is_cut_while_tail_follows_it_is_an_error(settings: Settings) -> None:
    log = a_log()
    await publish(settings, log)
    places = {0: LogReading(log.heads[0], next_offset=len(log.records[0]) + 1)}
    with pytest.raises(LogChanged, match="partition 0: the log ends at offset 3"):
        await anext(follow(settings, places, print))


@asynccontextmanager
async def tailing(settings: Settings, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start(settings, "audit", "tail", *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def lines(process: asyncio.subprocess.Process, number: int) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return [(await process.stdout.readline()).decode() for _ in range(number)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_tail_ends_on_a_signal_and_says_how_to_continue(
    settings: Settings, pool: Pool, number: signal.Signals
) -> None:
    log = a_log()
    await publish(settings, log)
    async with tailing(settings, "--json", "--after", "0.-1", "--after", "1.-1") as process:
        found = await lines(process, 3)
        process.send_signal(number)
        ended = await finish(process)
    entries = {b"%b\n" % value for values in log.records for value in values if value is not None} - {b"garbage\n"}
    assert {line.encode() for line in found} == entries
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr == "to go on from here: --after 0.1 --after 1.0\n"
    new = rename(log, THERE, "b")
    await publish(settings, log)
    async with tailing(settings, *ended.stderr.removeprefix("to go on from here: ").split()) as process:
        (line,) = await lines(process, 1)
    assert line.split()[1:4] == [new, "success", "RENAME_ORG"]


async def test_tail_ends_with_its_reader_even_if_no_entry_comes(settings: Settings, pool: Pool) -> None:
    await publish(settings, a_log())
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "--after", "0.-1", env=environment(settings), stdout=writer, stderr=asyncio.subprocess.PIPE
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as output:
        assert len([await asyncio.to_thread(output.readline) for _ in range(2)]) == 2
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert said.decode().startswith("to go on from here: --after 0.1 ")


async def test_a_signal_ends_tail_while_its_reader_is_slow(settings: Settings, pool: Pool) -> None:
    log = a_log()
    for number in range(500):
        rename(log, HERE, f"{number}")
    await publish(settings, log)
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "--json", "--after", "0.-1", env=environment(settings), stdout=writer
    )
    os.close(writer)
    first = await asyncio.to_thread(os.read, reader, 1)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    os.close(reader)
    assert first == b"{"


async def test_only_the_entries_of_an_org_are_shown(settings: Settings, pool: Pool) -> None:
    log = a_log()
    neighbour = org_in(1, PARTITIONS, 1)
    log.add(neighbour, ANN, facts.OrgCreated(name="b"))
    rename(log, THERE, "b")
    await publish(settings, log)
    async with tailing(settings, "--org", THERE, "--after", "1.-1") as process:
        found = await lines(process, 2)
    assert [line.split()[1] for line in found] == ["1.0", "1.2"]
    assert all(f"org {THERE}" in line for line in found)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--after", "3"), "'3' is not PARTITION.POSITION"),
        (("--after", "3.4"), "partition 3 is not one of the log's 2"),
        (("--after", "1.4", "--after", "1.5"), "partition 1 has a position already, 4"),
        (("--org", HERE, "--after", "1.4"), f"partition 1 is not that of org {HERE}"),
    ],
)
async def test_an_impossible_position_is_refused(settings: Settings, arguments: tuple[str, ...], fault: str) -> None:
    ended = await run_daybook(settings, "audit", "tail", *arguments)
    assert ended.code == 2
    assert fault in " ".join(ended.stderr.split())


async def test_tail_does_not_begin_without_kafka(settings: Settings, pool: Pool) -> None:
    ended = await run_daybook(settings, "audit", "tail", DAYBOOK_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: Kafka")


@pytest.mark.timeout(240)
async def test_tail_waits_while_kafka_is_away() -> None:
    with own_stack() as stack:
        settings, log = Fresh(stack.servers())(partitions=PARTITIONS), a_log()
        await publish(settings, log)
        async with tailing(settings, "--after", "0.-1") as process:
            assert [line.split()[1] for line in await lines(process, 2)] == ["0.0", "0.1"]
            kill(stack, Part.KAFKA)
            await start_server(stack, Part.KAFKA)
            new = rename(log, HERE, "b")
            await publish(settings, log)
            assert [line.split()[1] for line in await lines(process, 1)] == [new]
