"""Which errors of a look-up are refusals because of its size or its values, which are outages, and which are bugs."""

import asyncpg
import pytest

from daybook_command.postgres.snapshot_reader import SnapshotReader, SnapshotRefused
from daybook_command.shard.snapshot import Needs
from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import Pool

NEEDS = {0: Needs()}


async def refuse_look_ups(pool: Pool, code: str, message: str) -> None:
    """From now on, PostgreSQL refuses each look-up with this error."""
    await pool.execute(f"""
        CREATE FUNCTION daybook.refuse() RETURNS boolean VOLATILE LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{code}'; END $$;
        ALTER TABLE daybook.checkpoints RENAME TO present_checkpoints;
        CREATE VIEW daybook.checkpoints AS SELECT 0::int AS partition, 0::bigint AS next_offset, 0::bigint AS position,
            ''::text AS hash, 0::bigint AS head_offset WHERE daybook.refuse()
    """)


@pytest.mark.parametrize(
    ("code", "message", "raised"),
    [
        ("54000", "array size exceeds the maximum allowed (1073741823)", SnapshotRefused),
        ("XX000", "invalid memory alloc request size 1073741824", SnapshotRefused),
        ("22003", "integer out of range", SnapshotRefused),
        ("53200", "out of memory", DatabaseAway),
        ("XX000", "cache lookup failed for type 1", asyncpg.InternalServerError),
        ("42601", "syntax error", asyncpg.PostgresSyntaxError),
    ],
)
async def test_refusals_outages_and_bugs_are_told_apart(
    pool: Pool, code: str, message: str, raised: type[Exception]
) -> None:
    reader = SnapshotReader(pool)
    assert await reader.read(NEEDS)
    await refuse_look_ups(pool, code, message)
    with pytest.raises(raised, match=message.partition("(")[0]) as error:
        await reader.read(NEEDS)
    assert type(error.value) is raised
