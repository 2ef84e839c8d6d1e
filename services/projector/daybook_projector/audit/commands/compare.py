"""`daybook audit compare`: what changed between two certificates."""

import sys
from pathlib import Path

import click

from daybook_infra.runtime.errors import DaybookError

SAME, CONTRADICTION, UNREADABLE = 0, 1, 2
CERTIFICATE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command
@click.argument("first", type=CERTIFICATE)
@click.argument("second", type=CERTIFICATE)
def compare(first: Path, second: Path) -> None:
    """Show what changed from the FIRST certificate to the SECOND, and where they contradict each other.

    Needs no server. A contradiction proves that the log or a table was altered: the same position has another hash, the
    log became shorter, or the tables differ although the log is the same. To prove that the second log continues the
    first, use `daybook audit verify --since FIRST`.

    Exits with 0 if the certificates do not contradict each other, with 1 if they do, and with 2 if one cannot be read.
    """
    from daybook_projector.audit.reports import compare as comparing
    from daybook_projector.audit.reports.certificate import read_certificate

    try:
        files = [read_certificate(path.read_bytes(), str(path)) for path in (first, second)]
    except (DaybookError, OSError) as error:
        click.echo(f"could not compare: {error}", err=True)
        sys.exit(UNREADABLE)
    compared = comparing.compare(*files)
    for line in compared.changes:
        click.echo(line)
    for line in compared.contradictions:
        click.echo(f"contradiction: {line}")
    if not compared.changes and not compared.contradictions:
        click.echo("no change")
    sys.exit(CONTRADICTION if compared.contradictions else SAME)
