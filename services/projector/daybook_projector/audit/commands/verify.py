"""`daybook audit verify`: proves that the log, audit_log and the tables agree and were not altered."""

import os
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daybook_infra.operations.commands.interruptible import run_interruptibly
from daybook_infra.operations.commands.progress import Advance, progress
from daybook_infra.operations.server_settings import server_settings
from daybook_infra.runtime.errors import DaybookError

if TYPE_CHECKING:
    from daybook_projector.audit.reports.certificate import CertificateFile
    from daybook_projector.audit.verify.report import Verified

VALID, INVALID, UNCHECKED, INTERRUPTED = 0, 1, 2, 130
LINE_FEED = "\n"
SCOPES = ("topic", "audit_log", "tables")


@click.command
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="Verify only this, and fail if its server cannot be reached. Repeatable.  [default: all that can be reached]",
)
@click.option("--org", type=click.UUID, help="Verify the entries and rows of one org only.")
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify only the entries after this certificate, and that they continue its log. Compares no tables. "
    "With --export, reads the whole export, which must have the certified entries too.",
)
@click.option(
    "--certificate",
    "certificate_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a certificate of the result to this file.",
)
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Verify the export in this folder instead. Needs no server.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON: the certificate, or the report on the export."
)
def verify(
    *,
    scopes: tuple[str, ...],
    org: object,
    since: Path | None,
    certificate_file: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Prove that the topic, audit_log and the tables agree and were not altered.

    Reads everything in one consistent snapshot while the system runs, and changes nothing. docs/auditing.md says what
    is proven and what is not.

    With --export it verifies an exported folder (docs/verify.md). docs/examples/verify.mjs does so without Daybook.

    Exits with 0 if everything is valid, with 1 if anything is invalid (the last line names the first bad place), with 2
    if something could not be checked or the certificate could not be written, and with 130 if interrupted. If only
    Kafka or only PostgreSQL can be reached, what the other one holds is left out, and counts only if --scope names it.
    """
    if org is not None and (since is not None or certificate_file is not None or as_json):
        raise click.UsageError("--org gives no certificate: use it without --since, --certificate and --json")
    if folder is not None and (scopes or org is not None):
        raise click.UsageError("--export is verified as it is: use it without --scope and --org")
    _check_scopes(scopes, since)
    _require_writable(certificate_file)
    try:
        if folder is None:
            code = _verify(scopes, None if org is None else str(org), since, certificate_file, as_json=as_json)
        else:
            code = _verify_export(folder, since, certificate_file, as_json=as_json)
    except DaybookError as error:
        click.echo(f"could not check: {str(error).replace(LINE_FEED, ' ')}", err=True)
        code = UNCHECKED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception:  # noqa: BLE001 - a bug must not look like the exit code of an altered log
        traceback.print_exc()
        code = UNCHECKED
    sys.exit(code)


def _verify(
    scopes: tuple[str, ...], org_id: str | None, since: Path | None, certificate_file: Path | None, *, as_json: bool
) -> int:
    from daybook_projector.audit.reports.text import verified_lines
    from daybook_projector.audit.verify import run

    earlier = None if since is None else _earlier(since)
    request = run.Request(frozenset(scopes) or None, None if earlier is None else earlier.starts(), org_id)
    verified = run_interruptibly(run.verify(server_settings(), request, _progress))
    if org_id is not None and not verified.findings and not any(each.wanted for each in verified.partitions):
        raise DaybookError(f"org {org_id} has no projected entries: is the id right?")
    certificate = _certificate(verified, earlier)
    is_written = certificate_file is None or _write(certificate_file, certificate)
    for line in [certificate.decode()] if as_json else verified_lines(verified):
        click.echo(line)
    return _exit_code(verified, is_written=is_written)


def _verify_export(folder: Path, since: Path | None, certificate_file: Path | None, *, as_json: bool) -> int:
    from daybook_contracts.json.canonical import canonical_bytes
    from daybook_projector.audit.reports.text import export_lines
    from daybook_projector.audit.verify.export import require_whole, verify_export

    if since is not None or certificate_file is not None:
        require_whole(folder)
    earlier = None if since is None else _earlier(since)
    verified = run_interruptibly(verify_export(folder, _progress, None if earlier is None else earlier.starts()))
    is_written = certificate_file is None or _write(certificate_file, _certificate(verified.for_certificate(), earlier))
    lines = [canonical_bytes(verified.as_json())] if as_json else map(str.encode, export_lines(verified))
    for line in lines:
        click.echo(line)  # bytes: in UTF-8 whatever the locale
    if verified.findings:
        return INVALID
    return VALID if is_written else UNCHECKED


def _check_scopes(scopes: tuple[str, ...], since: Path | None) -> None:
    if since is not None and "tables" in scopes:
        raise click.UsageError("--since compares no tables: use it without --scope tables")


def _require_writable(file: Path | None) -> None:
    if file is not None and not (file.exists() or os.access(file.parent, os.W_OK)):
        raise click.UsageError(f"--certificate: no file can be made in {file.parent}")


def _write(file: Path, certificate: bytes) -> bool:
    """Says why if the file cannot be written. The results are printed even so."""
    try:
        file.write_bytes(certificate)
    except OSError as error:
        click.echo(f"could not write the certificate: {error}", err=True)
        return False
    return True


def _certificate(verified: "Verified", earlier: "CertificateFile | None") -> bytes:
    from daybook_projector.audit.reports.certificate import certificate_bytes, certify

    certificate = certify(
        verified,
        made_at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        daybook=version("daybook-infra"),
        since=None if earlier is None else earlier.sha256,
    )
    return certificate_bytes(certificate)


def _exit_code(verified: "Verified", *, is_written: bool) -> int:
    if verified.findings:
        return INVALID
    return VALID if is_written and not verified.unchecked else UNCHECKED


def _earlier(path: Path) -> "CertificateFile":
    from daybook_projector.audit.reports.certificate import read_certificate

    return read_certificate(path.read_bytes(), str(path))


def _progress(total: int, word: str) -> AbstractContextManager[Advance]:
    """A progress bar, on a terminal only."""
    return progress(total, word) if sys.stderr.isatty() else nullcontext(lambda _: None)
