"""Commands over Kafka: in which partition they are decided, and where their outcomes are published."""

import asyncio
import json

import pytest

from daybook_infra.runtime.postgres.connections import Connection
from support.chain import entry_id, partition_of
from support.deadletters import dead_letter
from support.driving import Tenant, fresh_id, over_kafka, until_projected
from support.processes import System
from support.publisher import Door, Publisher, Send, item
from support.replay import by_command, entries_of, read_log, read_topic
from support.workload import SERVICE, registration


def wrong_partition(publisher: Publisher, send: Send) -> int:
    return (partition_of(send.key, publisher.settings.partitions) + 1) % publisher.settings.partitions


async def test_a_misrouted_command_is_forwarded_once_and_decided(publisher: Publisher, database: Connection) -> None:
    send = registration(fresh_id(), fresh_id())
    answer = await asyncio.wait_for(await publisher.publish(send, partition=wrong_partition(publisher, send)), 20)
    assert answer["status"] == 200
    home = partition_of(send.key, publisher.settings.partitions)
    assert answer["position"].startswith(f"{home}.")
    records = await read_topic(publisher.settings, "commands")
    forwarded = [record for record in records if record[2] == send.body and "daybook-forwarded-from" in record[3]]
    assert [record[0] for record in forwarded] == [home]


async def test_a_forwarded_command_in_a_wrong_partition_becomes_a_dead_letter(publisher: Publisher) -> None:
    send = registration(fresh_id(), fresh_id())
    headers = [("daybook-principal", SERVICE.encode()), ("daybook-forwarded-from", b"5")]
    partition, offset = await publisher.publish_raw(
        send.key, send.body, headers, partition=wrong_partition(publisher, send)
    )
    letter = await dead_letter(publisher.settings, partition, offset)
    assert letter.value == send.body
    assert letter.reason
    assert (partition, send.command["id"]) not in by_command(entries_of(await read_log(publisher.settings)))


async def test_the_partition_follows_the_envelope_not_the_key_of_the_record(publisher: Publisher) -> None:
    send = registration(fresh_id(), fresh_id())
    answer = await asyncio.wait_for(await publisher.publish(send, key=fresh_id()), 20)
    assert answer["position"].startswith(f"{partition_of(send.key, publisher.settings.partitions)}.")


@pytest.mark.parametrize("reply_partition", [b"4096", b"-1", b"x", b""])
async def test_a_wrong_reply_partition_gets_no_reply(publisher: Publisher, reply_partition: bytes) -> None:
    send = registration(fresh_id(), fresh_id())
    await publisher.publish_raw(
        send.key, send.body, [("reply-partition", reply_partition), ("correlation-id", b"lost")]
    )
    again = await over_kafka(publisher)(send)
    assert again["status"] == 200
    results = await read_topic(publisher.settings, "results")
    assert [record for record in results if record[3].get("correlation-id") == b"lost"] == []


async def test_a_command_without_a_principal_comes_from_the_unnamed_service(publisher: Publisher) -> None:
    send = registration(fresh_id(), fresh_id())
    await publisher.publish_raw(send.key, send.body, [])
    assert (await over_kafka(publisher)(send))["status"] == 200
    home = partition_of(send.key, publisher.settings.partitions)
    (entry,) = by_command(entries_of(await read_log(publisher.settings)))[home, send.command["id"]]
    assert entry["metadata_json"]["principal"] == "service:unnamed"


async def test_a_result_has_the_trace_and_cloud_events_headers(publisher: Publisher) -> None:
    send = registration(fresh_id(), fresh_id())
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await asyncio.wait_for(await publisher.publish(send, ("traceparent", trace)), 20)
    results = await read_topic(publisher.settings, "results")
    partition, headers = next((r[0], r[3]) for r in results if r[2] and json.loads(r[2]) == answer)
    assert partition == publisher.replies.partition
    assert headers["traceparent"] == trace
    assert {"ce_specversion", "ce_id", "ce_type", "ce_source", "correlation-id"} <= headers.keys()
    log = await read_topic(publisher.settings, "audit_log")
    entry = next(headers for _, _, _, headers in log if headers["ce_id"].decode() == answer["entries"][0]["id"])
    assert entry["traceparent"] == trace
    assert entry["ce_type"] == b"daybook.entry.v1"
    assert entry["ce_subject"].decode() == send.key


async def test_outcomes_are_found_by_computed_ids(publisher: Publisher, tenant: Tenant, database: Connection) -> None:
    send = tenant.by(tenant.owner, "CREATE_PROJECT", name="Ledger")
    answer = await over_kafka(publisher)(send)
    await until_projected(database, [answer["position"]])
    computed = await database.fetchval(
        "select id from audit_log where id = daybook.entry_id($1, $2, 0)", tenant.org_id, send.command["id"]
    )
    assert str(computed) == entry_id(send.key, send.command["id"]) == answer["entries"][0]["id"]


async def test_http_and_kafka_give_the_same_answer(publisher: Publisher, door: Door, tenant: Tenant) -> None:
    for send in (tenant.rename("Both"), tenant.by(tenant.member, "RENAME_ORG", name="Neither")):
        assert await over_kafka(publisher)(send) == item(await door.send(send))


async def test_commands_of_every_partition_are_decided(shared: System, publisher: Publisher) -> None:
    users = [fresh_id() for _ in range(200)]
    answers = await asyncio.gather(*(over_kafka(publisher)(registration(user, fresh_id())) for user in users))
    assert len({answer["position"].partition(".")[0] for answer in answers}) == shared.settings.partitions
