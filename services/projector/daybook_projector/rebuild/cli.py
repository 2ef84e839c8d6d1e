"""`daybook projector rebuild` and `heal`: arguments in; the rows that differ from the log, and what was corrected,
out.
"""

import sys
import traceback
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from daybook_infra.operations.commands.interruptible import confirm, run_interruptibly
from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.logs import configure_logging
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_projector.rebuild.differences import Difference
    from daybook_projector.rebuild.jobs import Source

DIFFERS, NOT_DONE, INTERRUPTED = 1, 2, 130
HEAL_NAME = "daybook-heal"


@click.command()
@click.option("--org", type=click.UUID, help="Rebuild only the rows of this org.")
@click.option("--check", is_flag=True, help="Only compare.")
@click.option(
    "--from",
    "source",
    type=click.Choice(["topic", "audit_log"]),
    help="Where to read the log.  [default: topic; with --org, audit_log]",
)
@click.option("--yes", is_flag=True, help="Correct the rows that differ without asking.")
def rebuild(org: UUID | None, *, check: bool, source: "Source | None", yes: bool) -> None:
    """Build all tables again from the log, and correct the live rows that differ.

    Daybook can keep running meanwhile. The command folds the log into separate tables, in a schema named
    daybook_rebuild_..., compares them with the live tables and prints the differences. It asks before it corrects
    anything; with --yes it does not ask. It then corrects only the rows that differ, in one transaction, so readers
    never see rows missing. If you decline, or if it cannot ask because there is no terminal, it changes nothing.
    audit_log is never changed.

    A new version of Daybook may fold entries differently from the version that wrote the tables. Such differences are
    shown like any others, before anything is corrected.

    You can interrupt (Ctrl-C or SIGTERM) or kill the command at any time, and run it again. Only one rebuild of all
    tables runs at a time.

    Orgs in quarantine stay there: the entry that could not be applied, and those after it, add the org and its
    projects, but change nothing else. With --org, the command rebuilds one org's rows from all of its entries. If the
    org is in quarantine, the command also releases it, as `daybook projector heal` does. It asks for that too, even if
    no rows differ.

    By default the command reads the topic, because it looks for new entries several times. audit_log has no index for
    that: with --from audit_log, the command scans the whole table each time, and the projector has to wait during the
    last scan. With --org, the default is audit_log, where an index finds the org's entries.

    Exits with 0 if the rows agree with the log or were corrected, with 1 if they differ and were not corrected or if
    the org stays in quarantine, with 2 if they could not be compared or corrected, and with 130 if interrupted.
    """
    if check and yes:
        raise click.UsageError("--check corrects nothing: leave out --yes")
    rebuilding = _rebuild_all if org is None else partial(_rebuild_org, str(org))
    _run("rebuild", lambda settings: rebuilding(settings, source, check=check, yes=yes))


@click.command()
@click.argument("org", type=click.UUID)
@click.option("--check", is_flag=True, help="Only compare. The org need not be in quarantine.")
def heal(org: UUID, *, check: bool) -> None:
    """Rebuild the rows of a quarantined org from audit_log, and release the org.

    The command folds all of the org's entries into temporary tables, and compares these with the live rows. In one
    transaction, it corrects the rows that differ and releases the org. From then on, new commands to the org are
    decided. Commands that were answered with ORG_QUARANTINED are not: their senders can send them again.

    If an entry still cannot be applied, the command prints the entry and the reason, and changes nothing. In that
    case, run the command again with a version of Daybook that can read the entry, or when the missing user exists.

    You can interrupt (Ctrl-C or SIGTERM) or kill the command at any time, and run it again. If the org is not in
    quarantine, the command says so and changes nothing. Otherwise it does the same as
    `daybook projector rebuild --org`, but does not ask.

    With --check the command changes nothing. Rows of an org in quarantine are expected to differ: the entry that could
    not be applied, and all later ones, are not in the tables yet.

    Exits with 0 if the org is released or was not in quarantine, with 2 if that could not be done, and with 130 if
    interrupted. With --check, exits with 0 if the rows agree with the log, with 1 if they differ, and with 2 if they
    could not be compared.
    """
    _run("heal", lambda settings: _heal(settings, str(org), check=check))


def _run(name: str, work: Callable[[Settings], Coroutine[Any, Any, int]]) -> None:
    """Ends the process with the exit code that the work returns."""
    try:
        settings = server_settings()
        configure_logging(settings, service=name)
        code = run_interruptibly(work(settings))
    except KeyboardInterrupt:
        click.echo("interrupted: run the command again to start over", err=True)
        code = INTERRUPTED
    except DaybookError as error:
        click.echo(f"Error: {error}", err=True)
        code = NOT_DONE
    except (click.Abort, click.ClickException):
        raise
    except Exception:  # noqa: BLE001 - a bug must not look like the exit code of rows that differ
        traceback.print_exc()
        code = NOT_DONE
    sys.exit(code)


async def _rebuild_all(settings: Settings, source: "Source | None", *, check: bool, yes: bool) -> int:
    from daybook_projector.rebuild.text import comparison_lines, corrected_line
    from daybook_projector.rebuild.whole_rebuild import open_whole_rebuild

    reading = partial(progress, word="entries folded")
    async with open_whole_rebuild(settings, source or "topic", reading) as rebuilding:
        found = await rebuilding.compare()
        _print(comparison_lines(found))
        if not found:
            click.echo("the tables agree with the log")
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
            click.echo(f"the rows of org {org_id} agree with the log")
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
    click.echo(f"org {org_id} is released" if rebuilt.released else f"org {org_id} is no longer in quarantine")
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
        return confirm(question)
    click.echo("nothing was changed: run the command again with --yes", err=True)
    return False
