"""Finds the partition of an org's entries, from their rows in `audit_log`."""

from typing import Final

from daybook_infra.runtime.postgres.connections import Connection
from daybook_projector.rebuild.refusal import RebuildRefused

# The partition and the position of a row are NULL if they cannot be read.
PLACES: Final = """
SELECT CASE WHEN is_placed THEN (metadata_json->>'partition')::numeric END AS partition,
       min(CASE WHEN is_placed THEN (metadata_json->>'position')::numeric END) AS position,
       count(*) AS entries, min(id::text) AS id
  FROM (
    SELECT id, metadata_json, jsonb_typeof(metadata_json->'partition') = 'number'
           AND jsonb_typeof(metadata_json->'position') = 'number' AS is_placed
      FROM public.audit_log WHERE org_id = $1
  ) AS rows
 GROUP BY 1 ORDER BY 1
"""


async def find_org(connection: Connection, org_id: str) -> tuple[int, int]:
    """The partition of the org's entries, and the number of entries. Raises `RebuildRefused` if the org has none, or
    if they are in several partitions: entries of different partitions have no common order.
    """
    places = await connection.fetch(PLACES, org_id)
    for place in places:
        if place["partition"] is None:
            raise RebuildRefused(f"{place['entries']} rows of audit_log have no position; the first is {place['id']}")
    if not places:
        raise RebuildRefused(f"org {org_id} has no entries in audit_log")
    if len(places) > 1:
        named = " and ".join(f"{place['partition']}.{place['position']}" for place in places)
        raise RebuildRefused(f"entries of org {org_id} are in more than one partition: {named}")
    return int(places[0]["partition"]), places[0]["entries"]
