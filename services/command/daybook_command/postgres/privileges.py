"""The privileges that the command service needs in PostgreSQL: to read all tables, reserve ids and pin users."""

from daybook_infra.runtime.postgres.privileges import RequiredPrivilege

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
BOOKKEEPING = ("migrations", "checkpoints", "quarantine", "connection_activity")


def required_privileges(*, managed_users: bool) -> tuple[RequiredPrivilege, ...]:
    pins = ("SELECT",) if managed_users else ("SELECT", "INSERT")
    return (
        *(RequiredPrivilege(f"public.{table}", ("SELECT",)) for table in TABLES),
        *(RequiredPrivilege(f"daybook.{table}", ("SELECT",)) for table in BOOKKEEPING),
        RequiredPrivilege("daybook.reserved_ids", ("SELECT", "INSERT")),
        RequiredPrivilege("daybook.known_users", pins),
        RequiredPrivilege("auth.users", ("SELECT",), "id"),
    )
