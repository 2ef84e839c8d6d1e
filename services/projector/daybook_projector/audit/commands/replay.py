"""`daybook audit replay`: the tables as they were at a time or a position, for plain SQL, or what changed since."""

import json
import sys
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
from click.core import ParameterSource

from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_infra.operations.commands.progress import progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError
from daybook_infra.runtime.settings import Settings

if TYPE_CHECKING:
    from daybook_projector.audit.log.source import LogName
    from daybook_projector.audit.replay.run import FoundPast, PastRequest

NOT_DONE, INTERRUPTED = 2, 130
DEFAULT_SCHEMA = "daybook_replay"
DEFAULT_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Options:
    as_of: tuple[str, ...]
    org_id: str | None
    log: "LogName"
    schema: str
    replace: bool
    limit: int
    as_json: bool


@click.command
@click.option(
    "--as-of",
    metavar="TIME|POSITION",
    multiple=True,
    help="The moment: a time such as 2026-11-22T15:10:13Z, or a position such as 3.1042; see above. Repeatable.",
)
@click.option("--org", type=click.UUID, metavar="ID", help="Only the rows of this org.")
@click.option(
    "--from",
    "log",
    type=click.Choice(["topic", "audit_log"]),
    default="topic",
    show_default=True,
    help="The log to read. audit_log needs no Kafka, and with --org reads the org's entries only.",
)
@click.option("--schema", metavar="NAME", help=f"The schema to create.  [default: {DEFAULT_SCHEMA}]")
@click.option("--replace", is_flag=True, help="Replace the earlier replay in the schema.")
@click.option("--drop", is_flag=True, help="Remove the schema of an earlier replay, and do nothing else.")
@click.option("--diff", is_flag=True, help="Create no schema; show what has changed since then.")
@click.option(
    "--limit",
    type=click.IntRange(0, 100_000),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="With --diff: how many changed rows of each table to show.",
)
@click.option("--json", "as_json", is_flag=True, help="With --diff: print a JSON object instead of tables.")
def replay(  # noqa: PLR0913 - one for each option
    *,
    as_of: tuple[str, ...],
    org: UUID | None,
    log: "LogName",
    schema: str | None,
    replace: bool,
    drop: bool,
    diff: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Rebuild the ten tables as they were, in a separate schema, for plain SQL.

    Example: daybook audit replay --as-of 2026-11-22T15:10:13Z, then SELECT * FROM daybook_replay.orgs.

    A time includes the entries of every partition up to it. It needs a time zone: Z for UTC, or an offset such as
    +01:00. The form "2026-11-22 15:10Z" is accepted too.

    A position includes the entries of its partition up to it. The other partitions end at the time, if you give one
    too, or else at the time of the last entry that you name: 3.1042 alone means the moment of that entry.

    An org in quarantine is shown as in the live tables: the entry that could not be applied, and those after it, are in
    audit_log and add the org and its projects, but change nothing else.

    The command never replaces or removes a schema that a replay did not make. The login needs CREATE on the database,
    except for --diff.

    Exits with 0 when done, with 2 if it cannot be done, and with 130 if interrupted, which leaves nothing behind.
    """
    _check_usage(as_of, drop=drop, diff=diff, makes=replace or schema is not None)
    org_id = None if org is None else str(org)
    options = Options(as_of, org_id, log, DEFAULT_SCHEMA if schema is None else schema, replace, limit, as_json)
    _run(_drop(options.schema) if drop else _diff(options) if diff else _replay(options))


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        run_interruptibly(work)
    except DaybookError as error:
        click.echo(f"could not replay: {error}", err=True)
        sys.exit(NOT_DONE)
    except KeyboardInterrupt:
        click.echo("interrupted: nothing is left behind", err=True)
        sys.exit(INTERRUPTED)


def _check_usage(as_of: tuple[str, ...], *, drop: bool, diff: bool, makes: bool) -> None:
    given = _given_options()
    if drop and not given <= {"drop", "schema"}:
        raise click.UsageError("--drop allows no other option than --schema")
    if not drop and not as_of:
        raise click.UsageError("give --as-of with a time or a position, or give --drop")
    if diff and makes:
        raise click.UsageError("--diff makes no schema: leave out --schema and --replace")
    for name, option in {"limit": "--limit", "as_json": "--json"}.items():
        if name in given and not diff:
            raise click.UsageError(f"{option} needs --diff")


def _given_options() -> set[str]:
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is not ParameterSource.DEFAULT}


async def _replay(options: Options) -> None:
    from daybook_projector.audit.fold.scratch import scratch_folder
    from daybook_projector.audit.replay.filling import make_schema
    from daybook_projector.audit.replay.past_rows import PastRows
    from daybook_projector.audit.replay.run import described, find_past
    from daybook_projector.audit.replay.schema import require_free, require_name
    from daybook_projector.audit.verify.snapshot import open_snapshot

    settings = server_settings()
    request, what = _request(settings, options), described(_request(settings, options))
    require_name(options.schema)
    with scratch_folder("daybook-replay-") as folder:
        async with open_snapshot(settings) as snapshot:
            await require_free(snapshot.connection, options.schema, replace=options.replace)
            found = await find_past(settings, snapshot, request, folder, progress)
        with closing(PastRows(folder, found.partitions)) as past, progress(past.entries, "entries written") as done:
            counts = await make_schema(settings, options.schema, what, past, done, replace=options.replace)
    _say(found)
    click.echo(f"schema {options.schema}: {what}")
    click.echo(f"positions: {found.positions or 'none'}")
    click.echo(f"rows: {', '.join(f'{table} {count}' for table, count in counts.items())}")


async def _diff(options: Options) -> None:
    from daybook_projector.audit.fold.scratch import scratch_folder
    from daybook_projector.audit.replay.diff import diff_since
    from daybook_projector.audit.replay.past_rows import PastRows
    from daybook_projector.audit.replay.run import described, find_past
    from daybook_projector.audit.reports.diff_text import diff_json, print_diff
    from daybook_projector.audit.verify.snapshot import open_snapshot

    settings = server_settings()
    request = _request(settings, options)
    with scratch_folder("daybook-replay-") as folder:
        async with open_snapshot(settings) as snapshot:
            found = await find_past(settings, snapshot, request, folder, progress)
            with closing(PastRows(folder, found.partitions)) as past:
                diffs = await diff_since(
                    snapshot, past, options.org_id, options.limit, managed_users=settings.users == "managed"
                )
    _say(found)
    if options.as_json:
        click.echo(json.dumps(diff_json(described(request), found.positions, diffs), indent=2, ensure_ascii=False))
    else:
        print_diff(described(request), diffs)


async def _drop(schema: str) -> None:
    from daybook_infra.runtime.postgres.connections import connect
    from daybook_projector.audit.replay.schema import drop_schema, require_name

    require_name(schema)
    async with connect(server_settings(), "daybook-replay") as connection, connection.transaction():
        is_dropped = await drop_schema(connection, schema)
    click.echo(f"schema {schema} is removed" if is_dropped else f"there is no schema {schema}")


def _request(settings: Settings, options: Options) -> "PastRequest":
    from daybook_projector.audit.replay.as_of import read_as_of
    from daybook_projector.audit.replay.run import PastRequest

    return PastRequest(read_as_of(options.as_of, settings.partitions), options.org_id, options.log)


def _say(found: "FoundPast") -> None:
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
