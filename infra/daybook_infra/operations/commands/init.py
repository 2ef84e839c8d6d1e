"""`daybook init`: creates topics and migrates the database."""

import asyncio

import click

from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.settings import Settings


@click.command
def init() -> None:
    """Create the topics and bring the database's schema up to date.

    Prints what it did; running it again only sets the passwords of logins again. It never alters or drops a topic: a
    topic with wrong settings is an error. If the command lacks rights in PostgreSQL for the schema or the logins, it
    names them before it creates anything. It uses the login in DAYBOOK_ADMIN_DATABASE_URL, if that is set. If this
    login may not create Daybook's roles or grant their rights, and no password of a login is set, the command prints
    the statements that an administrator has to run. Until then, the services can run as the owner of the tables.
    """
    asyncio.run(_init(server_settings()))


async def _init(settings: Settings) -> None:
    from daybook_infra.runtime.kafka.topics import ensure_topics
    from daybook_infra.runtime.postgres.logins import ensure_logins, verify_can_make_logins
    from daybook_infra.runtime.postgres.migrations import migrate, verify_can_migrate
    from daybook_infra.runtime.postgres.roles import find_statements_for_administrator

    await verify_can_migrate(settings)
    await verify_can_make_logins(settings)
    _print_done("topics", await ensure_topics(settings), "made")
    _print_done("migrations", await migrate(settings), "applied")
    if statements := await find_statements_for_administrator(settings):
        click.echo("roles: an administrator has to run these statements, and then `daybook init` again:")
        click.echo("\n".join(f"  {statement}" for statement in statements))
    for login in await ensure_logins(settings):
        click.echo(f"logins: {login} made or updated")


def _print_done(what: str, names: tuple[str, ...], done: str) -> None:
    for name in names:
        click.echo(f"{what}: {name} {done}")
    if not names:
        click.echo(f"{what}: nothing to do")
