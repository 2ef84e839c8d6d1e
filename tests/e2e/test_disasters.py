"""The procedures of docs/disasters.md with running services: each loss is reported as the page says, the steps restore
the data, and a certificate proves it. test_degraded_histories.py restores a backup of PostgreSQL.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Servers
from support.chain import Json
from support.driving import Tenant, check_tables, new_tenants, open_database, over_http, over_kafka, until_projected
from support.forging import append
from support.logbook import org_in
from support.processes import System, Systems
from support.publisher import Publisher, Send, doors, send_until_decided
from support.replay import read_topic
from support.reports import restart, until_ready, until_unready
from support.restoring import lose
from support.shell import Completed, run_daybook

pytestmark = pytest.mark.timeout(240)
PARTITIONS = 2
CUT, WHOLE = range(PARTITIONS)
LOST = 2
LOSE = ("--lose-unprojected", "--yes")
PLACE_FIELDS = ("offset", "voids")


class Company:
    """A system with a history, and the answers to its commands."""

    def __init__(self, system: System, tenants: Sequence[Tenant]) -> None:
        self.system = system
        self.settings = system.settings
        self.tenants = tenants
        self.answers: list[tuple[Send, Json]] = []

    async def work(self) -> None:
        """Sends some commands of every tenant, and waits until all of them are projected."""
        positions = await self.send()
        async with open_database(self.settings) as database:
            await until_projected(database, positions)

    async def send(self, *, over: Literal["http", "kafka"] = "http") -> list[str]:
        """Sends some commands of every tenant. Returns the positions of their entries. Only commands sent over
        Kafka are certain to be in the commands topic.
        """
        sends = [tenant.rename(f"{len(self.answers)} {number}") for tenant in self.tenants for number in range(5)]
        sends += [tenant.by(tenant.viewer, "RENAME_ORG", name="no") for tenant in self.tenants]
        async with doors(self.settings, self.system.commands[0].url) as (door,), Publisher(self.settings) as publisher:
            way = over_http(door) if over == "http" else over_kafka(publisher)
            answers = [await way(send) for send in sends]
        assert {answer["status"] for answer in answers} == {200, 403}
        self.answers += zip(sends, answers, strict=True)
        return [answer["position"] for answer in answers]

    async def check_continues(self) -> None:
        """Asserts that repeats get their first answers, new commands are decided, and the tables equal the fold."""
        async with doors(self.settings, self.system.commands[0].url) as (door,):
            assert [await send_until_decided(send, door) for send, _ in self.answers] == [
                answer for _, answer in self.answers
            ]
        await self.work()
        await check_tables(self.settings)


async def new_company(systems: Systems) -> Company:
    system = systems.start(partitions=PARTITIONS, wait_seconds=2)
    async with doors(system.settings, system.commands[0].url) as (door,), open_database(system.settings) as database:
        orgs = [org_in(number, PARTITIONS) for number in range(PARTITIONS)]
        company = Company(system, await new_tenants(door, database, orgs, connections=1))
    # A void record, so that offsets differ from positions.
    await append(system.settings, CUT, [b"a late writer's"])
    await company.work()
    return company


async def certificate(settings: Settings, folder: Path, name: str = "before") -> Json:
    """Verifies everything, which must be valid; returns the certificate."""
    file = folder / name
    verified = await run_daybook(settings, "audit", "verify", "--certificate", str(file))
    assert verified.code == 0, verified
    made: Json = json.loads(file.read_bytes())
    del made["made_at"]
    return made


def without_places(made: Json) -> Json:
    partitions = [{name: each[name] for name in each if name not in PLACE_FIELDS} for each in made["partitions"]]
    return {**made, "partitions": partitions}


async def first_finding(settings: Settings) -> str:
    verified = await run_daybook(settings, "audit", "verify")
    assert verified.code == 1, verified
    return verified.stdout.splitlines()[-1]


async def restore(settings: Settings, *options: str) -> Completed:
    return await run_daybook(settings, "audit", "restore-topic", *options)


async def decide_again(settings: Settings) -> None:
    """Resets the committed offsets of the commands topic to the beginning, as kafka-consumer-groups.sh does."""
    topics = Topics(settings.topic_prefix)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, group_id=topics.command_group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = [TopicPartition(topics.commands, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, 0))
    finally:
        await consumer.stop()


async def lose_topic(settings: Settings) -> None:
    async with admin(settings) as client:
        await client.delete_topics([Topics(settings.topic_prefix).audit_log])


async def test_a_lost_database_is_filled_again_from_the_topic(systems: Systems, stack: Servers, tmp_path: Path) -> None:
    company = await new_company(systems)
    settings, system = company.settings, company.system
    before = await certificate(settings, tmp_path)
    ends = [f"{each['partition']}.{each['position']}" for each in before["partitions"]]
    await lose(settings, stack)
    await until_unready("postgres", "", *system.services)
    assert (await run_daybook(settings, "init")).code == 0
    await until_ready(system)
    async with open_database(settings) as database:
        await until_projected(database, ends)
    assert await certificate(settings, tmp_path) == before
    await company.check_continues()


async def test_a_lost_topic_is_written_again_from_audit_log(systems: Systems, tmp_path: Path) -> None:
    company = await new_company(systems)
    settings, system = company.settings, company.system
    before = await certificate(settings, tmp_path)
    await lose_topic(settings)
    await until_unready("kafka", "does not say where", *system.commands)
    await until_unready("kafka", "audit_log does not exist", *system.projectors)
    assert await first_finding(settings) == "invalid: missing: topic 0.0"
    running = await restore(settings, *LOSE)
    assert (running.code, "services are running" in running.stderr) == (1, True), running
    system.stop()
    restored = await restore(settings, *LOSE)
    assert restored.code == 0, restored
    after = await certificate(settings, tmp_path, "after")
    assert after != before
    assert without_places(after) == without_places(before)
    compared = await run_daybook(settings, "audit", "compare", *(str(tmp_path / name) for name in ("before", "after")))
    assert (compared.code, "partition 0: voids 1, then 0" in compared.stdout) == (0, True), compared
    assert [each["voids"] for each in after["partitions"]] == [0, 0]
    await restart(system)
    await until_ready(system)
    await company.check_continues()


async def test_a_cut_topic_is_completed_from_audit_log(systems: Systems, tmp_path: Path) -> None:
    company = await new_company(systems)
    settings, system = company.settings, company.system
    before = await certificate(settings, tmp_path)
    records = await read_topic(settings, "audit_log")
    system.projectors[0].stop()
    lost = await company.send(over="kafka")
    system.stop()
    log = [[value for at, _, value, _ in records if at == number] for number in range(PARTITIONS)]
    end = before["partitions"][CUT]["position"] + 1
    await lose_topic(settings)
    await ensure_topics(settings)
    await append(settings, WHOLE, log[WHOLE])
    await append(settings, CUT, log[CUT][:-LOST])
    await restart(system)
    await until_unready(f"partition {CUT}", "before the checkpoint's", *system.services)
    assert await first_finding(settings) == f"invalid: missing: topic {CUT}.{end - LOST}"
    system.stop()
    # What is left of the topic has a void record. Without it, `restore-topic` would add only the lost entries.
    refused = await restore(settings, *LOSE)
    assert (refused.code, "has other records than audit_log" in refused.stderr) == (1, True), refused
    await lose_topic(settings)
    await ensure_topics(settings)
    await append(settings, WHOLE, log[WHOLE])
    restored = await restore(settings, *LOSE)
    assert (restored.code, f"entries: {end} written" in restored.stdout) == (0, True), restored
    assert without_places(await certificate(settings, tmp_path)) == without_places(before)
    await decide_again(settings)
    await restart(system)
    await until_ready(system)
    async with open_database(settings) as database:
        await until_projected(database, lost)
    await company.check_continues()
