"""Reads a whole log and compares it with the commands that were sent. Every command's entries must be those that the
model produces at their place in the log, and every answer must agree with the command's entries.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from daybook_infra.runtime.settings import Settings
from support.chain import Chain, Json, chains, commit_hash, entry_id, jcs, request_hash
from support.model import Model
from support.publisher import Send
from support.topics import records_of
from support.workload import timeout
from support.world import TIMEKEEPER

IDENTITY, PLACE = ("scope", "key", "command_id", "ordinal"), ("partition", "position", "prev", "hash")
METADATA = {*IDENTITY, *PLACE, "v", "entries", "request", "principal", "data", "salt", "commit"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def read_topic(settings: Settings, name: str) -> list[tuple[int, int, bytes | None, dict[str, bytes]]]:
    """All records of a topic up to its end now: (partition, offset, value, headers)."""
    return [(r.partition, r.offset, r.value, dict(r.headers)) for r in await records_of(settings, name)]


async def read_log(settings: Settings) -> list[Chain]:
    records = await read_topic(settings, "audit_log")
    # On a thread, because a long log takes seconds and would block the event loop.
    return await asyncio.to_thread(chains, settings.partitions, [record[:3] for record in records])


def entries_of(log: Iterable[Chain]) -> list[Json]:
    """The entries of users first, because other entries name users; then partition by partition, each in order."""
    entries = [entry for chain in log for entry in chain.entries]
    return sorted(entries, key=lambda entry: entry["entity_type"] != "user")


def by_command(entries: Iterable[Json]) -> dict[tuple[int, str], list[Json]]:
    """Each command's entries, by (partition, command id). Several commands of a partition may have the same id, in
    different scopes or for different keys. For all but the first of them, scope, key and actor are appended to the id.
    """
    groups = defaultdict[tuple[Any, ...], list[Json]](list)
    for entry in entries:
        groups[identity_of(entry)].append(entry)
    found: dict[tuple[int, str], list[Json]] = {}
    for (scope, key, actor, command_id), group in groups.items():
        place = (group[0]["metadata_json"]["partition"], command_id)
        found[(place[0], f"{command_id} {scope} {key} {actor}") if place in found else place] = group
    return found


def identity_of(entry: Json) -> tuple[str, str, str | None, str]:
    """What all entries of one command have in common: scope, key, actor (of outsiders only) and command id."""
    metadata = entry["metadata_json"]
    actor = entry["actor_user_id"] or metadata["data"].get("actor_user_id")
    return (
        metadata["scope"],
        metadata["key"],
        actor if metadata["scope"] == "outsider" else None,
        metadata["command_id"],
    )


def check_chain(chain: Chain) -> None:
    """Asserts that every entry has exactly its fields, a correct `commit`, and a later time than the previous one."""
    last, details = "", dict[str, str]()
    for entry in chain.entries:
        metadata = entry["metadata_json"]
        failed = entry["result"] == "failure"
        assert set(metadata) == (METADATA | {"error"} if failed else METADATA), metadata
        assert metadata["commit"] == commit_hash(metadata["salt"], metadata["data"])
        assert INSTANT.fullmatch(entry["created_at"])
        assert entry["created_at"] > last
        last = entry["created_at"]
        if failed:
            check_error(metadata["error"], details)


def check_error(error: Json, details: dict[str, str]) -> None:
    """Asserts that a code has the same short text in the whole chain. `details` collects the text of each code."""
    assert set(error) == {"code", "detail"}
    assert len(error["detail"]) <= 200
    assert details.setdefault(error["code"], error["detail"]) == error["detail"]


def check_against_model(log: Iterable[Chain], sends: Iterable[Send], model: Model | None = None) -> None:
    """Raises AssertionError at the first command that nobody sent, or whose entries differ from the model's. Daybook
    itself may end runs that take too long.
    """
    model = model or Model()
    sent = defaultdict[tuple[str, str], list[Send]](list)
    for send in sends:
        sent[send.key, send.command["id"]].append(send)
    entries = _as_decided(entries_of(log))
    ordinals = [(*identity_of(entry), entry["metadata_json"]["ordinal"]) for entry in entries]
    assert len(set(ordinals)) == len(entries), "an entry occurs twice"
    for group in by_command(entries).values():
        send = _sender(sent, group[0])
        _check_frame(group, send)
        expected, found = model.decide(send.principal, send.command), [_predicted(entry) for entry in group]
        assert jcs(found) == jcs(expected), (
            f"{send} at {group[0]['metadata_json']['position']}: {found} instead of {expected}"
        )


def _as_decided(entries: list[Json]) -> list[Json]:
    """The entries of users, then all others in the order of their times. Across partitions, only the times tell which
    command chose an id first. They are reliable if the second command was sent long after the first was answered.
    """
    return sorted(entries, key=lambda entry: (entry["entity_type"] != "user", entry["created_at"]))


def _check_frame(group: list[Json], send: Send) -> None:
    """Asserts that a command's entries follow each other, and have one salt and the computed ids."""
    first = group[0]["metadata_json"]
    scope, key, actor, command_id = identity_of(group[0])
    assert key == send.key
    for ordinal, entry in enumerate(group):
        metadata = entry["metadata_json"]
        assert entry["id"] == entry_id(key, command_id, ordinal, scope, actor)
        assert metadata["position"] == first["position"] + ordinal
        assert (metadata["ordinal"], metadata["entries"], metadata["v"]) == (ordinal, len(group), 1)
        assert metadata["salt"] == first["salt"]
        assert metadata["request"] == request_hash(first["salt"], send.command)


def _sender(sent: dict[tuple[str, str], list[Send]], first: Json) -> Send:
    """The command that was sent. If several have this id, the one whose request hash is in the entry."""
    metadata = first["metadata_json"]
    if metadata["principal"] != TIMEKEEPER:
        sends = sent[metadata["key"], metadata["command_id"]]
        assert sends, f"nobody sent {metadata}"
        asked = [send for send in sends if request_hash(metadata["salt"], send.command) == metadata["request"]]
        return (asked or sends)[-1]
    # A timeout command that is rejected leaves no entry.
    assert first["result"] == "success"
    ended = timeout(metadata["key"], metadata["data"]["sync_run_id"])
    assert ended.command["id"] == metadata["command_id"]
    return ended


def _predicted(entry: Json) -> Json:
    """The members of an entry that the model predicts. A policy's entry must have a message, unless it resolves an
    alert; the text is not checked.
    """
    metadata = entry["metadata_json"]
    columns = ("action", "entity_type", "entity_id", "org_id", "project_id", "actor_user_id", "result")
    data = dict(metadata["data"])
    if metadata["ordinal"] > 0 and entry["action"] != "RESOLVE_ALERT":
        message = data.pop("message")
        assert isinstance(message, str)
        assert 1 <= len(message) <= 4000
    said = {name: metadata[name] for name in ("principal", "scope")}
    predicted = {**{name: entry[name] for name in columns}, **said, "data": data}
    return predicted | {"code": metadata.get("error", {}).get("code")}


def check_answer(answer: Json, entries: list[Json]) -> None:
    """Asserts that the answer agrees with the command's entries. A rejection's first answer may have more detail."""
    last = entries[-1]
    metadata = last["metadata_json"]
    position = f"{metadata['partition']}.{metadata['position']}"
    assert (answer["command_id"], answer.get("position")) == (metadata["command_id"], position), answer
    if last["result"] == "success":
        made = [{name: entry[name] for name in ("id", "action", "entity_type", "entity_id")} for entry in entries]
        assert (answer["status"], answer["result"], answer["entries"]) == (200, "success", made), answer
        assert set(answer) == {"status", "result", "entries", "command_id", "position"}
        return
    code = metadata["error"]["code"]
    assert (answer["status"], answer["code"], answer["entry_id"]) == (status_of(code), code, last["id"]), answer
    assert answer["detail"], answer
    assert answer["type"] == f"urn:daybook:problem:{code}", answer


def status_of(code: str) -> int:
    if code.endswith("_NOT_FOUND"):
        return 404
    return {"FORBIDDEN": 403, "INVALID_CONFIG": 422}.get(code, 409)
