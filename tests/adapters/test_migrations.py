"""Migrations on a real PostgreSQL: applied once, all or nothing, and refused after an edit."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from daybook_infra.runtime.errors import DatabaseAway
from daybook_infra.runtime.postgres.connections import connect
from daybook_infra.runtime.postgres.migrations import (
    MigrationMismatch,
    applied_migrations,
    migrate,
    read_migrations,
    verify_migrations,
)
from daybook_infra.runtime.settings import Settings
from support.planted_rows import ids, put_connection, put_dead_letters, put_org, put_runs
from support.recounted import ACTIVITY, recounted
from support.sql import run
from support.stack import FreshSettings
from support.tables import read_tables

ALL = tuple(migration.name for migration in read_migrations())
USERS = "0002_users.sql"
ADDS_ACTIVITY = "0024_connection_activity.sql"


@pytest.fixture
def empty(fresh_settings: FreshSettings) -> Settings:
    return fresh_settings(init=False)


def url_of(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def take_out(folder: Path, first: str) -> dict[Path, str]:
    """Removes the file with this name and all later ones from the folder. Returns their texts."""
    later = {path: path.read_text(encoding="utf-8") for path in folder.glob("*.sql") if path.name >= first}
    for path in later:
        path.unlink()
    return later


async def applied(settings: Settings) -> tuple[str, ...]:
    async with connect(settings, "test") as connection:
        return tuple(await applied_migrations(connection))


async def test_migrations_are_applied_once(empty: Settings) -> None:
    assert await migrate(empty) == ALL
    assert await migrate(empty) == ()
    assert await applied(empty) == ALL
    await verify_migrations(empty)


async def test_of_two_simultaneous_runs_one_applies_the_migrations(empty: Settings) -> None:
    both = await asyncio.gather(migrate(empty), migrate(empty))
    assert sorted(both) == [(), ALL]


async def test_an_edited_file_is_refused(empty: Settings, migrations_folder: Path) -> None:
    await migrate(empty, migrations_folder)
    edited = migrations_folder / "0004_tenancy.sql"
    edited.write_text(edited.read_text(encoding="utf-8") + "-- a thought\n", encoding="utf-8")
    with pytest.raises(MigrationMismatch, match=r"^0004_tenancy\.sql was edited after it was applied"):
        await migrate(empty, migrations_folder)


async def test_only_a_new_file_is_applied(empty: Settings, migrations_folder: Path) -> None:
    await migrate(empty, migrations_folder)
    (migrations_folder / "0100_new.sql").write_text("CREATE INDEX orgs_name ON orgs (name);", encoding="utf-8")
    assert await migrate(empty, migrations_folder) == ("0100_new.sql",)
    await verify_migrations(empty)


async def test_a_broken_file_leaves_nothing_behind(empty: Settings, migrations_folder: Path) -> None:
    (migrations_folder / "0100_broken.sql").write_text("CREATE TABLE public.orgs ();", encoding="utf-8")
    with pytest.raises(MigrationMismatch, match=r'^0100_broken\.sql: relation "orgs" already exists$'):
        await migrate(empty, migrations_folder)
    assert await applied(empty) == ()


async def test_two_files_with_the_same_number_are_refused(empty: Settings, migrations_folder: Path) -> None:
    (migrations_folder / "0001_again.sql").write_text("SELECT 1;", encoding="utf-8")
    with pytest.raises(MigrationMismatch, match="same number"):
        await migrate(empty, migrations_folder)


async def test_a_missing_migration_is_an_error(empty: Settings) -> None:
    with pytest.raises(MigrationMismatch, match=r"^the database lacks 0001_.*: run `daybook init`$"):
        await verify_migrations(empty)


async def test_the_activity_of_existing_connections_is_counted(empty: Settings, migrations_folder: Path) -> None:
    later = take_out(migrations_folder, ADDS_ACTIVITY)
    await migrate(empty, migrations_folder)
    async with connect(empty, "test") as database:
        org_id, project_id = await put_org(database)
        idle, busy = [await put_connection(database, org_id, project_id) for _ in range(2)]
        await put_runs(database, busy, ["failed", "success", "failed", "cancelled", "failed", "running"])
        await put_dead_letters(database, busy, ids(3))
        await put_dead_letters(database, busy, ids(2, 3), status="resolved")
        for path, text in later.items():
            path.write_text(text, encoding="utf-8")
        assert ADDS_ACTIVITY in await migrate(empty, migrations_folder)
        found = await read_tables(database)
    assert set(found[ACTIVITY]) == {(idle,), (busy,)}
    assert found[ACTIVITY][busy,][:2] == (3, 2)
    assert found[ACTIVITY] == recounted(found)


async def test_external_users_are_referenced_and_not_created(fresh_settings: FreshSettings) -> None:
    external = fresh_settings(init=False, users="external")
    with pytest.raises(MigrationMismatch, match=r"^DAYBOOK_USERS=external, but there is no table auth\.users"):
        await migrate(external)
    await run(url_of(external), "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);")
    assert await migrate(external) == tuple(name for name in ALL if name != USERS)
    await verify_migrations(external)


async def test_managed_users_are_refused_if_there_is_another_table_of_users(empty: Settings) -> None:
    await run(url_of(empty), "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);")
    with pytest.raises(MigrationMismatch, match="DAYBOOK_USERS=external"):
        await migrate(empty)


async def test_a_missing_database_is_a_clear_error(empty: Settings) -> None:
    missing = empty.model_copy(update={"database_url": type(empty.database_url)(f"{url_of(empty)}_gone")})
    with pytest.raises(DatabaseAway, match=r"^PostgreSQL at .* refuses the connection: database .* does not exist$"):
        await migrate(missing)


async def test_external_users_without_a_primary_key_are_a_clear_error(fresh_settings: FreshSettings) -> None:
    external = fresh_settings(init=False, users="external")
    await run(url_of(external), "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid);")
    with pytest.raises(MigrationMismatch, match=r"^0003_known_users\.sql: there is no primary key"):
        await migrate(external)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_store_all_texts_is_refused(empty: Settings, encoding: str) -> None:
    url = urlsplit(url_of(empty))
    name, others = url.path[1:], urlunsplit(url._replace(path="/postgres"))
    await run(others, f'DROP DATABASE "{name}"')
    await run(others, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    for refused in (migrate, verify_migrations):
        with pytest.raises(MigrationMismatch, match=f"^the database's encoding is {encoding}, which cannot store all"):
            await refused(empty)
