"""`daybook audit restore-topic`: writes a lost log topic again from audit_log."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from daybook_infra.operations.commands.interruptible import confirm, run_interruptibly
from daybook_infra.operations.commands.progress import Advance, progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_projector.audit.restoring.run import Plan

DONE, REFUSED, UNFINISHED, INTERRUPTED = 0, 1, 2, 130
REPEAT = "run the same command again: it continues where it stopped"


@click.command("restore-topic")
@click.option(
    "--lose-unprojected",
    is_flag=True,
    help="Accept that entries which were only in the lost topic, and not yet in audit_log, are lost for good.",
)
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
def restore_topic(*, lose_unprojected: bool, yes: bool) -> None:
    """Write the log topic again from audit_log, with identical bytes and hashes.

    Use it for a topic that is lost, or that was truncated or damaged and then deleted. The topic must be missing or
    empty, or left by an interrupted run. The command creates it with the right settings, and never deletes anything.
    docs/disasters.md has the whole procedure.

    Stop both services first. The command verifies every entry before it writes anything. If one is missing, altered or
    redacted, it names that entry and changes nothing. It reads back what it wrote and compares it, and then sets the
    offsets in the checkpoints in one transaction.

    When a topic is lost, nobody can know whether it ended with entries that were not projected. So the command asks for
    --lose-unprojected, unless the topic already has every entry.

    You can interrupt (Ctrl-C or SIGTERM), kill and repeat the command at any time. If the topic has only the first
    entries, as after an interrupted run, the command completes it.

    In Kafka, it needs the rights to create the topic, to write and read it, and to describe both services' groups. In
    PostgreSQL, it needs the rights of the projector.

    Exits with 0 if the topic is restored, with 1 if the command refuses and has changed nothing, with 2 if it could not
    finish, and with 130 if interrupted.
    """
    settings = server_settings()
    try:
        code = run_interruptibly(_restore(settings, lose_unprojected=lose_unprojected, yes=yes))
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
            if not yes and not confirm("Go on?", err=True):
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
    """A progress bar, on a terminal only."""
    return progress(total, word) if sys.stderr.isatty() else nullcontext(lambda _: None)
