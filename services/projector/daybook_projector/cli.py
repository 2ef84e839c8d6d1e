"""`daybook projector`: arguments in; a running instance, or a healed org and what differed of it, out."""

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import click
import uvloop

from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.logs import configure_logging
from daybook_infra.runtime.settings import Settings, load_settings

if TYPE_CHECKING:
    from daybook_projector.healing.heal import Healed

# A row that is put right may take a million others along, or wait for as many.
STATEMENT_SECONDS = 600.0
DIFFERS, INTERRUPTED = 1, 130


@click.group()
def projector() -> None:
    """The projector: writes the log's entries to the tables."""


@projector.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="Port of /readyz, /livez and /metrics.",
)
@click.option("--host", default=None, help="Address to listen on.  [default: DAYBOOK_HOST]")
def run(port: int, host: str | None) -> None:
    """Run one instance until SIGTERM or Ctrl-C. You can run several: they share the partitions."""
    # Here, because `daybook --help` needs none of it.
    from daybook_projector.main import run_service

    settings = load_settings()
    configure_logging(settings, service="projector")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_service(settings, host or settings.host, port))


@projector.command()
@click.argument("org", type=click.UUID)
@click.option("--check", is_flag=True, help="Only compare; works on any org, in quarantine or not.")
def heal(org: UUID, *, check: bool) -> None:
    """Rebuild the rows of a quarantined org from its audit_log, and release the org.

    All of the org's entries are folded into temporary tables and compared with the live rows. The rows that differ are
    corrected, and the org is released, in one transaction; its commands are then decided again. If an entry still
    cannot be applied, the command names it and the reason, changes nothing and exits with 1. Heal again with a version
    that can read the entry, or once its user exists.

    You can interrupt, kill and repeat it at any time. If the org is not in quarantine, it says so.

    With --check nothing is changed, and the exit code is 1 if rows differ. For an org in quarantine that only means
    that the org has had entries since.
    """
    settings = server_settings()
    configure_logging(settings, service="heal")
    try:
        sys.exit(asyncio.run(_heal(settings, str(org), check=check)))
    except KeyboardInterrupt:
        click.echo("interrupted: run it again to start over", err=True)
        sys.exit(INTERRUPTED)


async def _heal(settings: Settings, org_id: str, *, check: bool) -> int:
    from daybook_infra.runtime.postgres.connections import connect
    from daybook_infra.runtime.postgres.migrations import verify_migrations
    from daybook_projector.healing.heal import Healing, is_quarantined
    from daybook_projector.projections.fold import folds

    await verify_migrations(settings)
    async with connect(settings, "daybook-heal", statement_seconds=STATEMENT_SECONDS) as connection:
        if not check and not await is_quarantined(connection, org_id):
            click.echo(f"org {org_id} is not in quarantine")
            return 0
        rules = folds(managed_users=settings.users == "managed")
        reading = partial(progress, word="entries read")
        healing = Healing(connection, rules, org_id, settings.partitions, reading)
        healed = await healing.run(keep=not check)
    _print(healed)
    if check:
        return DIFFERS if healed.differences else 0
    click.echo(f"org {org_id} is released" if healed.released else f"org {org_id} is not in quarantine any more")
    return 0


def _print(healed: "Healed") -> None:
    for each in healed.differences:
        click.echo(f"{each.table}: {each.missing} missing, {each.other} other, {each.surplus} too many")
    click.echo(f"{healed.entries} entries read; tables that differed: {len(healed.differences)}")
