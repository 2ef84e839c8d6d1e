"""Logins, with new names, that read under row-level security: a gateway, which acts for many users; two people, of whom
one is listed in `daybook.reader_logins`; and an auditor.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from daybook_infra.runtime.postgres.connections import Connection, OwnConnection
from daybook_infra.runtime.settings import Settings
from support.driving import open_database
from support.sql import open_connection

PASSWORD = "of-a-throw-away-login"
READER, AUDITOR = "daybook_reader", "daybook_auditor"
LOGINS = {
    "gateway": f"NOINHERIT IN ROLE daybook_gateway, {READER}, {AUDITOR}",
    "listed": f"IN ROLE {READER}",
    "unlisted": f"IN ROLE {READER}",
    "auditor": f"IN ROLE {AUDITOR}",
}
Claims = str | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Readers:
    """`owner` is a connection of the tables' owner."""

    owner: Connection
    database_url: str
    prefix: str

    def name(self, login: str) -> str:
        return f"{self.prefix}{login}"

    def url(self, login: str) -> str:
        return re.sub(r"//[^@]*@", f"//{self.name(login)}:{PASSWORD}@", self.database_url)

    async def list_login(self, user_id: str) -> None:
        """Lets the login `listed` read as this user."""
        await self.owner.execute("DELETE FROM daybook.reader_logins WHERE login = $1", self.name("listed"))
        await self.owner.execute("INSERT INTO daybook.reader_logins VALUES ($1, $2)", self.name("listed"), user_id)

    @asynccontextmanager
    async def reading(
        self, claims: Claims = None, *, login: str = "gateway", role: str | None = READER, read_only: bool = True
    ) -> AsyncIterator[OwnConnection]:
        """A transaction, in which claims and role are set as a gateway sets them."""
        async with open_connection(self.url(login)) as connection, connection.transaction(readonly=read_only):
            await take_role(connection, claims, role)
            yield connection


async def take_role(connection: Connection, claims: Claims, role: str | None) -> None:
    if role is not None:
        await connection.execute(f"SET LOCAL ROLE {role}")
    if claims is not None:
        text = claims if isinstance(claims, str) else json.dumps(claims)
        await connection.execute("SELECT set_config('request.jwt.claims', $1, true)", text)


@asynccontextmanager
async def reader_logins(settings: Settings) -> AsyncIterator[Readers]:
    """Creates the logins, and drops them afterwards. By then, nobody may be logged in as one of them."""
    prefix = f"t{uuid4().hex[:10]}_"
    async with open_database(settings) as owner:
        for name, options in LOGINS.items():
            await owner.execute(f"CREATE ROLE {prefix}{name} LOGIN PASSWORD '{PASSWORD}' {options}")
        try:
            yield Readers(owner, settings.database_url.get_secret_value(), prefix)
        finally:
            await owner.execute("DELETE FROM daybook.reader_logins WHERE login = ANY ($1)", [f"{prefix}listed"])
            for name in LOGINS:
                await owner.execute(f"DROP OWNED BY {prefix}{name}; DROP ROLE {prefix}{name}")
