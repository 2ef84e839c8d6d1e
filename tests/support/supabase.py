"""A PostgreSQL server that is set up like Supabase's. The owner is not a superuser. There are API roles that anybody
can use. Default privileges give them all rights to what the owner creates. `auth.users` belongs to another role.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.interface import Part
from support.sql import ask, run
from support.stack import own_stack

API_ROLES = ("anon", "authenticated", "service_role")
PASSER_BY = "passer_by"
OWNER, PASSWORD = "postgres", "of a throw-away server"
ROLES = f"""
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD '{PASSWORD}';
GRANT anon, authenticated, service_role TO authenticator;
CREATE ROLE {PASSER_BY} NOLOGIN;
CREATE ROLE supabase_auth_admin NOLOGIN;
CREATE ROLE {OWNER} LOGIN BYPASSRLS CREATEROLE PASSWORD '{PASSWORD}';
"""
DATABASE = """
CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text, encrypted_password text);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA auth TO postgres, anon, authenticated, service_role;
GRANT SELECT, REFERENCES ON auth.users TO postgres;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
"""
# Supabase has the first three, for the schema public. The others go further: they are for all schemas, and include
# grant options and PUBLIC.
DEFAULTS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon, PUBLIC;
"""


@contextmanager
def supabase() -> Iterator[str]:
    """Starts the server; yields the superuser's URL."""
    with own_stack(parts=frozenset({Part.POSTGRES})) as stack:
        url = stack.servers().database_url
        asyncio.run(run(url, ROLES))
        yield url


async def create_database(superuser: str, name: str, *, defaults: str = DEFAULTS) -> Settings:
    """Creates a database; returns settings for its owner."""
    await run(superuser, f'CREATE DATABASE "{name}" OWNER {OWNER}')
    await run(in_database(superuser, name), DATABASE)
    owner = as_role(in_database(superuser, name), OWNER)
    await run(owner, defaults)
    return Settings(database_url=SecretStr(owner), users="external")


def in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:{PASSWORD.replace(' ', '%20')}@{parts.hostname}:{parts.port}"))


async def authenticator_waits(superuser: str) -> bool:
    """Whether a request of PostgREST waits for a position."""
    waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'authenticator' AND wait_event = 'PgSleep'"
    return bool(await ask(superuser, waiting))
