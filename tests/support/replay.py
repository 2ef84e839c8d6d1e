"""Reads a whole log and holds it against what was sent: every entry must be the one the model makes of its command at
that place, and every answer the one its entries give.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from daybook_infra.settings import Settings
from support.chain import Chain, Json, chains, commit_hash, entry_id, request_hash
from support.model import Model
from support.publisher import Send

METADATA = {
    "v",
    "partition",
    "position",
    "prev",
    "hash",
    "command_id",
    "ordinal",
    "entries",
    "request",
    "principal",
    "data",
    "salt",
    "commit",
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def read_topic(settings: Settings, name: str) -> list[tuple[int, int, bytes | None, dict[str, bytes]]]:
    """All records of a topic up to its end now: (partition, offset, value, headers)."""
    places = [TopicPartition(settings.topic_prefix + name, partition) for partition in range(settings.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found = []
        for place in places:
            while await consumer.position(place) < ends[place]:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(r.partition, r.offset, r.value, dict(r.headers)) for r in records]
        return found
    finally:
        await consumer.stop()


async def read_log(settings: Settings) -> list[Chain]:
    records = await read_topic(settings, "audit_log")
    return chains(settings.partitions, [record[:3] for record in records])


def entries_of(log: Iterable[Chain]) -> list[Json]:
    """Users' entries first, as everybody else's name them; else partition by partition, each in its order."""
    entries = [entry for chain in log for entry in chain.entries]
    return sorted(entries, key=lambda entry: entry["entity_type"] != "user")


def by_command(entries: Iterable[Json]) -> dict[tuple[int, str], list[Json]]:
    """Each command's entries, by partition and command id."""
    found = defaultdict[tuple[int, str], list[Json]](list)
    for entry in entries:
        metadata = entry["metadata_json"]
        found[metadata["partition"], metadata["command_id"]].append(entry)
    return dict(found)


def check_chain(chain: Chain) -> None:
    """What every entry must have whatever it says: its fields, its hashes, a later time than the one before."""
    last = ""
    for entry in chain.entries:
        metadata = entry["metadata_json"]
        failed = entry["result"] == "failure"
        assert set(metadata) == (METADATA | {"error"} if failed else METADATA), metadata
        assert metadata["commit"] == commit_hash(metadata["salt"], metadata["data"])
        assert INSTANT.fullmatch(entry["created_at"])
        assert entry["created_at"] > last
        last = entry["created_at"]


def check_against_model(log: Iterable[Chain], sends: Iterable[Send], model: Model | None = None) -> None:
    """Raises AssertionError at the first entry that the model would not have written there, or that nobody sent."""
    model = model or Model()
    sent = {(send.key, send.command["id"]): send for send in sends}
    told = set()
    for entry in entries_of(log):
        metadata = entry["metadata_json"]
        send = _sender(sent, entry)
        assert entry["id"] not in told, f"{entry['id']} is there twice"
        told.add(entry["id"])
        assert metadata["principal"] == send.principal
        assert metadata["request"] == request_hash(metadata["salt"], send.command)
        assert (metadata["ordinal"], metadata["entries"], metadata["v"]) == (0, 1, 1)
        expected, told_now = model.decide(send.principal, send.command), _told(entry)
        assert told_now == expected, f"{send} at {metadata['position']}: {told_now} instead of {expected}"


def _sender(sent: dict[tuple[str, str], Send], entry: Json) -> Send:
    """The entry's id is computed from the command's key, so it says whose it is."""
    command_id = entry["metadata_json"]["command_id"]
    claimed = entry["metadata_json"]["data"].get("org_id") or entry["org_id"] or entry["entity_id"]
    assert entry["id"] == entry_id(claimed, command_id)
    return sent[claimed, command_id]


def _told(entry: Json) -> Json:
    metadata = entry["metadata_json"]
    columns = ("action", "entity_type", "entity_id", "org_id", "project_id", "actor_user_id", "result")
    code = metadata.get("error", {}).get("code")
    return {**{name: entry[name] for name in columns}, "data": metadata["data"], "code": code}


def check_answer(answer: Json, entry: Json) -> None:
    """A command of one entry was answered with just that."""
    metadata = entry["metadata_json"]
    position = f"{metadata['partition']}.{metadata['position']}"
    assert (answer["command_id"], answer.get("position")) == (metadata["command_id"], position), answer
    if entry["result"] == "success":
        made = {name: entry[name] for name in ("id", "action", "entity_type", "entity_id")}
        assert (answer["status"], answer["result"], answer["entries"]) == (200, "success", [made]), answer
        assert set(answer) == {"status", "result", "entries", "command_id", "position"}
        return
    code = metadata["error"]["code"]
    assert (answer["status"], answer["code"], answer["entry_id"]) == (status_of(code), code, entry["id"]), answer
    assert (answer["detail"], answer["type"]) == (metadata["error"]["detail"], f"urn:daybook:problem:{code}"), answer


def status_of(code: str) -> int:
    if code.endswith("_NOT_FOUND"):
        return 404
    return 403 if code == "FORBIDDEN" else 409
