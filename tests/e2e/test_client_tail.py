"""The client follows the log of real services while connections are lost and a foreign program writes to the log: each
entry comes once, and void records never. Over 250 lines, because all tests share the system and its clients.
"""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from random import Random
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from aiokafka.conn import AIOKafkaConnection

from chaos.proxy import NORMAL, Behaviour, Direction, Proxy
from daybook_client import Accepted, Daybook, LogChanged, Misuse, NotVisible, commands
from daybook_client.items import LogEntry
from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.tail import CLIENT_ID, LogTail, Place
from daybook_client.positions import parse_starts
from daybook_contracts.log.admission import Admitted
from support.chain import Chain, partition_of
from support.documents import blocks, page, section
from support.driving import Tenant, eventually
from support.forgeries import VOID
from support.forging import append
from support.processes import System, Systems
from support.publisher import token
from support.replay import read_log

# An aiokafka client whose start is cancelled leaves its first connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed AIOKafkaConnection:ResourceWarning")

PARTITIONS = 2
(PROGRAM,) = blocks(section(page("docs/client.md"), "Following the log"), "py")
Tail = AsyncGenerator[LogEntry]


@pytest.fixture(scope="module")
def system(lasting_systems: Systems) -> System:
    return lasting_systems.start(partitions=PARTITIONS)


@pytest.fixture
async def reads(system: System) -> AsyncIterator[Proxy]:
    """A proxy in front of the read API."""
    proxy = Proxy(Random(1), target=urlsplit(system.projectors[0].url).port or 0)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def over_http(system: System, tenant: Tenant, reads: Proxy) -> AsyncIterator[Daybook]:
    bearer, read_url = token(system.settings, f"user:{tenant.owner}"), f"http://127.0.0.1:{reads.port}"
    async with Daybook.over_http(system.commands[0].url, token=bearer, read_url=read_url) as daybook:
        yield daybook


@pytest.fixture
async def over_kafka(system: System) -> AsyncIterator[Daybook]:
    bootstrap, prefix = system.settings.kafka_bootstrap, system.settings.topic_prefix
    async with Daybook.over_kafka(bootstrap, principal="service:shop", topic_prefix=prefix) as daybook:
        yield daybook


async def rename(daybook: Daybook, tenant: Tenant, count: int) -> str:
    """Renames the org `count` times; returns the position of the last entry."""
    renames = [commands.RenameOrg(org_id=tenant.org_id, actor_user_id=tenant.owner, name=f"{n}") for n in range(count)]
    outcomes = [outcome async for outcome in daybook.send_many(renames)]
    last = outcomes[-1]
    assert isinstance(last, Accepted), last
    return last.position


async def until(tail: Tail, position: str) -> list[str]:
    """The positions of the next entries of the tail, up to this one."""
    found = list[str]()
    async for entry in tail:
        found.append(entry.position)
        if entry.position == position:
            break
    return found


async def chain_of(system: System, tenant: Tenant) -> Chain:
    return (await read_log(system.settings))[partition_of(tenant.org_id, PARTITIONS)]


def positions(chain: Chain, org_id: str | None = None) -> list[str]:
    wanted = [entry for entry in chain.entries if org_id in {None, entry["org_id"]}]
    return [f"{chain.partition}.{entry['metadata_json']['position']}" for entry in wanted]


def after(position: str, found: Sequence[str]) -> Sequence[str]:
    return found[found.index(position) + 1 :]


def cut_kafka() -> int:
    """Resets the connections of this process that follow the log; returns their number."""
    found = [each for each in gc.get_objects() if isinstance(each, AIOKafkaConnection) and each.connected()]
    following = [each for each in found if each._client_id == CLIENT_ID]
    for each in following:
        assert each._writer is not None
        each._writer.transport.abort()
    return len(following)


async def test_over_http_each_entry_comes_once(
    system: System, over_http: Daybook, tenant: Tenant, reads: Proxy
) -> None:
    start = await rename(over_http, tenant, 1)
    async with aclosing(over_http.tail(tenant.org_id, after=start)) as tail:
        seen = await until(tail, await rename(over_http, tenant, 5))
        for _ in range(3):
            assert reads.cut(1.0) > 0
            seen += await until(tail, await rename(over_http, tenant, 5))
        reads.behave(Behaviour(refused=True))
        assert reads.half_close(1.0, Direction.ANSWERS) > 0
        chain = await chain_of(system, tenant)
        await append(system.settings, chain.partition, [make(chain) for make in VOID])
        last = await rename(over_http, tenant, 5)
        reads.behave(NORMAL)
        seen += await until(tail, last)
    chain = await chain_of(system, tenant)
    assert len(chain.voids) >= len(VOID)
    assert seen == after(start, positions(chain, tenant.org_id))
    assert len(seen) == 25


async def test_over_kafka_each_entry_of_an_org_comes_once(system: System, over_kafka: Daybook, tenant: Tenant) -> None:
    start = await rename(over_kafka, tenant, 1)
    async with aclosing(over_kafka.tail(tenant.org_id, after=start)) as tail:
        seen = await until(tail, await rename(over_kafka, tenant, 5))
        for _ in range(3):
            chain = await chain_of(system, tenant)
            await append(system.settings, chain.partition, [make(chain) for make in VOID])
            assert cut_kafka() > 0
            seen += await until(tail, await rename(over_kafka, tenant, 5))
        following = asyncio.create_task(anext(tail, None))
        await over_kafka.close()
        assert await following is None
    assert cut_kafka() == 0
    assert seen == after(start, positions(await chain_of(system, tenant), tenant.org_id))
    assert len(seen) == 20


async def test_over_kafka_following_begins_when_kafka_is_back(
    system: System, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "daybook_client")
    host, _, port = system.settings.kafka_bootstrap.partition(":")
    assert host in {"127.0.0.1", "localhost"}
    proxy = Proxy(Random(1), target=int(port))
    await proxy.start()
    proxy.behave(Behaviour(refused=True))
    prefix = system.settings.topic_prefix
    daybook = Daybook.over_kafka(f"127.0.0.1:{proxy.port}", principal="service:shop", topic_prefix=prefix)
    async with daybook, aclosing(daybook.tail("all", after="start")) as tail:
        first = asyncio.create_task(anext(tail))
        await eventually(_has("tail_interrupted", caplog))
        proxy.behave(NORMAL)
        log = await read_log(system.settings)
        expected = sorted(position for chain in log for position in positions(chain))
        found = [await first] + [await anext(tail) for _ in expected[1:]]
        assert sorted(entry.position for entry in found) == expected
    await proxy.stop()


def _has(event: str, caplog: pytest.LogCaptureFixture) -> Callable[[], Awaitable[bool]]:
    async def has() -> bool:
        return event in caplog.messages

    return has


async def test_over_kafka_a_new_connection_continues_after_the_last_entry(system: System, tenant: Tenant) -> None:
    chain = await chain_of(system, tenant)
    connection, start = KafkaConnection(system.settings.kafka_bootstrap), parse_starts("start")
    tail = LogTail(connection, system.settings.topic_prefix, UUID(tenant.org_id), start, lambda: True)
    expected, found = positions(chain, tenant.org_id), list[str]()
    for count in (2, len(expected) - 2):
        async with aclosing(tail.entries()) as entries:
            found += [(await anext(entries)).position for _ in range(count)]
    assert found == expected
    (place,) = tail._places.values()
    place.next_offset = 1_000_000
    with pytest.raises(LogChanged, match="before the checkpoint's 1000000"):
        await anext(tail.entries())


async def test_following_can_begin_at_the_start_of_the_orgs_log(
    system: System, over_http: Daybook, over_kafka: Daybook, tenant: Tenant
) -> None:
    last = await rename(over_http, tenant, 2)
    expected = positions(await chain_of(system, tenant), tenant.org_id)
    for daybook in (over_http, over_kafka):
        async with aclosing(daybook.tail(tenant.org_id, after="start")) as tail:
            assert await until(tail, last) == expected


async def test_following_continues_after_the_entry_of_a_checkpoint(
    system: System, over_http: Daybook, over_kafka: Daybook, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = await rename(over_http, tenant, 5)
    expected = positions(await chain_of(system, tenant), tenant.org_id)
    async with aclosing(over_kafka.tail(tenant.org_id, after="start")) as tail:
        checkpoints = [(await anext(tail)).checkpoint for _ in expected]
    offsets = [int(each.split(":")[1]) for each in checkpoints]
    assert offsets == sorted(offsets)
    read, take = list[int](), Place.take

    def noted(place: Place, offset: int, value: bytes | None) -> Admitted | None:
        read.append(offset)
        return take(place, offset, value)

    monkeypatch.setattr(Place, "take", noted)
    for at in (0, 3):
        for daybook in (over_kafka, over_http):
            async with aclosing(daybook.tail(tenant.org_id, after=checkpoints[at])) as tail:
                assert await until(tail, last) == expected[at + 1 :]
        assert read[0] == offsets[at], "reading did not begin at the checkpoint"
        read.clear()
    with pytest.raises(LogChanged, match=f"the record at offset {offsets[3]} is not entry"):
        await anext(over_kafka.tail(tenant.org_id, after=checkpoints[3][:-8] + "0" * 8))


async def test_without_a_position_following_begins_with_the_next_entry(
    system: System, over_http: Daybook, over_kafka: Daybook, tenant: Tenant
) -> None:
    for daybook in (over_http, over_kafka):
        async with aclosing(daybook.tail(tenant.org_id)) as tail:
            first = asyncio.create_task(anext(tail))
            # The tail does not yield entries that were written before its start was known.
            sent = list[str]()
            while not first.done():
                sent.append(await rename(daybook, tenant, 1))
            assert (await first).position in sent
            following = [*sent[sent.index((await first).position) + 1 :], await rename(daybook, tenant, 1)]
            assert await until(tail, following[-1]) == following


async def test_the_program_of_the_page_works_over_http_and_kafka(
    over_http: Daybook, over_kafka: Daybook, tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {}
    exec(PROGRAM.text, names)  # noqa: S102 - the page's own lines
    start = await rename(over_http, tenant, 1)
    last = await rename(over_http, tenant, 2)
    for daybook in (over_http, over_kafka):
        checkpoint = await names["follow"](daybook, tenant.org_id, start, until=last)  # type: ignore[operator]
        assert checkpoint.partition(":")[0] == last
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[1:] for line in lines] == [["RENAME_ORG", "success"]] * 2


async def test_following_without_the_right_or_with_a_wrong_position_raises_an_error(
    system: System, tenant: Tenant, over_kafka: Daybook
) -> None:
    bearer, url = token(system.settings, f"user:{tenant.stranger}"), system.projectors[0].url
    async with Daybook.over_http(system.commands[0].url, token=bearer, read_url=url) as stranger:
        with pytest.raises(NotVisible):
            await anext(stranger.tail(tenant.org_id))
    with pytest.raises(Misuse, match=r"partition 7 is not one of the log's 2"):
        await anext(over_kafka.tail("all", after="7.3"))
