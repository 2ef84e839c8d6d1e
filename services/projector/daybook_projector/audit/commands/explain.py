"""`daybook audit explain`: the entries that set the values of a row."""

import json
import sys
from typing import TYPE_CHECKING
from uuid import UUID

import click

from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError

if TYPE_CHECKING:
    from daybook_projector.audit.explain.run import Explained
    from daybook_projector.audit.log.source import LogName

FOUND, NOT_FOUND, NOT_READ, INTERRUPTED = 0, 1, 2, 130


@click.command
@click.argument("table")
@click.argument("key", nargs=-1, required=True)
@click.option(
    "--org",
    type=click.UUID,
    metavar="ID",
    help="The org of the row. If you give it, the command need not search for it.",
)
@click.option(
    "--from",
    "log",
    type=click.Choice(["topic", "audit_log"]),
    default="topic",
    show_default=True,
    help="The log to read. audit_log needs no Kafka, and is quick if the row's org is known.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def explain(table: str, key: tuple[str, ...], *, org: UUID | None, log: "LogName", as_json: bool) -> None:
    """Show which entry set each value of a row of TABLE, and the whole history of the row.

    KEY is the row's primary key: one id, or two for org_members (org and user) and project_members (project and user).

    If the row was deleted, the output names the entry that deleted it, directly or with the connection it belonged to.
    Only the partition of the row's org is read. The org comes from --org, or else from the tables, or else from
    audit_log, which takes longer. Without --org, all partitions are read if the org is not found, or if its
    partition has no entry of the row. The output says which partitions were read.

    Exits with 0, with 1 if no entry ever made such a row, with 2 if the log or the tables cannot be read, and with
    130 if interrupted.
    """
    try:
        explained = run_interruptibly(_explain(table, key, None if org is None else str(org), log))
    except DaybookError as error:
        click.echo(f"could not explain: {error}", err=True)
        sys.exit(NOT_READ)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(_print(explained, as_json=as_json))


async def _explain(table: str, key: tuple[str, ...], org_id: str | None, log: "LogName") -> "Explained":
    from daybook_projector.audit.explain.row_name import read_row_name
    from daybook_projector.audit.explain.run import explain_row

    return await explain_row(server_settings(), read_row_name(table, key), org_id, log, progress)


def _print(explained: "Explained", *, as_json: bool) -> int:
    from daybook_projector.audit.reports.explain_text import TAMPERED, explained_json, print_explained

    if explained.is_live_same is False:
        click.echo(f"note: {TAMPERED}", err=True)
    if as_json:
        click.echo(json.dumps(explained_json(explained), indent=2, ensure_ascii=False))
    elif explained.history.steps:
        print_explained(explained)
    if explained.history.last_row is None:
        click.echo(
            f"no entry made a row {explained.name} (read: {explained.search.how}, from {explained.log})", err=True
        )
        return NOT_FOUND
    return FOUND
