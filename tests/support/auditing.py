"""What the tests of the auditors' tools share: silent progress, and damage that only the tables' owner can do."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from daybook_infra.runtime.postgres.connections import Connection


def silent(_total: int, _word: str) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


async def unguarded(connection: Connection, *statements: str) -> list[str]:
    """Runs the statements with triggers and foreign keys switched off; returns PostgreSQL's command tags."""
    async with connection.transaction():
        await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await connection.execute("SET LOCAL session_replication_role = replica")
        tags = [await connection.execute(statement) for statement in statements]
        await connection.execute("ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only")
    return tags
