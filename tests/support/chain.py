"""The recipes of the log, implemented a second time from the specification: ids, partitions, hashes, the admission
rule. Entries are plain dicts. This module shares no code with the product, which it checks.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import rfc8785

Json = dict[str, Any]
ZEROS = "0" * 64
FREE_TEXT = {"message", "error", "error_message", "reason", "stats"}
"""Fields that the hash of a request leaves out."""
_M = 0x5BD1E995
_U32 = 0xFFFFFFFF


def jcs(value: Any) -> bytes:
    return rfc8785.dumps(value)


def entry_id(key: str, command_id: str, ordinal: int = 0, scope: str = "org", actor: str | None = None) -> str:
    """An entry's first id: the command id's first six bytes, then ten of a digest over what identifies the entry."""
    digest = hashlib.sha256(b"daybook-id/v1\n" + _identity(scope, key, actor, command_id, ordinal)).digest()
    return _uuid8(UUID(command_id).bytes[:6] + digest[:10])


def second_id(key: str, command_id: str, ordinal: int = 0, scope: str = "org", actor: str | None = None) -> str:
    """The row's id if another entry has the first id already: 16 bytes of a second digest over the same bytes."""
    digest = hashlib.sha256(b"daybook-id/v2\n" + _identity(scope, key, actor, command_id, ordinal)).digest()
    return _uuid8(digest[:16])


def thing_id(org_id: str, command_id: str) -> str:
    """The id of the thing that a command creates, unless a service chose one."""
    return second_id(org_id, command_id)


def _identity(scope: str, key: str, actor: str | None, command_id: str, ordinal: int) -> bytes:
    ids = UUID(key).bytes + (bytes(16) if actor is None else UUID(actor).bytes) + UUID(command_id).bytes
    return scope.encode() + b"\n" + ids + ordinal.to_bytes(4, "big")


def _uuid8(digest: bytes) -> str:
    raw = bytearray(digest)
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(raw)))


@cache
def partition_of(key: str, partitions: int) -> int:
    """Java's default partitioner over the key's UTF-8 bytes."""
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _U32
        h = (h * _M & _U32) ^ ((k ^ k >> 24) * _M & _U32)
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _U32
    h = (h ^ h >> 13) * _M & _U32
    return h ^ h >> 15


def commit_hash(salt: str, data: Any) -> str:
    return hashlib.sha256(b"daybook-data/v1\n" + bytes.fromhex(salt) + jcs(data)).hexdigest()


def request_hash(salt: str, command: Json) -> str:
    content = {name: command.get(name) for name in ("type", "org_id", "actor_user_id", "data")}
    content["data"] = {name: value for name, value in command["data"].items() if name not in FREE_TEXT}
    return hashlib.sha256(b"daybook-request/v1\n" + bytes.fromhex(salt) + jcs(content)).hexdigest()


def entry_hash(entry: Json) -> str:
    kept = {name: value for name, value in entry["metadata_json"].items() if name not in {"data", "salt", "hash"}}
    return hashlib.sha256(b"daybook-entry/v1\n" + jcs(entry | {"metadata_json": kept})).hexdigest()


def hashed_at(entry: Json, position: int, prev: str) -> Json:
    """The entry with this position and `prev`, and with its hashes recomputed."""
    metadata = entry["metadata_json"] | {"position": position, "prev": prev}
    metadata["commit"] = commit_hash(metadata["salt"], metadata["data"])
    placed = entry | {"metadata_json": metadata}
    metadata["hash"] = entry_hash(placed)
    return placed


@dataclass(slots=True)
class Chain:
    """The records of one partition: the entries that extend the log, and the offsets of the void records."""

    partition: int
    entries: list[Json] = field(default_factory=list)
    voids: list[int] = field(default_factory=list)

    @property
    def head(self) -> tuple[int, str]:
        if not self.entries:
            return -1, ZEROS
        last = self.entries[-1]["metadata_json"]
        return last["position"], last["hash"]

    def take(self, offset: int, value: bytes | None) -> None:
        entry = _canonical(value)
        if entry is not None and self._extends(entry):
            self.entries.append(entry)
        else:
            self.voids.append(offset)

    def _extends(self, entry: Json) -> bool:
        metadata = entry["metadata_json"]
        position, prev = self.head
        return (metadata["partition"], metadata["position"], metadata["prev"]) == (
            self.partition,
            position + 1,
            prev,
        ) and metadata["hash"] == entry_hash(entry)


def _canonical(value: bytes | None) -> Json | None:
    """The record's JSON object if the record is canonical and has the metadata that the chain needs, else None."""
    try:
        entry = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("metadata_json"), dict) or jcs(entry) != value:
        return None
    needed = {"partition", "position", "prev", "hash"}
    return entry if needed <= entry["metadata_json"].keys() else None


def chains(partitions: int, records: Iterable[tuple[int, int, bytes | None]]) -> list[Chain]:
    """One chain for each partition. Records are (partition, offset, value), in offset order within a partition."""
    made = [Chain(partition) for partition in range(partitions)]
    for partition, offset, value in records:
        made[partition].take(offset, value)
    return made
