"""Writes the rows that every entry gets, even in a quarantined org: its row in `audit_log`, and the reservation of an
id that a service chose for a new thing (docs/log.md, rules 18 and 19).
"""

from collections.abc import Sequence

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.partition.batch_rows import audit_rows, chosen_ids
from daybook_projector.partition.machine import Batch
from daybook_projector.postgres.row_ids import row_ids
from daybook_projector.postgres.row_writer import copy_audit_log, translated_refusals

# Ordered, so that two transactions that reserve the same ids do not deadlock.
RESERVE_IDS = """
INSERT INTO daybook.reserved_ids (id, org_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS chosen (id, org_id) ORDER BY id ON CONFLICT DO NOTHING
"""


async def keep_entries(connection: Connection, batches: Sequence[Batch], *, look_up_ids: bool = False) -> None:
    """`look_up_ids`: true if an earlier attempt failed because an id is taken. Raises `FoldError` and `IdTaken`; if it
    looks up ids, also `PartitionStopped` (see `row_ids`).
    """
    entries = [entry for batch in batches for entry in batch.entries]
    rows = audit_rows(entries)
    if look_up_ids:
        ids = [id_ for batch in batches for id_ in await row_ids(connection, batch.partition, batch.entries)]
        rows = [(id_, *others) for id_, (_, *others) in zip(ids, rows, strict=True)]
    chosen = chosen_ids(entries)
    if chosen:
        with translated_refusals():
            await connection.execute(RESERVE_IDS, *zip(*chosen, strict=True))
    await copy_audit_log(connection, rows)
