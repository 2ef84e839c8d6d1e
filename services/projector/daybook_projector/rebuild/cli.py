"""`daybook projector rebuild` and `heal`: arguments in; what differed from the log, and what came of it, out."""

import asyncio
import sys
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.logs import configure_logging
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_projector.rebuild.differences import Difference
    from daybook_projector.rebuild.jobs import Source

DIFFERS, INTERRUPTED = 1, 130
HEAL_NAME = "daybook-heal"


@click.command()
@click.option("--org", type=click.UUID, help="Only the rows of this org.")
@click.option("--check", is_flag=True, help="Only compare. Exits with 1 if rows differ.")
@click.option(
    "--from",
    "source",
    type=click.Choice(["topic", "audit_log"]),
    help="Where to read the log.  [default: topic; with --org, audit_log]",
)
@click.option("--yes", is_flag=True, help="Correct the rows that differ without asking.")
def rebuild(org: UUID | None, *, check: bool, source: "Source | None", yes: bool) -> None:
    """Build all tables anew from the log, and correct the live rows that differ.

    Everything may go on running meanwhile. The log is folded into tables of their own beside the live ones, in a
    schema daybook_rebuild_..., which are compared with the live tables. What differs is printed. After you have
    confirmed it, on the terminal or with --yes, only the rows that differ are corrected, in one transaction; readers
    see no gap. Without a terminal and --yes nothing is changed, and the exit code is 1 if rows differ. That holds for
    a new version of Daybook too: if it folds entries otherwise than the version that wrote the tables, the
    differences are shown first. audit_log is never changed.

    You can interrupt, kill and repeat it at any time. Only one rebuild of all tables runs at a time.

    Orgs in quarantine are left as quarantine left them. With --org, the rows of one org are rebuilt from all of its
    entries, and the org is released if it was in quarantine, as by `daybook projector heal`.

    The topic is read by default, since a rebuild has to find the latest entries again and again, and audit_log has no
    index for that: with --from audit_log each time takes a scan of it, for which the projector waits at the end. The
    entries of one org are found there by an index.
    """
    settings = server_settings()
    configure_logging(settings, service="rebuild")
    run = _rebuild_all if org is None else partial(_rebuild_org, str(org))
    _exit(run(settings, source, check=check, yes=yes))


@click.command()
@click.argument("org", type=click.UUID)
@click.option("--check", is_flag=True, help="Only compare; works on any org, in quarantine or not.")
def heal(org: UUID, *, check: bool) -> None:
    """Rebuild the rows of a quarantined org from its audit_log, and release the org.

    All of the org's entries are folded into temporary tables and compared with the live rows. The rows that differ are
    corrected, and the org is released, in one transaction; its commands are then decided again. If an entry still
    cannot be applied, the command names it and the reason, changes nothing and exits with 1. Heal again with a version
    that can read the entry, or once its user exists.

    You can interrupt, kill and repeat it at any time. If the org is not in quarantine, it says so. It does what
    `daybook projector rebuild --org` does, without asking.

    With --check nothing is changed, and the exit code is 1 if rows differ. For an org in quarantine that only means
    that the org has had entries since.
    """
    settings = server_settings()
    configure_logging(settings, service="heal")
    _exit(_heal(settings, str(org), check=check))


def _exit(running: Coroutine[Any, Any, int]) -> None:
    try:
        sys.exit(asyncio.run(running))
    except KeyboardInterrupt:
        click.echo("interrupted: run it again to start over", err=True)
        sys.exit(INTERRUPTED)


async def _rebuild_all(settings: Settings, source: "Source | None", *, check: bool, yes: bool) -> int:
    from daybook_projector.rebuild.text import comparison_lines, corrected_line
    from daybook_projector.rebuild.whole_rebuild import open_whole_rebuild

    reading = partial(progress, word="entries folded")
    async with open_whole_rebuild(settings, source or "topic", reading) as rebuilding:
        found = await rebuilding.compare()
        _print(comparison_lines(found))
        if not found:
            click.echo("the tables hold what the log says")
            return 0
        if check or not _confirmed(yes, "Correct these rows?"):
            return DIFFERS
        click.echo(corrected_line(await rebuilding.apply()))
    return 0


async def _rebuild_org(org_id: str, settings: Settings, source: "Source | None", *, check: bool, yes: bool) -> int:
    from daybook_infra.runtime.postgres.migrations import verify_migrations
    from daybook_projector.rebuild.org_rebuild import open_org_rebuild
    from daybook_projector.rebuild.text import comparison_lines, corrected_line

    await verify_migrations(settings)
    reading = partial(progress, word="entries read")
    async with open_org_rebuild(settings, source or "audit_log", org_id, reading) as rebuilding:
        found = await rebuilding.compare()
        _print(comparison_lines(found))
        if not found:
            click.echo(f"the rows of org {org_id} are what the log says")
        is_sick = await rebuilding.is_quarantined()
        if check or not (found or is_sick):
            return DIFFERS if found else 0
        question = "Correct these rows?" if found else ""
        question = f"{question} Release the org from quarantine?".strip() if is_sick else question
        if not _confirmed(yes, question):
            return DIFFERS
        rebuilt = await rebuilding.apply()
        click.echo(corrected_line(rebuilt.differences))
        if rebuilt.released:
            click.echo(f"org {org_id} is released")
    return 0


async def _heal(settings: Settings, org_id: str, *, check: bool) -> int:
    from daybook_infra.runtime.postgres.migrations import verify_migrations
    from daybook_projector.rebuild.org_rebuild import open_org_rebuild

    await verify_migrations(settings)
    reading = partial(progress, word="entries read")
    async with open_org_rebuild(settings, "audit_log", org_id, reading, name=HEAL_NAME) as rebuilding:
        if not check and not await rebuilding.is_quarantined():
            click.echo(f"org {org_id} is not in quarantine")
            return 0
        found = await rebuilding.compare()
        if check:
            _print_healed(found.differences, rebuilding.entries)
            return DIFFERS if found else 0
        rebuilt = await rebuilding.apply(release_only=True)
    _print_healed(rebuilt.differences, rebuilt.entries)
    click.echo(f"org {org_id} is released" if rebuilt.released else f"org {org_id} is not in quarantine any more")
    return 0


def _print_healed(differences: Iterable["Difference"], entries: int) -> None:
    from daybook_projector.rebuild.text import difference_lines

    found = tuple(differences)
    _print(difference_lines(found))
    click.echo(f"{entries} entries read; tables that differed: {len(found)}")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _confirmed(yes: bool, question: str) -> bool:  # noqa: FBT001 - as click gives it
    if yes:
        return True
    if sys.stdin.isatty():
        return click.confirm(question)
    click.echo("nothing was changed: repeat it with --yes", err=True)
    return False
