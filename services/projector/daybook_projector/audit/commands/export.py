"""`daybook audit export`: copies the log to a folder that anybody can verify offline."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never, get_args
from uuid import UUID

import click

from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_infra.operations.commands.progress import Advance, progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.settings import Settings
from daybook_projector.audit.commands.times import moment
from daybook_projector.audit.exports.entry_filter import EntryFilter

if TYPE_CHECKING:
    from daybook_projector.audit.exports.manifest import Manifest, Source
    from daybook_projector.audit.exports.writer import FolderWriter

INTERRUPTED = 130
Format = Literal["jsonl", "csv", "parquet"]


@click.command
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(get_args(Format)),
    default="jsonl",
    show_default=True,
    help="jsonl can be verified; csv and parquet are copies for analysis.",
)
@click.option(
    "--from",
    "source",
    type=click.Choice(("topic", "audit_log")),
    default="audit_log",
    show_default=True,
    help="Where to read the entries.",
)
@click.option("--org", type=click.UUID, metavar="ID", help="Only the entries of this org.")
@click.option("--since", callback=moment, metavar="TIME", help="Only entries from this time on.")
@click.option("--until", callback=moment, metavar="TIME", help="Only entries before this time.")
@click.option(
    "--action",
    "actions",
    type=click.Choice(tuple(ENTRY_DATA)),
    metavar="ACTION",
    multiple=True,
    help="Only this action, such as CREATE_ORG. Repeatable.",
)
@click.option(
    "--result",
    "results",
    type=click.Choice(("success", "failure")),
    multiple=True,
    help="Only accepted or only rejected commands.",
)
def export(
    folder: Path,
    format_: Format,
    source: "Source",
    org: UUID | None,
    since: str | None,
    until: str | None,
    **several: tuple[str, ...],
) -> None:
    """Copy the log to DIR, a new or an empty folder: a file for each partition, and manifest.json.

    Copies everything that is projected at one moment, while the system runs. Anybody can verify the folder without a
    server (docs/verify.md). An export with a filter has no chain, so it cannot prove that no entry is missing.

    Needs PostgreSQL, and Kafka with --from topic. The manifest is written last, so a folder without one is incomplete.
    The files hold what tenants wrote; only the owner of the files can read them.

    Exits with 0 if everything was copied, with 1 if anything could not be, and with 130 if interrupted.
    """
    if since is not None and until is not None and until < since:
        raise click.UsageError("--until is before --since: no entry could be copied")
    chosen = EntryFilter(
        None if org is None else str(org), since, until, frozenset(several["actions"]), frozenset(several["results"])
    )
    settings = server_settings()
    try:
        manifest = run_interruptibly(_export(settings, _writer(folder, format_), source, chosen, format_))
    except KeyboardInterrupt:
        click.echo(f"interrupted: {folder} is not a whole export", err=True)
        sys.exit(INTERRUPTED)
    entries = sum(file.entries for file in manifest.files)
    click.echo(f"entries {entries}, files {len(manifest.files)}, in {folder}")


async def _export(
    settings: Settings, writer: "FolderWriter", source: "Source", chosen: EntryFilter, format_: Format
) -> "Manifest":
    from datetime import UTC, datetime

    from daybook_projector.audit.exports.exporting import write_files
    from daybook_projector.audit.exports.manifest import Manifest
    from daybook_projector.audit.exports.sources import open_source

    made_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    with writer:
        async with open_source(settings, source) as (log, cut):
            with _progress(sum(cut.values()) + len(cut)) as advance:
                files = await write_files(log, cut, writer, chosen, advance)
        manifest = Manifest(made_at, source, chosen.as_json(), files)
        writer.finish(manifest, None if format_ == "jsonl" else format_)
    return manifest


def _progress(total: int) -> AbstractContextManager[Advance]:
    """A progress bar, on a terminal only."""
    return progress(total, "entries") if sys.stderr.isatty() else nullcontext(lambda _: None)


def _writer(folder: Path, format_: Format) -> "FolderWriter":
    from daybook_projector.audit.exports.csv_file import CsvFile
    from daybook_projector.audit.exports.parquet_file import ParquetFile, require_pyarrow
    from daybook_projector.audit.exports.writer import FolderWriter, JsonLines

    match format_:
        case "jsonl":
            return FolderWriter(folder, JsonLines)
        case "csv":
            return FolderWriter(folder, CsvFile, "csv")
        case "parquet":
            require_pyarrow()
            return FolderWriter(folder, ParquetFile, "parquet")
        case _:
            assert_never(format_)
