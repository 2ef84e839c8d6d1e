"""`daybook audit restore-topic`: writes a lost log topic again from audit_log."""

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from daybook_infra.operations.commands.progress import Advance, progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_projector.audit.restoring.run import Plan

DONE, REFUSED, UNFINISHED, INTERRUPTED = 0, 1, 2, 130
REPEAT = "run the same command again: it goes on from there"


@click.command("restore-topic")
@click.option(
    "--lose-unprojected",
    is_flag=True,
    help="Accept that entries which were only in the lost topic, and not yet in audit_log, are lost for good.",
)
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
def restore_topic(*, lose_unprojected: bool, yes: bool) -> None:
    """Write the log topic again from audit_log, with identical bytes and hashes.

    For a topic that is lost, or was cut or damaged and then deleted: the topic must be missing or empty. It is created
    with the right settings. Nothing is ever deleted. docs/disasters.md has the whole procedure.

    Stop both services first. Every entry is verified before anything is written: if one is missing, altered or
    redacted, the command names it and changes nothing. What was written is read back and compared; then the offsets in
    the checkpoints are set in one transaction.

    Once a topic is gone, nothing tells whether it ended with entries that were not projected. So the command asks for
    --lose-unprojected, unless the topic already has every entry.

    You can interrupt, kill and repeat it at any time. A topic that has only the first entries, as an interrupted run
    leaves it, is completed.

    Needs in Kafka the rights to create the topic, to write and read it, and to describe both services' groups; in
    PostgreSQL those of the projector.

    Exits with 0 if the topic is restored, with 1 if it refuses and has changed nothing, and with 2 if it could not
    finish.
    """
    settings = server_settings()
    try:
        code = asyncio.run(_restore(settings, lose_unprojected=lose_unprojected, yes=yes))
    except KeyboardInterrupt:
        click.echo(f"interrupted; {REPEAT}", err=True)
        code = INTERRUPTED
    sys.exit(code)


async def _restore(settings: Settings, *, lose_unprojected: bool, yes: bool) -> int:
    from daybook_projector.audit.restoring.refused import Refused
    from daybook_projector.audit.restoring.run import open_restoration

    try:
        async with open_restoration(settings) as restoration:
            plan = await restoration.check(_progress, lose_unprojected=lose_unprojected)
            _print_plan(plan)
            if plan.is_done:
                click.echo("nothing to do")
                return DONE
            if not yes and not click.confirm("Go on?", err=True):
                return REFUSED
            restored = await restoration.write(plan, _progress)
    except Refused as refused:
        click.echo(f"refused: {refused}", err=True)
        return REFUSED
    except click.Abort:
        return REFUSED
    except DaybookError as error:
        click.echo(f"could not finish: {error}; {REPEAT}", err=True)
        return UNFINISHED
    for name in restored.made_topics:
        click.echo(f"topics: {name} made")
    click.echo(f"entries: {restored.written} written; all {plan.entries} were read back and are the same")
    click.echo(f"checkpoints: {restored.set_checkpoints} set")
    click.echo("restored: start the services, then run `daybook audit verify`")
    return DONE


def _print_plan(plan: "Plan") -> None:
    state = "exists" if plan.is_there else "is missing and will be made"
    click.echo(f"audit_log: {plan.entries} entries in {len(plan.parts)} partitions, all verified")
    click.echo(f"topic {plan.topic} {state}; entries to write: {plan.to_write}, checkpoints to set: {plan.unset}")


def _progress(total: int, word: str) -> AbstractContextManager[Advance]:
    """On a terminal only."""
    return progress(total, word) if sys.stderr.isatty() else nullcontext(lambda _: None)
