"""`daybook audit verify --export`: its output and exit codes, for the export in docs/verify.md and for others."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daybook_contracts.entries import facts
from daybook_projector.audit.cli import audit
from daybook_projector.audit.exports.entry_filter import EntryFilter
from daybook_projector.audit.verify import workers
from daybook_projector.audit.verify.export import verify_export
from support.chain import Json, jcs
from support.documents import blocks, page, section
from support.exports import digested
from support.listed_log import EMPTY, PARTITIONS, a_log, listed, write_export
from support.logbook import org_in, user_in

PAGE = page("docs/verify.md")
ENTRY = blocks(section(PAGE, "An entry"), "json")[0].text.encode()
MANIFEST, VALID, INVALID = (block.text for block in blocks(section(PAGE, "Values to try"), "json"))
FULL_DISK = Path("/dev/full")
FILTERED = (
    "could not check: an export with a filter has no chain, so it neither gives nor continues a certificate: "
    "verify it without --certificate and --since\n"
)
TEXT, LAST_LINE = (block.text for block in blocks(section(PAGE, "Output"), "text"))


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(audit, ["verify", "--export", *map(str, args)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The export that docs/verify.md shows."""
    (tmp_path / "partition-0006.jsonl").write_bytes(ENTRY)
    (tmp_path / "manifest.json").write_text(MANIFEST.strip())
    return tmp_path


def test_the_export_of_the_page_is_valid(folder: Path) -> None:
    as_json, as_text = run(folder, "--json"), run(folder)
    assert (as_json.exit_code, as_json.output) == (0, VALID)
    assert (as_text.exit_code, as_text.output) == (0, TEXT)


def test_the_altered_export_of_the_page_is_invalid(folder: Path) -> None:
    (folder / "partition-0006.jsonl").write_bytes(ENTRY.replace(b'{"name":"x"}', b'{"name":"y"}'))
    as_json, as_text = run(folder, "--json"), run(folder)
    assert (as_json.exit_code, as_json.output) == (1, INVALID)
    assert as_text.exit_code == 1
    first, commit, _, last = as_text.output.splitlines(keepends=True)
    assert first == "partition 6: entries 1\n"
    assert last == LAST_LINE == f"invalid: {commit}"


def test_a_certificate_that_cannot_be_made_is_refused_at_the_start(folder: Path, tmp_path: Path) -> None:
    refused = run(folder, "--certificate", tmp_path / "missing" / "certificate.json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"no file can be made in {tmp_path / 'missing'}" in refused.stderr


@pytest.mark.skipif(not FULL_DISK.exists(), reason="/dev/full exists only on Linux")
def test_results_are_printed_even_if_the_certificate_cannot_be_written(folder: Path) -> None:
    unwritten = run(folder, "--certificate", FULL_DISK)
    assert (unwritten.exit_code, unwritten.stdout) == (2, TEXT)
    assert unwritten.stderr.startswith("could not write the certificate: ")
    (folder / "partition-0006.jsonl").write_bytes(ENTRY.replace(b'{"name":"x"}', b'{"name":"y"}'))
    assert run(folder, "--certificate", FULL_DISK).exit_code == 1


def test_the_name_of_a_surplus_file_does_not_look_like_another_line(folder: Path) -> None:
    (folder / "a\nvalid").write_bytes(b"")
    assert run(folder).output.splitlines()[-1] == r'invalid: surplus: export, field "a\nvalid"'


def test_redacted_entries_are_listed_and_valid(folder: Path) -> None:
    entry = json.loads(ENTRY)
    line = ENTRY.replace(b'"data":{"name":"x"}', b'"data":null').replace(
        b'"salt":"00112233445566778899aabbccddeeff"', b'"salt":null'
    )
    (folder / "partition-0006.jsonl").write_bytes(line)
    shown = run(folder).output.splitlines()
    assert shown[1] == f"redacted {entry['id']}"
    assert shown[-1].startswith("invalid: hash: manifest 6, field sha256")


@pytest.mark.parametrize("left", [[], ["partition-0006.jsonl"]])
def test_a_folder_without_a_manifest_cannot_be_checked(folder: Path, left: list[str]) -> None:
    for path in folder.iterdir():
        if path.name not in left:
            path.unlink()
    found = run(folder)
    assert (found.exit_code, found.stdout, found.stderr.count("\n")) == (2, "", 1)


def test_another_kind_of_export_cannot_be_checked(folder: Path) -> None:
    (folder / "manifest.json").write_text(MANIFEST.strip().replace("daybook-export", "daybook-copy"))
    found = run(folder, "--json")
    assert (found.exit_code, found.stdout, found.stderr.count("\n")) == (2, "", 1)


def test_other_options_do_not_apply_to_an_export(folder: Path) -> None:
    found = run(folder, "--scope", "topic")
    assert found.exit_code == 2
    assert "--export is verified as it is" in found.stderr


def test_an_export_made_by_daybook_is_valid(tmp_path: Path) -> None:
    whole, chosen = tmp_path / "whole", tmp_path / "chosen"
    asyncio.run(write_export(whole, listed(a_log())))
    successes = EntryFilter(org_id=org_in(1, 4), results=frozenset({"success"}))
    asyncio.run(write_export(chosen, listed(a_log()), successes))
    for folder in (whole, chosen):
        report = json.loads(CliRunner().invoke(audit, ["verify", "--export", str(folder), "--json"]).output)
        assert report["findings"] == []
        assert all("digest" in partition for partition in report["partitions"])


def test_a_large_export_is_verified_by_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "export"
    asyncio.run(write_export(folder, listed(a_log())))
    file = next(folder.glob("partition-0003*"))
    file.write_bytes(file.read_bytes().replace(b'"RENAME_ORG"', b'"RENAME_ORH"') + b"{}")
    alone = run(folder, "--json")
    monkeypatch.setattr(workers, "FEW_ENTRIES", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    together = run(folder, "--json")
    assert [finding["check"] for finding in json.loads(alone.output)["findings"]][:1] == ["hash"]
    assert together.output == alone.output


def test_a_small_export_with_huge_numbers_in_its_manifest_starts_no_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = json.loads(MANIFEST)
    manifest["files"][0]["entries"] = 2**53 - 1
    (folder / "manifest.json").write_bytes(digested(manifest))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(ProcessPoolExecutor, "__init__", None)
    assert run(folder).output.splitlines()[-1] == (
        "invalid: columns: manifest 6, field entries, expected 1, found 9007199254740991"
    )


def test_progress_counts_the_lines(folder: Path) -> None:
    shown: list[object] = []

    @contextmanager
    def show_progress(total: int, word: str) -> Iterator[Callable[[int], None]]:
        shown.append((total, word))
        yield shown.append

    asyncio.run(verify_export(folder, show_progress))
    assert shown[0] == (1, "entries")
    assert sum(number for number in shown[1:] if isinstance(number, int)) == 1


def test_a_later_export_can_continue_the_certificate_of_an_earlier_one(folder: Path, tmp_path_factory: Any) -> None:
    certificate = tmp_path_factory.mktemp("kept") / "certificate.json"
    assert run(folder, "--certificate", certificate).exit_code == 0
    certified = json.loads(certificate.read_bytes())
    assert (certified["scope"], certified["result"], certified["since"]) == (["export"], "valid", None)
    assert certified["partitions"][0].keys() == {"partition", "entries", "position", "hash", "digest"}
    assert "tables" not in certified
    assert run(folder, "--since", certificate).exit_code == 0


def test_certificates_of_exports_of_a_growing_log_do_not_contradict_each_other(tmp_path: Path) -> None:
    log, certificates = a_log(), [tmp_path / "first.json", tmp_path / "second.json"]
    for certificate in certificates:
        asyncio.run(write_export(certificate.with_suffix(""), listed(log)))
        assert run(certificate.with_suffix(""), "--certificate", certificate).exit_code == 0
        log.add(org_in(EMPTY, PARTITIONS), user_in(0, PARTITIONS), facts.OrgCreated(name="first of its partition"))
    compared = CliRunner().invoke(audit, ["compare", *map(str, certificates)])
    assert (compared.exit_code, compared.output) == (0, f"partition {EMPTY}: 1 more entry, to position 0\n")


@pytest.mark.parametrize("option", ["--certificate", "--since"])
def test_an_export_with_a_filter_neither_gives_nor_continues_a_certificate(tmp_path: Path, option: str) -> None:
    whole, chosen, certificate = tmp_path / "whole", tmp_path / "chosen", tmp_path / "certificate.json"
    asyncio.run(write_export(whole, listed(a_log())))
    asyncio.run(write_export(chosen, listed(a_log()), EntryFilter(results=frozenset({"success"}))))
    if option == "--since":
        assert run(whole, "--certificate", certificate).exit_code == 0
    before = certificate.read_bytes() if certificate.exists() else None
    found = run(chosen, option, certificate)
    assert (found.exit_code, found.stdout, found.stderr) == (2, "", FILTERED)
    assert (certificate.read_bytes() if certificate.exists() else None) == before


@pytest.mark.parametrize(
    ("change", "check"),
    [({"hash": "0" * 64}, "hash"), ({"position": 1, "entries": 2}, "missing"), ({"partition": 7}, "missing")],
)
def test_an_export_that_does_not_continue_a_certificate_is_invalid(
    folder: Path, tmp_path_factory: Any, change: Json, check: str
) -> None:
    certificate = tmp_path_factory.mktemp("kept") / "certificate.json"
    run(folder, "--certificate", certificate)
    certified = json.loads(certificate.read_bytes())
    certified["partitions"][0] |= change
    certificate.write_bytes(jcs(certified))
    found = run(folder, "--since", certificate)
    assert found.exit_code == 1
    assert f"invalid: {check}: export" in found.output
