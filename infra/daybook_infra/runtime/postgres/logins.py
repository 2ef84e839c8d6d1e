"""Makes a login for each service: the settings' passwords in, the logins' names out. Also gives the address with which
a service logs in.

A service acts as its role from the moment it logs in: a login that is only a member of the role would not inherit the
role's attribute BYPASSRLS.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.postgres.privileges import ROLE, PrivilegesMissing, raise_if_missing
from daybook_infra.runtime.settings import Settings, as_administrator

# Logins belong to the whole cluster, so a `daybook init` of another database may be changing them at the same time.
TRIES: Final = 10
EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
QUOTED: Final = "SELECT quote_literal($1::text)"
# Parameter: the logins, and the roles that they need. Since PostgreSQL 16, a login with CREATEROLE may grant or alter
# only the roles that it made, or that it has with ADMIN OPTION.
LACKING: Final = """
SELECT format('to make logins: ALTER ROLE %I CREATEROLE;', rolname) FROM pg_roles
WHERE rolname = current_user AND NOT (rolcreaterole OR rolsuper)
UNION ALL
SELECT format('to grant or alter %1$I: GRANT %1$I TO %2$I WITH ADMIN OPTION;', rolname, current_user) FROM pg_roles
WHERE rolname = ANY($1::text[]) AND current_setting('server_version_num')::integer >= 160000
    AND NOT pg_has_role(oid, 'MEMBER WITH ADMIN OPTION')
"""


@dataclass(frozen=True, slots=True)
class Login:
    """`role`: the role that the login acts as. `others`: further roles that it may take with SET ROLE."""

    name: str
    role: str
    others: tuple[str, ...] = ()


COMMAND: Final = Login("daybook_command_login", "daybook_command")
# The read API reads as `daybook_reader` for users and as `daybook_auditor` for services. `daybook_gateway` marks the
# login as one that reads for many users.
PROJECTOR: Final = Login(
    "daybook_projector_login", "daybook_projector", ("daybook_gateway", "daybook_reader", "daybook_auditor")
)


def service_url(settings: Settings, service: Literal["command", "projector"]) -> SecretStr:
    """`DAYBOOK_DATABASE_URL` with the login of the service, if the settings have a password for it."""
    login, password = (
        (COMMAND, settings.command_password) if service == "command" else (PROJECTOR, settings.projector_password)
    )
    if password is None:
        return settings.database_url
    parts = urlsplit(settings.database_url.get_secret_value())
    user = f"{login.name}:{quote(password.get_secret_value(), safe='')}"
    return SecretStr(urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}")))


async def verify_can_make_logins(settings: Settings) -> None:
    """Raises `PrivilegesMissing` if rights are missing that `ensure_logins` needs, and `DatabaseAway`. Call this before
    anything else is created.
    """
    needed = [name for login, _ in _wanted(settings) for name in (login.name, login.role, *login.others)]
    if needed:
        async with connect(as_administrator(settings), "daybook-init") as connection:
            lacking = [row[0] for row in await connection.fetch(LACKING, needed)]
            raise_if_missing(await connection.fetchval(ROLE), lacking)


async def ensure_logins(settings: Settings) -> tuple[str, ...]:
    """Creates each login for which the settings have a password; if it exists, sets its password. Call it after
    `migrate`. Raises `PrivilegesMissing`, `DatabaseAway`.
    """
    wanted = _wanted(settings)
    if wanted:
        async with connect(as_administrator(settings), "daybook-init") as connection:
            for login, password in wanted:
                await _ensure(connection, login, password)
    return tuple(login.name for login, _ in wanted)


def _wanted(settings: Settings) -> list[tuple[Login, SecretStr]]:
    passwords = ((COMMAND, settings.command_password), (PROJECTOR, settings.projector_password))
    return [(login, password) for login, password in passwords if password is not None]


async def _ensure(connection: OwnConnection, login: Login, password: SecretStr) -> None:
    for _ in range(TRIES):
        try:
            async with connection.transaction():
                await _make(connection, login, password)
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.InternalServerError):
            continue  # "tuple concurrently updated"
        except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError) as error:
            raise PrivilegesMissing(f"the login {login.name} cannot be made: {error}") from error
        return
    raise DatabaseAway(f"the login {login.name} cannot be made: others keep changing it")


async def _make(connection: OwnConnection, login: Login, password: SecretStr) -> None:
    if not await connection.fetchval(EXISTS, login.name):
        await connection.execute(f"CREATE ROLE {login.name} LOGIN NOINHERIT")
    quoted = await connection.fetchval(QUOTED, password.get_secret_value())
    await connection.execute(f"ALTER ROLE {login.name} PASSWORD {quoted}")
    for role in (login.role, *login.others):
        await connection.execute(f"GRANT {role} TO {login.name}")
    await connection.execute(f"ALTER ROLE {login.name} SET role = {login.role}")
