"""SQL of the listings. Each statement returns a bounded number of rows, never a config or a payload. A NULL parameter
restricts nothing: PostgreSQL drops its condition when it plans the statement.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

STATUSES: Final = ("running", "failed", "success", "cancelled")
PENDING_COUNTED: Final = 1001
"""Pending dead letters are counted up to this number, which is shown as more than a thousand."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows to list; None: no restriction. `limit`: the maximum number of rows."""

    org_id: UUID | None
    project_id: UUID | None
    connection_id: UUID | None
    limit: int


# Parameters: org, project, connection.
UNKNOWN: Final = """
SELECT format('there is no %s %s', named.kind, named.id) FROM (VALUES
    ('org', $1::uuid, EXISTS (SELECT FROM orgs WHERE id = $1)),
    ('project', $2::uuid, EXISTS (SELECT FROM projects WHERE id = $2)),
    ('connection', $3::uuid, EXISTS (SELECT FROM source_connections WHERE id = $3))
) AS named (kind, id, is_there)
WHERE named.id IS NOT NULL AND NOT named.is_there
"""

# Parameters: severities, org, project, connection, the ids of the connection's policy alerts, limit. For an alert
# raised by hand, only its entry names the connection. If an id was used again, the latest entry counts.
ALERTS: Final = """
SELECT id, severity, org_id, project_id, (
    SELECT e.metadata_json->'data'->>'connection_id' FROM audit_log AS e
    WHERE e.entity_id = page.id AND e.action = 'RAISE_ALERT' AND e.result = 'success' AND e.org_id = page.org_id
    ORDER BY e.created_at DESC LIMIT 1
) AS connection_id, message
FROM (
    SELECT a.id, a.severity, p.org_id, a.project_id, a.message,
        array_position(ARRAY['critical', 'warning', 'info'], a.severity) AS rank
    FROM integration_alerts AS a
    JOIN projects AS p ON p.id = a.project_id
    WHERE a.severity = ANY($1::text[])
        AND ($2::uuid IS NULL OR p.org_id = $2)
        AND ($3::uuid IS NULL OR a.project_id = $3)
        AND ($4::uuid IS NULL OR a.project_id = (SELECT c.project_id FROM source_connections AS c WHERE c.id = $4) AND (
            a.id = ANY($5::uuid[]) OR $4::text = (
                SELECT e.metadata_json->'data'->>'connection_id' FROM audit_log AS e
                WHERE e.entity_id = a.id AND e.action = 'RAISE_ALERT' AND e.result = 'success' AND e.org_id = p.org_id
                ORDER BY e.created_at DESC LIMIT 1
            )
        ))
    ORDER BY rank, p.org_id, a.project_id, a.id
    LIMIT $6
) AS page
ORDER BY rank, org_id, project_id, id
"""

# Parameters: projects, limit.
CONNECTIONS_OF_PROJECTS: Final = "SELECT id FROM source_connections WHERE project_id = ANY($1::uuid[]) LIMIT $2"

# Parameters: statuses, org, project, connection, limit. Each status is read from its own index; a status that is not
# requested costs nothing.
_RUNS_OF_A_STATUS = """
(SELECT r.id, r.status, c.org_id, c.project_id, r.connection_id, r.started_at, r.finished_at, r.error_message
FROM sync_runs AS r
JOIN source_connections AS c ON c.id = r.connection_id
WHERE r.status = 'STATUS' AND 'STATUS' = ANY($1::text[])
    AND ($2::uuid IS NULL OR c.org_id = $2)
    AND ($3::uuid IS NULL OR c.project_id = $3)
    AND ($4::uuid IS NULL OR r.connection_id = $4)
ORDER BY r.started_at DESC, r.id DESC
LIMIT $5)
"""
RUNS: Final = (
    "UNION ALL".join(_RUNS_OF_A_STATUS.replace("STATUS", status) for status in STATUSES)
    + "ORDER BY started_at DESC, id DESC LIMIT $5"
)

# Parameters: whether to list active ones too, type, org, project, connection, limit, how far to count. ORDER BY d.id
# makes PostgreSQL count in the index. Otherwise, if most dead letters belong to another connection, PostgreSQL would
# scan the table to count those of this one.
CONNECTIONS: Final = """
SELECT c.id, c.type, c.name, c.is_active, c.org_id, c.project_id, (
    SELECT count(*) FROM (
        SELECT FROM dlq_events AS d WHERE d.connection_id = c.id AND d.status = 'pending' ORDER BY d.id LIMIT $7
    ) AS counted
) AS pending_dlq_events
FROM source_connections AS c
WHERE ($1 OR NOT c.is_active)
    AND ($2::text IS NULL OR c.type = $2)
    AND ($3::uuid IS NULL OR c.org_id = $3)
    AND ($4::uuid IS NULL OR c.project_id = $4)
    AND ($5::uuid IS NULL OR c.id = $5)
ORDER BY c.org_id, c.project_id, c.name, c.id
LIMIT $6
"""
