"""Exports of a log, for the tests of verifiers: entries as plain dicts in, folders out. The hashes follow the published
recipes. Invalid entries get valid hashes too, so that a test can break one rule and keep all others.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import chain
from support.chain import ZEROS, Json, jcs
from support.logbook import SALT, Logbook, command_id, org, thing, user

Files = dict[str, bytes | None]
"""A folder: its files by name. A value of None stands for a folder inside it."""
Edit = Callable[[Files], None]

ORG, USER = org(1), user(1)
MISSING = object()
"""A member with this value is left out of the entry."""
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Export:
    """An export and the finding that a verifier must give first; None if it is valid."""

    name: str
    files: Files
    first: Json | None = None

    def write(self, folder: Path) -> Path:
        for name, value in self.files.items():
            if value is None:
                (folder / name).mkdir()
            else:
                (folder / name).write_bytes(value)
        return folder


def entry(position: int = 0, prev: str = ZEROS, columns: Json | None = None, metadata: Json | None = None) -> Json:
    """One sealed entry: a successful RENAME_ORG, with the given members replaced. Its id is computed unless given."""
    inside: Json = {
        "command_id": command_id(position),
        "data": {"name": f"name {position}"},
        "entries": 1,
        "key": ORG,
        "ordinal": 0,
        "partition": 2,
        "principal": "service:example",
        "request": ZEROS,
        "salt": SALT,
        "scope": "org",
        "v": 1,
    } | (metadata or {})
    outside: Json = {
        "action": "RENAME_ORG",
        "actor_user_id": None,
        "created_at": f"2026-11-22T15:10:13.{position:06}Z",
        "entity_id": ORG,
        "entity_type": "org",
        "org_id": ORG,
        "project_id": None,
        "result": "success",
    } | (columns or {})
    if "id" not in outside:
        outside["id"] = _first_id(outside, inside)
    kept = [{name: value for name, value in part.items() if value is not MISSING} for part in (outside, inside)]
    return chain.hashed_at(kept[0] | {"metadata_json": kept[1]}, position, prev)


def _first_id(columns: Json, metadata: Json) -> str:
    actor = None
    if metadata["scope"] == "outsider":
        actor = columns["actor_user_id"] or metadata["data"]["actor_user_id"]
    place = (metadata["key"], metadata["command_id"], metadata["ordinal"])
    return chain.entry_id(*place, scope=metadata["scope"], actor=actor)


def chained(changes: Iterable[tuple[Json, Json]]) -> list[Json]:
    """A chain of entries of one partition. `changes`: for each entry, the columns and the metadata to replace."""
    entries: list[Json] = []
    for position, (columns, metadata) in enumerate(changes):
        prev = entries[-1]["metadata_json"]["hash"] if entries else ZEROS
        entries.append(entry(position, prev, columns, metadata))
    return entries


def resealed(changed: Json, **metadata: Any) -> Json:
    """The entry with these members of its metadata replaced, and its hash recomputed. Its commit is not recomputed."""
    placed = changed | {"metadata_json": changed["metadata_json"] | metadata}
    return placed | {"metadata_json": placed["metadata_json"] | {"hash": chain.entry_hash(placed)}}


def redacted(whole: Json) -> Json:
    return whole | {"metadata_json": whole["metadata_json"] | {"data": None, "salt": None}}


def lines(entries: Iterable[Json]) -> list[bytes]:
    return [jcs(each) + b"\n" for each in entries]


def file_name(partition: int) -> str:
    return f"partition-{partition:04}.jsonl"


def digested(manifest: Json) -> bytes:
    """The manifest's bytes, with the correct digest."""
    unsigned = {name: value for name, value in manifest.items() if name != "digest"}
    return jcs(unsigned | {"digest": hashlib.sha256(jcs(unsigned)).hexdigest()})


def manifest_of(files: Mapping[int, Sequence[bytes]], spans: Mapping[int, tuple[int, int]], filter_: Any) -> Json:
    """`spans`: by partition, the first and the last position in its file, if entries are missing from the file."""
    described = [
        {
            "entries": len(file),
            "first": spans.get(partition, (0, 0))[0],
            "last": spans.get(partition, (0, len(file) - 1))[1],
            "name": file_name(partition),
            "partition": partition,
            "sha256": hashlib.sha256(b"".join(file)).hexdigest(),
        }
        for partition, file in sorted(files.items())
    ]
    return {
        "files": described,
        "filter": filter_,
        "kind": "daybook-export",
        "made_at": "2026-11-22T15:10:13.123456Z",
        "source": "audit_log",
        "v": 1,
    }


def export_of(
    files: Mapping[int, Sequence[bytes]], spans: Mapping[int, tuple[int, int]] | None = None, filter_: Any = None
) -> Files:
    """A folder with these lines, given by partition, and a correct manifest."""
    folder: Files = {file_name(partition): b"".join(file) for partition, file in files.items()}
    return folder | {MANIFEST: digested(manifest_of(files, spans or {}, filter_))}


def export_of_logbook(log: Logbook) -> Files:
    """An export of the records in a log that the product's own code has sealed."""
    return export_of(
        {n: [value + b"\n" for value in log.records[n] if value] for n in range(log.partitions) if log.records[n]}
    )


def _odd_payload() -> Json:
    names = {
        "__proto__": {"constructor": None},
        "constructor": [],
        "\ue000": 1,
        "\U0001f600": 2,
        "": "\x00\x1f\x7f\u2028",
    }
    numbers = [0, 1e-7, 1e-6, 1e21, 123456789012345680000.0, 4.5, 5e-324, 1.7976931348623157e308, -1]
    brackets = {"brackets": '"' + "[" * 600}
    return (
        names | brackets | {"numbers": numbers, "deep": [[{"a": [True, False, None]}]], "text": 'quote " slash / \\ é'}
    )


def _log() -> dict[int, list[Json]]:
    registered: Json = {"action": "REGISTER_USER", "entity_type": "user", "entity_id": USER, "org_id": None}
    failed: Json = {"result": "failure", "actor_user_id": None, "org_id": None, "entity_id": ORG}
    error = {"code": "FORBIDDEN", "detail": "The actor has no right to do this."}
    letter = {"connection_id": thing(1), "dlq_event_id": thing(2), "payload": _odd_payload()}
    alert = {"alert_id": thing(3), "message": "late", "project_id": thing(4), "severity": "warning"}
    second: list[tuple[Json, Json]] = [
        (registered, {"key": USER, "scope": "user", "data": {"user_id": USER}}),
        ({"action": "CREATE_ORG"}, {"data": {"name": "Coffee {7}"}}),
        ({}, {"data": {"name": "Café 😀"}}),
        ({"action": "RECORD_DLQ_EVENT"}, {"data": letter}),
        (failed, {"scope": "outsider", "error": error, "data": {"actor_user_id": user(9), "org_id": ORG}}),
        ({"action": "RAISE_ALERT"}, {"scope": "policy", "ordinal": 1, "entries": 2, "data": alert}),
        ({"actor_user_id": USER}, {"data": {"changed": False, "name": "last"}}),
    ]
    return {
        0: chained([({}, {"partition": 0})] * 3),
        2: chained(second),
        12345: chained([({}, {"partition": 12345})]),
    }


LOG = _log()
"""An honest log. Its partition 2 has entries of every scope, with names and numbers that verifiers easily get wrong."""


def honest_lines() -> dict[int, list[bytes]]:
    return {partition: lines(entries) for partition, entries in LOG.items()}


def honest_exports() -> list[Export]:
    whole = honest_lines()
    second = LOG[2]
    hidden = lines([second[0], redacted(second[1]), *second[2:]])
    no_org = redacted(entry(0, ZEROS, {"org_id": None, "result": "failure"}, {"error": {"code": "A", "detail": ""}}))
    chosen = {0: whole[0][1:2], 2: [whole[2][1], whole[2][5]]}
    log = Logbook(2)
    for number in range(1, 5):
        log.register(user(number))
    return [
        Export("whole", export_of(whole)),
        Export("without entries", export_of({})),
        Export("redacted", export_of({2: hidden})),
        Export("redacted without an org", export_of({2: lines([no_org])})),
        Export("filtered", export_of(chosen, {0: (1, 1), 2: (1, 5)}, {"org_id": ORG})),
        Export("filtered by nothing", export_of(whole, filter_={})),
        Export("sealed by the product", export_of_logbook(log)),
    ]
