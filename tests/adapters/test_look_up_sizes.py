"""Values that are short as JSON and long as PostgreSQL's text: 5e-324 is 326 characters there. A look-up does not read
them as a whole.
"""

from hashlib import sha256

import pytest

from daybook_command.domain.references import ChildKind, ChildRef, with_alerts
from daybook_command.postgres.child_sql import ACTIVITIES, MAX_CONFIG_BYTES
from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import Needs, OrgNeeds
from daybook_contracts.entries.identity import Identity
from daybook_infra.runtime.postgres.connections import Pool
from support.planted_rows import ids, put_activity, put_connection, put_org

TINY = "(SELECT jsonb_agg('5e-324'::numeric) FROM generate_series(1, 2000))"
"""SQL for a value of 14 kB in a command and 650 kB as PostgreSQL's text."""
SHARED_DATABASE = True
ENTRY = f"""
INSERT INTO audit_log SELECT $1::uuid, $2::uuid, NULL, NULL, 'RECORD_DLQ_EVENT', 'dlq_event', $1::uuid, 'success',
    jsonb_build_object(
        'scope', 'org', 'key', $2::text, 'command_id', $3::text, 'ordinal', 0, 'entries', 1, 'v', 1, 'partition', 0,
        'position', 1, 'prev', '', 'hash', '', 'request', '', 'principal', 'service:x', 'salt', '', 'commit', '',
        'data', jsonb_build_object('payload', {TINY})
    ), now()
"""


async def test_the_data_of_a_repeated_commands_entries_is_not_read(pool: Pool) -> None:
    org_id, _ = await put_org(pool)
    identity = Identity("org", org_id, None, ids(1)[0])
    await pool.execute(ENTRY, identity.first_id(), org_id, identity.command_id)
    found = (await SnapshotReader(pool).read({0: Needs(identities=(identity,))}))[0].entries[identity]
    assert found is not None
    assert bytes(found.metadata_json.data) == b'{"actor_user_id": null}'
    assert (found.metadata_json.command_id, found.org_id) == (identity.command_id, org_id)


@pytest.mark.parametrize("generation", [None, 0], ids=["the org is read", "the org is in memory"])
async def test_a_large_config_is_read_by_a_statement_of_its_own(pool: Pool, generation: int | None) -> None:
    org_id, project_id = await put_org(pool)
    small, large = [await put_connection(pool, org_id, project_id, '{"a":1}') for _ in range(2)]
    await pool.execute(f"UPDATE source_connections SET config_json = {TINY} WHERE id = $1", large)
    for connection_id in (small, large):
        await put_activity(pool, connection_id)
    named = with_alerts([ChildRef(ChildKind.CONNECTION, each) for each in (small, large)])
    needs = {0: Needs(orgs=(OrgNeeds(org_id, generation, named=named),))}
    activities = (await SnapshotReader(pool).read(needs))[0].orgs[org_id].children.activities
    assert {id_: each.config for id_, each in activities.items()} == {
        small: sha256(b'{"a":1}').digest(),
        large: sha256(b"[" + b",".join([b"5e-324"] * 2000) + b"]").digest(),
    }
    rows = await pool.fetch(ACTIVITIES, [small, large])
    assert {row["id"]: row["config"] for row in rows} == {small: '{"a": 1}', large: None}
    assert await pool.fetchval(
        "SELECT octet_length(config_json::text) FROM source_connections WHERE id = $1", large
    ) > (MAX_CONFIG_BYTES)
