"""The statements that look up sync runs, dead letters, alerts and activities, which are not loaded with their org. The
ids may belong to any org; the column `org_id` of the result says to which.

A connection may have a million dead letters. So the statements for a filter read an index in its order and stop at a
LIMIT. `status BETWEEN x AND x ORDER BY status` makes PostgreSQL use the index (connection_id, status, id), even if its
statistics are outdated: no other index has this order, and no partial index fits the condition. `retry_count BETWEEN n
AND n` does the same for the index of pending dead letters by retry_count.
"""

import re
from typing import Final

# PostgreSQL may keep a plan that it made while the table was small. The session's settings exclude plans that do not
# use an index. An index scan suits any number of ids, so a generic plan will do, and no statement is planned twice.
# Without sorting, only a scan of an index in the right order remains for a filter, and it stops at the LIMIT.
SESSION: Final = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "plan_cache_mode": "force_generic_plan",
}
PARAMETER: Final = re.compile(r"\$(\d+)")

RUNS: Final = """
    SELECT c.org_id::text, r.id::text, r.connection_id::text, r.status
    FROM public.sync_runs r JOIN public.source_connections c ON c.id = r.connection_id
    WHERE r.id = ANY($1::uuid[])
"""

DEAD_LETTERS: Final = """
    SELECT c.org_id::text, d.id::text, d.connection_id::text, d.status = 'pending' AS pending, d.retry_count
    FROM public.dlq_events d JOIN public.source_connections c ON c.id = d.connection_id
    WHERE d.id = ANY($1::uuid[])
"""

ALERTS: Final = """
    SELECT p.org_id::text, a.id::text, a.project_id::text, a.severity
    FROM public.integration_alerts a JOIN public.projects p ON p.id = a.project_id
    WHERE a.id = ANY($1::uuid[])
"""

# A longer config is read by a statement of its own: all rows of a look-up come in one array, which has at most 1 GiB.
# As PostgreSQL's text, a config has up to 3 MiB, because 5e-324 is written in full.
MAX_CONFIG_BYTES: Final = 8 * 1024

# The activities of the connections $1. A connection without a row in connection_activity is left out. OFFSET keeps
# PostgreSQL from making each text twice.
ACTIVITIES: Final = f"""
    SELECT c.org_id::text, c.id::text,
        CASE WHEN octet_length(t.config) <= {MAX_CONFIG_BYTES} THEN t.config END AS config,
        a.running_run_id::text AS running, a.failed_in_a_row AS failures, a.pending
    FROM public.source_connections c JOIN daybook.connection_activity a ON a.connection_id = c.id
    CROSS JOIN LATERAL (SELECT c.config_json::text AS config OFFSET 0) AS t
    WHERE c.id = ANY($1::uuid[])
"""  # noqa: S608 - a number
CONFIG: Final = "SELECT config_json::text FROM public.source_connections WHERE id = $1::uuid"


def array_of(name: str, rows: str, first: int) -> str:
    """A column of a statement: the array of the rows that the statement `rows` returns. The numbers of its parameters
    begin with `first` instead of 1.
    """
    numbered = PARAMETER.sub(lambda found: f"${int(found[1]) + first - 1}", rows)
    return f"ARRAY(SELECT ROW(f.*) FROM ({numbered}) AS f) AS {name}"  # noqa: S608 - constants


def child_columns(first: int) -> str:
    """Four columns of a statement: arrays of the rows of RUNS, DEAD_LETTERS, ALERTS and ACTIVITIES, whose ids are in
    the parameters from `first` on.
    """
    by_name = {"runs": RUNS, "dead_letters": DEAD_LETTERS, "alerts": ALERTS, "activities": ACTIVITIES}
    return ", ".join(array_of(name, rows, number) for number, (name, rows) in enumerate(by_name.items(), start=first))


CHILDREN: Final = f"SELECT {child_columns(1)}"

# A page of the pending dead letters of a connection, and how many there are. $1: orgs, $2: one connection of each org,
# $3: dead letters to leave out, because entries in memory have changed them, $4: rows of a page, $5: the count at which
# counting stops; the rows of the page are counted too. PostgreSQL hashes the list of NOT IN, so the list may be long.
MATCHING: Final = """
    SELECT asked.org_id::text, page.id::text, asked.connection_id::text, true AS pending, page.retry_count,
        page.matching
    FROM unnest($1::uuid[], $2::uuid[]) AS asked (org_id, connection_id)
    CROSS JOIN LATERAL (
        SELECT counted.id, counted.retry_count, count(*) OVER () AS matching
        FROM (
            SELECT d.id, d.retry_count FROM public.dlq_events d
            WHERE d.connection_id = asked.connection_id AND d.status BETWEEN 'pending' AND 'pending'
                AND d.id NOT IN (SELECT unnest($3::uuid[]))
                AND asked.org_id = (SELECT c.org_id FROM public.source_connections c WHERE c.id = asked.connection_id)
            ORDER BY d.status, d.id LIMIT $5
        ) AS counted
        ORDER BY counted.id LIMIT $4
    ) AS page
"""

# The same for dead letters with a retry_count of at most $6 (one value for each connection). Dead letters with a higher
# count are not read: `level` lists the existing values of retry_count, and one page of each value is read.
RETRIED_AT_MOST: Final = """
    WITH RECURSIVE asked AS (
        SELECT each.org_id, each.connection_id, each.most
        FROM unnest($1::uuid[], $2::uuid[], $6::int[]) AS each (org_id, connection_id, most)
        WHERE each.org_id = (SELECT c.org_id FROM public.source_connections c WHERE c.id = each.connection_id)
    ),
    level AS (
        SELECT asked.connection_id, asked.most, (
            SELECT d.retry_count FROM public.dlq_events d
            WHERE d.connection_id = asked.connection_id AND d.status = 'pending'
            ORDER BY d.retry_count LIMIT 1
        ) AS retry_count
        FROM asked
        UNION ALL
        SELECT level.connection_id, level.most, (
            SELECT d.retry_count FROM public.dlq_events d
            WHERE d.connection_id = level.connection_id AND d.status = 'pending' AND d.retry_count > level.retry_count
            ORDER BY d.retry_count LIMIT 1
        )
        FROM level WHERE level.retry_count < level.most
    )
    SELECT asked.org_id::text, page.id::text, asked.connection_id::text, true AS pending, page.retry_count,
        counted.matching
    FROM asked
    CROSS JOIN LATERAL (
        SELECT count(*) AS matching FROM (
            SELECT FROM public.dlq_events d
            WHERE d.connection_id = asked.connection_id AND d.status = 'pending' AND d.retry_count <= asked.most
                AND d.id NOT IN (SELECT unnest($3::uuid[]))
            ORDER BY d.retry_count, d.id LIMIT $5
        ) AS letters
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT first.id, first.retry_count
        FROM level
        CROSS JOIN LATERAL (
            SELECT d.id, d.retry_count FROM public.dlq_events d
            WHERE d.connection_id = level.connection_id AND d.status = 'pending'
                AND d.retry_count BETWEEN level.retry_count AND level.retry_count
                AND d.id NOT IN (SELECT unnest($3::uuid[]))
            ORDER BY d.retry_count, d.id LIMIT $4
        ) AS first
        WHERE level.connection_id = asked.connection_id AND level.retry_count <= asked.most
        ORDER BY first.id LIMIT $4
    ) AS page
"""
# By name, the statements for filters without and with a limit of `retry_count`.
FILTERS: Final = {"matching": MATCHING, "retried_at_most": RETRIED_AT_MOST}
