"""Brings the database's schema up to date: numbered SQL files in, the names of those applied out.

The first line of a file may be one of two marks. With `-- only: managed` the file is applied only if DAYBOOK_USERS has
that value. With `-- last: ...` the file runs again at the end of every run that applied any file, or that finds roles
without their rights. Files without `-- last` run as the owner of schema daybook, who owns what
they make.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncpg import DuplicateTableError, SyntaxOrAccessError

from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.postgres.connections import Connection, connect
from daybook_infra.runtime.postgres.migration_privileges import MIGRATIONS, find_missing_migration_privileges
from daybook_infra.runtime.postgres.privileges import ROLE, find_missing_privileges, raise_if_missing
from daybook_infra.runtime.postgres.roles import act_as_owner, are_roles_due
from daybook_infra.runtime.settings import Settings, as_administrator, env_name

# Inside the package if it was installed from a wheel; next to it in a checkout.
FOLDERS = (Path(__file__).parents[2] / "sql", Path(__file__).parents[3] / "postgres" / "migrations")
# The key of the advisory lock: any number that no other program locks. This one is "daybook" in ASCII.
ADVISORY_LOCK = int.from_bytes(b"daybook")
ONLY_MARK = "-- only: "
LAST_MARK = "-- last: "


class MigrationMismatch(DaybookError):
    """The database's schema is not what this version of Daybook needs."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str
    only: str | None
    last: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(settings: Settings, folder: Path | None = None) -> tuple[str, ...]:
    """Applies all missing files in one transaction and returns their names. If two callers run at once, the second
    waits and finds nothing missing. Raises `MigrationMismatch` if an applied file was edited, `PrivilegesMissing`,
    `DatabaseAway`.
    """
    options = as_administrator(settings)
    async with connect(options, "daybook-init", statement_seconds=0) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", ADVISORY_LOCK)
        known = read_migrations(folder)
        login = await connection.fetchval(ROLE)
        await _verify(connection, known, settings)
        applied = await _read_applied(connection)
        missing = _find_missing(known, applied, settings.users)
        for migration in missing:
            await _apply(connection, migration, login)
        await _act_as(connection, login)
        # If a newer version has run here, leave its grants as they are: it may have granted more.
        is_newest = applied.keys() <= {migration.number for migration in known}
        if missing or (is_newest and await are_roles_due(connection)):
            for migration in known:
                if migration.last:
                    await _run_sql(connection, migration, login)
    return tuple(migration.name for migration in missing)


async def verify_can_migrate(settings: Settings) -> None:
    """Raises what `migrate` would raise before it applies a file. Call this before anything else is created."""
    async with connect(as_administrator(settings), "daybook-init") as connection, connection.transaction():
        await _verify(connection, read_migrations(), settings)


async def verify_migrations(settings: Settings) -> None:
    """Raises `MigrationMismatch` unless every file of this version is applied. A newer version's files do not matter:
    the schema only grows, and old instances keep running while new ones start.
    """
    async with connect(settings, "daybook-init") as connection:
        await _check_encoding(connection)
        missing = _find_missing(read_migrations(), await _read_applied(connection), settings.users)
    if missing:
        names = ", ".join(migration.name for migration in missing)
        raise MigrationMismatch(f"the database lacks {names}: run `daybook init`")


async def applied_migrations(connection: Connection) -> list[str]:
    """Returns the names in order; none if Daybook was never set up in this database."""
    applied = await _read_applied(connection)
    return [name for _, (name, _) in sorted(applied.items())]


def read_migrations(folder: Path | None = None) -> tuple[Migration, ...]:
    where = folder or next(place for place in FOLDERS if place.is_dir())
    found = tuple(_read_file(path) for path in sorted(where.glob("*.sql")))
    if len({migration.number for migration in found}) != len(found):
        raise MigrationMismatch(f"two migrations have the same number in {where}")
    return found


def _read_file(path: Path) -> Migration:
    sql = path.read_text(encoding="utf-8")
    first = sql.partition("\n")[0]
    only = first.removeprefix(ONLY_MARK) if first.startswith(ONLY_MARK) else None
    return Migration(int(path.name.partition("_")[0]), path.name, sql, only, first.startswith(LAST_MARK))


async def _read_applied(connection: Connection) -> dict[int, tuple[str, str]]:
    if await connection.fetchval("SELECT to_regclass('daybook.migrations')") is None:
        return {}
    rows = await connection.fetch("SELECT number, name, sha256 FROM daybook.migrations")
    return {row["number"]: (row["name"], row["sha256"]) for row in rows}


def _find_missing(known: Sequence[Migration], applied: dict[int, tuple[str, str]], users: str) -> list[Migration]:
    for migration in known:
        if migration.number in applied and applied[migration.number][1] != migration.sha256:
            raise MigrationMismatch(
                f"{migration.name} was edited after it was applied: restore the file, and add a new one for the change"
            )
    return [each for each in known if each.number not in applied and each.only in {None, users}]


async def _verify(connection: Connection, known: Sequence[Migration], settings: Settings) -> None:
    await _check_encoding(connection)
    await act_as_owner(connection)
    await _check_privileges(connection, known, settings)
    await _check_users_table(connection, settings)


async def _check_privileges(connection: Connection, known: Sequence[Migration], settings: Settings) -> None:
    readable = not await find_missing_privileges(connection, [MIGRATIONS])
    pending = not readable or bool(_find_missing(known, await _read_applied(connection), settings.users))
    raise_if_missing(
        await connection.fetchval(ROLE),
        await find_missing_migration_privileges(connection, settings.users, pending=pending),
    )


async def _check_encoding(connection: Connection) -> None:
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise MigrationMismatch(
            f"the database's encoding is {encoding}, which cannot store all texts: create it with ENCODING 'UTF8' "
            "TEMPLATE template0"
        )


async def _check_users_table(connection: Connection, settings: Settings) -> None:
    if settings.users == "managed":
        return
    if await connection.fetchval("SELECT to_regclass('auth.users')") is None:
        raise MigrationMismatch(
            f"{env_name('users')}=external, but there is no table auth.users: let the identity provider create it first"
        )


async def _apply(connection: Connection, migration: Migration, login: str) -> None:
    await _run_sql(connection, migration, login)
    await connection.execute(
        "INSERT INTO daybook.migrations (number, name, sha256) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.sha256,
    )


async def _run_sql(connection: Connection, migration: Migration, login: str) -> None:
    """Runs the file as the owner of schema daybook. A file that runs last is run as the login instead: it creates
    roles, for which the owner may lack CREATEROLE, and nothing that would belong to the owner.
    """
    await _act_as(connection, login)
    if not migration.last:
        await act_as_owner(connection)
    try:
        await connection.execute(migration.sql)
    except SyntaxOrAccessError as error:
        # A taken name, a missing privilege or a missing reference. The owner of the database can fix these.
        table_exists = isinstance(error, DuplicateTableError) and migration.only is not None
        hint = f" (if an identity provider owns it, set {env_name('users')}=external)" if table_exists else ""
        raise MigrationMismatch(f"{migration.name}: {error}{hint}") from error


async def _act_as(connection: Connection, role: str) -> None:
    """`role`: quoted."""
    await connection.execute(f"SET LOCAL ROLE {role}")
