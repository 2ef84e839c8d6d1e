"""Makes entries whose first id is already taken by another row of `audit_log`, by shortening the hash in ids or by
inserting such a row.
"""

import json

import pytest

from daybook_contracts.entries.identity import Identity
from daybook_infra.runtime.postgres.connections import Connection, Pool
from support.chain import Json, second_id
from support.logbook import Logbook
from support.projecting import entries_of, tables
from support.tables import Tables

PLANT = "INSERT INTO audit_log VALUES ($1, null, null, null, 'OTHER', 'org', $1, 'success', $2, now())"
ROWS = "SELECT id::text, metadata_json FROM audit_log"


def cut_first_ids(monkeypatch: pytest.MonkeyPatch, digits: int = 0) -> None:
    """Keeps only `digits` hex digits of the hash in first ids, so that entries of similar times often have
    the same id.
    """
    whole = Identity.first_id

    def cut(identity: Identity) -> str:
        kept = whole(identity)[36 - digits :] if digits else ""
        return f"{identity.command_id[:13]}-8000-8000-{kept:>012}"

    monkeypatch.setattr(Identity, "first_id", cut)


async def plant(connection: Connection | Pool, id_: str, hash_: str | None = "f" * 64) -> None:
    """Inserts a row of another entry with this id."""
    await connection.execute(PLANT, id_, json.dumps({} if hash_ is None else {"hash": hash_}))


def second_id_of(entry: Json) -> str:
    metadata = entry["metadata_json"]
    actor = entry["actor_user_id"] or metadata["data"].get("actor_user_id")
    claimed = actor if metadata["scope"] == "outsider" else None
    return second_id(metadata["key"], metadata["command_id"], metadata["ordinal"], metadata["scope"], claimed)


async def second_ids(pool: Pool, log: Logbook) -> int:
    """The number of entries that are stored under their second id. Raises AssertionError unless each entry has exactly
    one row: under its first id or, if a row of another entry has that id already, under its second id.
    """
    entries = {entry["metadata_json"]["hash"]: entry for at in range(log.partitions) for entry in entries_of(log, at)}
    stored = [(row["id"], json.loads(row["metadata_json"])) for row in await pool.fetch(ROWS)]
    own = [(metadata["hash"], id_) for id_, metadata in stored if metadata.get("hash") in entries]
    ids = dict(own)
    assert ids.keys() == entries.keys()
    assert len(own) == len(entries)
    seconds = {hash_ for hash_, id_ in ids.items() if id_ != entries[hash_]["id"]}
    assert {hash_: ids[hash_] for hash_ in seconds} == {hash_: second_id_of(entries[hash_]) for hash_ in seconds}
    assert {entries[hash_]["id"] for hash_ in seconds} <= {id_ for id_, _ in stored}
    return len(seconds)


async def other_tables(pool: Pool) -> Tables:
    """All tables, but with an empty `audit_log`: the ids of its rows depend on which of two entries came first."""
    return {**await tables(pool), "audit_log": {}}
