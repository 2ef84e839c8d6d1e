"""Kafka ACLs are removed while services run. The services report the missing ACLs and keep running, and recover when
the ACLs are granted again.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook_contracts.topics import Topics
from daybook_infra.runtime.kafka.topics import ensure_topics
from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from support.driving import eventually, fresh_id, open_database, send_accepted, send_and_project
from support.guarded_kafka import GuardedKafka, Operation, Resource, guarded_kafka
from support.processes import System
from support.publisher import are_projected, doors, send_until_decided
from support.reports import until_ready, until_unready
from support.stack import FreshSettings
from support.workload import by_user, registration

pytestmark = pytest.mark.timeout(180)

TOPIC_OPERATIONS = (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS, Operation.READ, Operation.WRITE)


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedKafka]:
    with guarded_kafka() as started:
        yield started


async def prepare(guarded: GuardedKafka, settings: Settings) -> Topics:
    """Creates topics, tables, and all ACLs that the services need."""
    topics = Topics(settings.topic_prefix)
    await ensure_topics(guarded.superuser(topic_prefix=settings.topic_prefix))
    await migrate(settings)
    for name in (topics.commands, topics.audit_log, topics.results, topics.commands_dlq):
        await guarded.allow(Resource.TOPIC, name, *TOPIC_OPERATIONS)
    for group in (topics.command_group, topics.projector_group):
        await guarded.allow(Resource.GROUP, group, Operation.READ)
    return topics


def settings_of(guarded: GuardedKafka, fresh_settings: FreshSettings) -> Settings:
    fresh = fresh_settings(init=False)
    return guarded.settings(
        database_url=fresh.database_url, jwt_secret=fresh.jwt_secret, topic_prefix=fresh.topic_prefix, wait_seconds=2
    )


@pytest.mark.parametrize("kind", [Resource.GROUP, Resource.TOPIC])
async def test_commands_are_read_again_when_the_right_to_read_them_is_back(
    guarded: GuardedKafka, fresh_settings: FreshSettings, tmp_path: Path, kind: Resource
) -> None:
    settings = settings_of(guarded, fresh_settings)
    topics = await prepare(guarded, settings)
    name = topics.command_group if kind is Resource.GROUP else topics.commands
    system = System(settings, tmp_path)
    command = system.start("command")
    system.start("projector")
    try:
        await until_ready(system)
        async with doors(settings, command.url) as (door,):
            await guarded.forbid(kind, name, Operation.READ)
            await until_unready("kafka", f"user hub is not authorised for {kind.name.lower()} {name}", command)
            send = registration(fresh_id(), fresh_id())
            assert (await door.send(send, Prefer="respond-async")).status_code == 202
            await guarded.allow(kind, name, Operation.READ)
            assert await eventually(lambda: are_projected(door, [send]), 60)
            await until_ready(system)
    finally:
        await asyncio.to_thread(system.stop)


async def test_removed_acls_are_an_outage(guarded: GuardedKafka, fresh_settings: FreshSettings, tmp_path: Path) -> None:
    settings = settings_of(guarded, fresh_settings)
    topics = await prepare(guarded, settings)
    system = System(settings, tmp_path)
    command, projector = system.start("command"), system.start("projector")
    try:
        await until_ready(system)
        async with doors(settings, command.url) as (door,), open_database(settings) as database:
            owner, org = fresh_id(), fresh_id()
            await send_and_project(door, database, registration(owner, fresh_id()))
            await send_accepted(door, by_user("CREATE_ORG", org, owner, fresh_id(), name="Org"))
            await guarded.forbid(Resource.TOPIC, topics.audit_log, Operation.READ)
            await until_unready("kafka", f"TopicAuthorizationFailedError: {topics.audit_log}", projector)
            renamed = by_user("RENAME_ORG", org, owner, fresh_id(), name="Renamed")
            assert (await send_until_decided(renamed, door))["status"] == 200
            await guarded.forbid(Resource.TOPIC, topics.audit_log, Operation.WRITE)
            later_command = by_user("RENAME_ORG", org, owner, fresh_id(), name="Later")
            later = asyncio.create_task(send_until_decided(later_command, door, seconds=60))
            reason = f"user hub is not authorised for topic {topics.audit_log}: an ACL is missing"
            await until_unready("log", reason, command)
            await guarded.allow(Resource.TOPIC, topics.audit_log, Operation.READ, Operation.WRITE)
            assert (await later)["status"] == 200
            await until_ready(system)
            assert await eventually(lambda: are_projected(door, [renamed]), 30)
    finally:
        await asyncio.to_thread(system.stop)
