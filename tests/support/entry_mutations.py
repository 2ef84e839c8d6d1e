"""Changes entries at random, as a forger or a faulty program might. Commit, id and hash are each recomputed in most
cases, so that later checks are also reached.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from support.chain import Json, commit_hash, entry_hash, entry_id, jcs

ODD_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    1000,
    1001,
    2**32,
    2**53 - 1,
    1.5,
    1e21,
    "",
    "x",
    "\u00e9\U0001f600\ue000",
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000003",
    "00000000-0000-4000-8000-00000000000A",
    "00000000-0000-4000-8000-000000000001\n",
    "0" * 64,
    "ab" * 16,
    "AB" * 16,
    "ab" * 32,
    "2026-11-22T15:10:13.123457Z",
    "2026-11-22T15:10:13.12345Z",
    "2026-02-29T15:10:13.123456Z",
    "9999-12-31T23:59:59.999999Z",
    "success",
    "failure",
    "org",
    "user",
    "outsider",
    "policy",
    "owner",
    "viewer",
    "RENAME_ORG",
    "REGISTER_USER",
    "ESCALATE_ALERT",
    "RAISE_ALERT",
    "DANCE",
    [],
    {},
    ["00000000-0000-4000-8000-000000000001"],
    ["x"],
    {"secrets": {"a": "b"}},
    {"secrets": {"a": 1}},
    {"secrets": None},
    {"max_retry_count": 1},
    {"max_retry_count": 1.5},
    {"org_id": "00000000-0000-4000-8000-000000000001", "actor_user_id": "00000000-0000-4000-8000-000000000003"},
    {"code": "FORBIDDEN", "detail": "No."},
    {"code": "FORBIDDEN"},
)
NAMES: Final = (
    "changed",
    "config",
    "connection_id",
    "error",
    "extra",
    "filter",
    "ids",
    "name",
    "org_id",
    "actor_user_id",
    "reason",
    "rule",
    "stats",
    "__proto__",
    "constructor",
    "\ue000",
    "\U0001f600",
)
"""Names of members that a mutation adds."""


def parsed(value: bytes | str) -> Any:
    """Parses JSON. Integers from 2**53 on, positive or negative, become floats, as canonical JSON needs."""
    return json.loads(value, parse_int=_number)


def _number(text: str) -> float:
    return int(text) if len(text) < 16 or abs(int(text)) < 2**53 else float(text)


Step = Callable[[Random, Json], None]


def mutated(random: Random, value: bytes) -> bytes:
    """The entry after one to three random changes; sometimes its bytes are changed in one place too."""
    entry = parsed(value)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(_STEPS)(random, entry)
    for seal in _SEALS:
        if random.random() < 0.7:
            _seal_if_possible(seal, entry)
    written = jcs(entry)
    return _with_other_bytes(random, written) if random.random() < 0.15 else written


def _objects(entry: Json) -> list[Json]:
    """The entry and every object in it."""
    found, stack = [], [entry]
    while stack:
        each: Any = stack.pop()
        if isinstance(each, dict):
            found.append(each)
        stack.extend(each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
    return found


def _set(random: Random, entry: Json) -> None:
    target = random.choice(_objects(entry))
    if target:
        target[random.choice(sorted(target))] = _value(random, entry)


def _remove(random: Random, entry: Json) -> None:
    target = random.choice(_objects(entry))
    if target:
        del target[random.choice(sorted(target))]


def _add(random: Random, entry: Json) -> None:
    random.choice(_objects(entry))[random.choice(NAMES)] = _value(random, entry)


def _redact(_random: Random, entry: Json) -> None:
    entry["metadata_json"] = _metadata(entry) | {"data": None, "salt": None}


def _fail(random: Random, entry: Json) -> None:
    entry["result"] = "failure"
    error = {"code": "FORBIDDEN", "detail": "No."}
    entry["metadata_json"] = _metadata(entry) | {"error": error, "scope": random.choice(("org", "outsider", "user"))}


_STEPS: Final[tuple[Step, ...]] = (_set, _set, _set, _set, _remove, _add, _redact, _fail)


def _value(random: Random, entry: Json) -> Any:
    """An odd value, or one from elsewhere in the entry. It is a copy, so that no object contains itself."""
    if random.random() < 0.7:
        return parsed(json.dumps(random.choice(ODD_VALUES)))
    taken = random.choice(_objects(entry))
    return parsed(json.dumps(taken[random.choice(sorted(taken))])) if taken else None


def _metadata(entry: Json) -> Json:
    found = entry.get("metadata_json")
    return found if isinstance(found, dict) else {}


def _with_commit(entry: Json) -> None:
    metadata = entry["metadata_json"]
    metadata["commit"] = commit_hash(metadata["salt"], metadata["data"])


def _with_id(entry: Json) -> None:
    metadata = entry["metadata_json"]
    actor = entry["actor_user_id"] or metadata["data"]["actor_user_id"] if metadata["scope"] == "outsider" else None
    entry["id"] = entry_id(metadata["key"], metadata["command_id"], metadata["ordinal"], metadata["scope"], actor)


def _with_hash(entry: Json) -> None:
    entry["metadata_json"]["hash"] = entry_hash(entry)


_SEALS: Final = (_with_commit, _with_id, _with_hash)


def _seal_if_possible(seal: Callable[[Json], None], entry: Json) -> None:
    """Applies `seal`, unless the changed entry lacks what it needs."""
    try:
        seal(entry)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return


def _with_other_bytes(random: Random, value: bytes) -> bytes:
    at = random.randrange(len(value))
    other = random.choice(
        (b"", b" ", b"\n", b"\r", b"0", b"\\", b'"', b"{", b"\xff", b"\xed\xa0\x80", b",1", b"\xc3\xa9")
    )
    return value[:at] + other + value[at + random.choice((0, 1)) :]
