"""Values that are short as JSON and long as PostgreSQL's text: 5e-324 is 326 characters there. A look-up does not read
them as a whole.
"""

from daybook_command.postgres.snapshot_reader import SnapshotReader
from daybook_command.shard.snapshot import Needs
from daybook_contracts.entries.identity import Identity
from daybook_infra.runtime.postgres.connections import Pool
from support.planted_rows import ids, put_org

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
"""  # noqa: S608 - constants


async def test_the_data_of_a_repeated_commands_entries_is_not_read(pool: Pool) -> None:
    org_id, _ = await put_org(pool)
    identity = Identity("org", org_id, None, ids(1)[0])
    await pool.execute(ENTRY, identity.first_id(), org_id, identity.command_id)
    found = (await SnapshotReader(pool).read({0: Needs(identities=(identity,))}))[0].entries[identity]
    assert found is not None
    assert bytes(found.metadata_json.data) == b'{"actor_user_id": null}'
    assert (found.metadata_json.command_id, found.org_id) == (identity.command_id, org_id)
