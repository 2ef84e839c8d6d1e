"""Records that a foreign writer, not the shard, puts into the audit log. Some of them extend the log, some are void."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from support.chain import Chain, Json, entry_id, hashed_at, jcs, request_hash
from support.forging import time_after, timestamp
from support.publisher import Send

FORBIDDEN = "The actor has no right to do this."


def forged_rename(chain: Chain, position: int, prev: str) -> Json:
    """A well-formed RENAME_ORG entry of the last entry's org, with a new command id, this position and this `prev`."""
    last, command_id = chain.entries[-1], str(uuid4())
    metadata = last["metadata_json"] | {"command_id": command_id, "data": {"name": "Forged"}}
    metadata |= {"scope": "org", "key": last["org_id"]}
    entry = last | {"action": "RENAME_ORG", "entity_type": "org", "entity_id": last["org_id"]}
    return hashed_at(entry | {"id": entry_id(last["org_id"], command_id), "metadata_json": metadata}, position, prev)


def wrong_prev(chain: Chain) -> bytes:
    return jcs(forged_rename(chain, chain.head[0] + 1, "ab" * 32))


def repeated_position(chain: Chain) -> bytes:
    last = chain.entries[-1]["metadata_json"]
    return jcs(forged_rename(chain, last["position"], last["prev"]))


def old_head(chain: Chain) -> bytes:
    old = chain.entries[-2]["metadata_json"]
    return jcs(forged_rename(chain, old["position"] + 1, old["hash"]))


def skipped_position(chain: Chain) -> bytes:
    return jcs(forged_rename(chain, chain.head[0] + 2, chain.head[1]))


def wrong_hash(chain: Chain) -> bytes:
    entry = forged_rename(chain, chain.head[0] + 1, chain.head[1])
    entry["metadata_json"]["hash"] = "cd" * 32
    return jcs(entry)


def wrong_partition(chain: Chain) -> bytes:
    other = Chain(chain.partition + 1, chain.entries)
    entry = forged_rename(other, chain.head[0] + 1, chain.head[1])
    return jcs(
        hashed_at(entry | {"metadata_json": entry["metadata_json"] | {"partition": other.partition}}, *chain.head)
    )


def not_canonical(chain: Chain) -> bytes:
    return json.dumps(forged_rename(chain, chain.head[0] + 1, chain.head[1])).encode()


def again(chain: Chain) -> bytes:
    return jcs(chain.entries[-1])


def garbage(_: Chain) -> bytes:
    return b"\x00\xff garbage"


def not_utf8(chain: Chain) -> bytes:
    return jcs(forged_rename(chain, chain.head[0] + 1, chain.head[1])).replace(b'"Forged"', b'"Forg\xe9d"')


def tombstone(_: Chain) -> None:
    return None


VOID: list[Callable[[Chain], bytes | None]] = [
    wrong_prev,
    repeated_position,
    old_head,
    skipped_position,
    wrong_hash,
    wrong_partition,
    not_canonical,
    again,
    garbage,
    not_utf8,
    tombstone,
]


def usurping(chain: Chain, org_id: str) -> tuple[Send, bytes]:
    """A command that is always rejected, and the entry that a shard would write for it at the log's head. If this entry
    comes first, the shard's own append is void.
    """
    command_id, salt, data = str(uuid4()), secrets.token_hex(16), {"name": "Usurped"}
    command = {"id": command_id, "type": "RENAME_ORG", "org_id": org_id, "actor_user_id": None, "data": data}
    metadata: Json = {"v": 1, "partition": chain.partition, "command_id": command_id, "ordinal": 0, "entries": 1}
    metadata |= {"request": request_hash(salt, command), "principal": "service:usurper", "data": data, "salt": salt}
    metadata |= {"scope": "org", "key": org_id, "error": {"code": "FORBIDDEN", "detail": FORBIDDEN}}
    entry: Json = {"id": entry_id(org_id, command_id), "org_id": org_id, "project_id": None, "actor_user_id": None}
    entry |= {"action": "RENAME_ORG", "entity_type": "org", "entity_id": org_id, "result": "failure"}
    entry |= {"metadata_json": metadata, "created_at": max(timestamp(datetime.now(UTC)), time_after(chain))}
    position, prev = chain.head
    return Send("service:usurper", command), jcs(hashed_at(entry, position + 1, prev))
