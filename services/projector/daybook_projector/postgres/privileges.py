"""The privileges that the projector needs in PostgreSQL: to write the tables, and to add rows to `audit_log`."""

from daybook_infra.runtime.postgres.privileges import RequiredPrivilege
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.fold import TABLES


def required_privileges(*, managed_users: bool) -> tuple[RequiredPrivilege, ...]:
    written = [table.name for table in TABLES if table is not AUTH_USERS]
    users = (RequiredPrivilege(AUTH_USERS.name, ("INSERT",)),) if managed_users else ()
    return (
        *(RequiredPrivilege(table, ("SELECT", "INSERT", "UPDATE", "DELETE")) for table in written),
        RequiredPrivilege(AUDIT_LOG.name, ("SELECT", "INSERT")),
        *(
            RequiredPrivilege(f"daybook.{table}", ("SELECT", "INSERT", "UPDATE"))
            for table in ("checkpoints", "quarantine")
        ),
        RequiredPrivilege("daybook.reserved_ids", ("INSERT",)),
        RequiredPrivilege("daybook.migrations", ("SELECT",)),
        RequiredPrivilege(AUTH_USERS.name, ("SELECT",), "id"),
        *users,
    )
