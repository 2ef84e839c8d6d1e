"""audit_log: one row per entry, accepted or rejected, with the metadata of the record unchanged."""

from daybook_projector.projections.changes import Table
from daybook_projector.projections.rule import Columns

AUDIT_LOG = Table(
    "public.audit_log",
    key=("id",),
    columns={
        "id": "uuid",
        "org_id": "uuid",
        "project_id": "uuid",
        "actor_user_id": "uuid",
        "action": "text",
        "entity_type": "text",
        "entity_id": "uuid",
        "result": "text",
        "metadata_json": "jsonb",
        "created_at": "timestamptz",
    },
)

AuditRow = tuple[str | None, ...]


def audit_row(columns: Columns, metadata: str) -> AuditRow:
    """In the order of the table's columns; `metadata` is the record's JSON."""
    return (
        columns.id,
        columns.org_id,
        columns.project_id,
        columns.actor_user_id,
        columns.action,
        columns.entity_type,
        columns.entity_id,
        columns.result,
        metadata,
        columns.created_at,
    )
