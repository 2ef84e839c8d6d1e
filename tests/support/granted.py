"""Roles with the grants of docs/tables.md and docs/auditing.md, under fresh names, and settings for logging in
as one of them.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from pydantic import SecretStr

from daybook_infra.runtime.postgres.connections import Connection
from daybook_infra.runtime.settings import Settings
from support.documents import blocks, page, section
from support.driving import open_database
from support.tables import SCHEMA

ROLES = ("reader", "command", "projector", "auditor")
PASSWORD = "of-a-throw-away-role"


@dataclass(frozen=True, slots=True)
class Granted:
    """`owner` is a connection of the tables' owner."""

    settings: Settings
    owner: Connection
    prefix: str

    def name(self, role: str) -> str:
        return f"{self.prefix}{role}"

    def url(self, role: str) -> SecretStr:
        url = self.settings.database_url.get_secret_value()
        return SecretStr(re.sub(r"//[^@]*@", f"//{self.name(role)}:{PASSWORD}@", url))


@asynccontextmanager
async def granted(settings: Settings) -> AsyncIterator[Granted]:
    """Creates the roles, and drops them afterwards. By then, nobody may be logged in as one of them."""
    grants = _grants("docs/tables.md", "Grants") + _grants("docs/auditing.md", "Rights")
    prefix = f"t{uuid4().hex[:10]}_"
    named = grants.replace("NOLOGIN", f"LOGIN PASSWORD '{PASSWORD}'")
    async with open_database(settings) as owner:
        await owner.execute(re.sub(rf"daybook_({'|'.join(ROLES)})", rf"{prefix}\1", named))
        await _show_all_rows(owner, prefix)
        try:
            yield Granted(settings, owner, prefix)
        finally:
            for role in ROLES:
                await owner.execute(f"DROP OWNED BY {prefix}{role}")
                await owner.execute(f"DROP ROLE {prefix}{role}")


async def _show_all_rows(owner: Connection, prefix: str) -> None:
    """The names that the policies know are those of the whole cluster."""
    await owner.execute(f"ALTER ROLE {prefix}command BYPASSRLS; ALTER ROLE {prefix}projector BYPASSRLS")
    for table in SCHEMA:
        policy = f"CREATE POLICY {prefix}{{0}} ON {table} FOR SELECT TO {prefix}{{0}} USING (true)"
        if table != "auth.users":
            await owner.execute(f"{policy.format('reader')}; {policy.format('auditor')}")


def _grants(path: str, title: str) -> str:
    (grants,) = blocks(section(page(path), title), "sql")
    return grants.text
