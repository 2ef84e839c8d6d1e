"""The logins that docs/operations.md creates, under fresh names, and the URL to log in with each of them."""

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

LOGINS = ("command", "projector", "auditor")
PASSWORD = "of-a-throw-away-login"


@dataclass(frozen=True, slots=True)
class Granted:
    """`owner` is a connection of the tables' owner."""

    settings: Settings
    owner: Connection
    prefix: str

    def login(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def role(self, name: str) -> str:
        """The role that has the login's rights. Revoking rights from it affects only the test's own database."""
        return f"daybook_{name}"

    def url(self, name: str) -> SecretStr:
        url = self.settings.database_url.get_secret_value()
        return SecretStr(re.sub(r"//[^@]*@", f"//{self.login(name)}:{PASSWORD}@", url))


@asynccontextmanager
async def granted(settings: Settings) -> AsyncIterator[Granted]:
    """Creates the logins, and drops them afterwards. By then, nobody may be logged in with one of them."""
    (statements,) = blocks(section(page("docs/operations.md"), "Rights"), "sql")
    prefix = f"t{uuid4().hex[:10]}_"
    async with open_database(settings) as owner:
        await owner.execute(statements.text.replace("'...'", f"'{PASSWORD}'").replace("hub_", prefix))
        try:
            yield Granted(settings, owner, prefix)
        finally:
            for name in LOGINS:
                await owner.execute(f"DROP ROLE {prefix}{name}")
