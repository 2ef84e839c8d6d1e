"""What the projector must be allowed to do in PostgreSQL: it writes the tables, and only adds to `audit_log`."""

from daybook_infra.runtime.postgres.privileges import Need
from daybook_projector.projections.audit_log import AUDIT_LOG
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.fold import TABLES


def needs(*, managed_users: bool) -> tuple[Need, ...]:
    written = [table.name for table in TABLES if table is not AUTH_USERS]
    registered = (Need(AUTH_USERS.name, ("INSERT",)),) if managed_users else ()
    return (
        *(Need(table, ("SELECT", "INSERT", "UPDATE", "DELETE")) for table in written),
        Need(AUDIT_LOG.name, ("SELECT", "INSERT")),
        *(Need(f"daybook.{table}", ("SELECT", "INSERT", "UPDATE")) for table in ("checkpoints", "quarantine")),
        Need("daybook.reserved_ids", ("INSERT",)),
        Need("daybook.migrations", ("SELECT",)),
        Need(AUTH_USERS.name, ("SELECT",), "id"),
        *registered,
    )
