"""What the command service must be allowed to do in PostgreSQL: it reads everything, and notes ids and users."""

from daybook_infra.runtime.postgres.privileges import Need

TABLES = (
    "orgs",
    "org_members",
    "projects",
    "project_members",
    "audit_log",
    "source_connections",
    "sync_runs",
    "dlq_events",
    "integration_alerts",
    "secret_refs",
)


def needs(*, managed_users: bool) -> tuple[Need, ...]:
    pins = ("SELECT",) if managed_users else ("SELECT", "INSERT")
    return (
        *(Need(f"public.{table}", ("SELECT",)) for table in TABLES),
        *(Need(f"daybook.{table}", ("SELECT",)) for table in ("migrations", "checkpoints", "quarantine")),
        Need("daybook.reserved_ids", ("SELECT", "INSERT")),
        Need("daybook.known_users", pins),
        Need("auth.users", ("SELECT",), "id"),
    )
