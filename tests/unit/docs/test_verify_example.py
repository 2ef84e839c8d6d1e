"""docs/examples/verify.mjs, the verifier written from docs/verify.md, on whole and on tampered exports."""

import hashlib
import json
from pathlib import Path

import pytest

from support.chain import Json, jcs
from support.documents import blocks, page, section
from support.example_verifier import Answer, report_in, verify, verify_each
from support.exports import LOG, Export, file_name
from support.tampered_exports import honest_exports, tampered_exports, uncheckable_exports
from support.tampered_folders import HONEST

PAGE = page("docs/verify.md")
(ENTRY,) = (block.text.encode() for block in blocks(section(PAGE, "An entry"), "json"))
MANIFEST, VALID, INVALID = (block.text.encode() for block in blocks(section(PAGE, "Values to try"), "json"))
GOLDEN = {"partition-0006.jsonl": ENTRY, "manifest.json": MANIFEST.strip()}
HONEST_EXPORTS = honest_exports()
TAMPERED = [*tampered_exports()]
UNCHECKABLE = [*uncheckable_exports()]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """The verifier's answer to each export, by the export's name."""
    exports = [*HONEST_EXPORTS, *TAMPERED, *UNCHECKABLE]
    found = verify_each([export.write(tmp_path_factory.mktemp("export")) for export in exports])
    return {export.name: answer for export, answer in zip(exports, found, strict=True)}


def test_no_two_exports_have_the_same_name() -> None:
    names = [export.name for export in (*HONEST_EXPORTS, *TAMPERED, *UNCHECKABLE)]
    assert len(names) == len(set(names))


def test_the_export_of_the_page_is_valid(tmp_path: Path) -> None:
    folder = Export("", dict(GOLDEN)).write(tmp_path)
    done = verify(folder, "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, VALID.decode(), "")
    text = verify(folder)
    shown = [block.text for block in blocks(PAGE, "text")]
    assert text.returncode == 0
    assert shown[0] == f"$ node docs/examples/verify.mjs DIR\n{text.stdout}"
    assert shown[1] == text.stdout


def test_the_altered_export_of_the_page_is_invalid(tmp_path: Path) -> None:
    altered = GOLDEN | {"partition-0006.jsonl": ENTRY.replace(b'{"name":"x"}', b'{"name":"y"}')}
    folder = Export("", dict(altered)).write(tmp_path)
    done = verify(folder, "--json")
    assert (done.returncode, done.stdout, done.stderr) == (1, INVALID.decode(), "")
    text = verify(folder)
    first, commit, file, last = text.stdout.splitlines()
    assert first == "partition 6: entries 1"
    assert file.startswith("hash: manifest 6, field sha256, expected ")
    assert last == f"invalid: {commit}"
    assert f"\n{last}\n" in PAGE


@pytest.mark.parametrize("export", HONEST_EXPORTS, ids=lambda export: export.name)
def test_an_honest_export_is_valid_and_has_the_expected_digests(export: Export, answers: dict[str, Answer]) -> None:
    report = report_in(answers[export.name])
    assert (report["findings"], report["more"]) == ([], 0)
    read = {name: (value or b"").splitlines() for name, value in export.files.items() if name.endswith(".jsonl")}
    assert report["partitions"] == [summary(list(map(json.loads, file))) for _, file in sorted(read.items())]
    entries = [json.loads(line) for _, file in sorted(read.items()) for line in file]
    assert report["redacted"] == [each["id"] for each in entries if each["metadata_json"]["data"] is None]


def summary(entries: list[Json]) -> Json:
    digest = bytes(32)
    for each in entries:
        kept = {name: value for name, value in each["metadata_json"].items() if name not in {"data", "salt"}}
        row = hashlib.sha256(b"daybook-row/v1\n" + jcs(each | {"metadata_json": kept})).digest()
        digest = hashlib.sha256(digest + row).digest()
    last = entries[-1]["metadata_json"]
    ends = {name: last[name] for name in ("hash", "partition", "position")}
    return ends | {"entries": len(entries), "digest": digest.hex()}


@pytest.mark.parametrize("export", TAMPERED, ids=lambda export: export.name)
def test_a_tampered_export_has_the_expected_first_finding(export: Export, answers: dict[str, Answer]) -> None:
    findings = report_in(answers[export.name])["findings"]
    assert (findings[0] if findings else None) == export.first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a long value", [("hash", 1), ("hash", None)]),
        ("a digit of hash", [("hash", 1), ("prev", 2), ("hash", None)]),
        ("NaN", [("unreadable", 1), ("hash", None)]),
        ("a line removed", [("position", 3), ("hash", None), ("columns", None)]),
        ("neighbours swapped", [("position", 1), ("position", 2), ("position", 3), ("hash", None)]),
        ("all lines removed", [("missing", 0), ("hash", None), ("columns", None)]),
        ("created_at after one that is no time", [("created_at", 1)]),
        ("filtered: unreadable first", [("unreadable", None)]),
        ("filtered: unreadable only", [("unreadable", None)]),
        ("manifest a number too large", [("canonical", None)]),
        ("manifest a lone surrogate in the digest", [("canonical", None)]),
        ("manifest a name twice", [("canonical", None)]),
        ("folder: a file missing and white space in the manifest", [("missing", 0), ("canonical", None)]),
    ],
)
def test_one_fault_causes_only_the_expected_findings(
    name: str, expected: list[tuple[str, int | None]], answers: dict[str, Answer]
) -> None:
    findings = report_in(answers[name])["findings"]
    assert [(finding["check"], finding.get("position")) for finding in findings] == expected


@pytest.mark.parametrize(
    ("name", "listed"),
    [("columns: a redacted entry of another org", 1), ("id: a redacted outsider without an actor", 0)],
)
def test_a_redacted_entry_is_listed_if_its_commit_was_checked(
    name: str, listed: int, answers: dict[str, Answer]
) -> None:
    report = report_in(answers[name])
    assert report["redacted"] == [finding["id"] for finding in report["findings"]][:listed]


@pytest.mark.parametrize("export", UNCHECKABLE, ids=lambda export: export.name)
def test_a_folder_that_is_not_an_export_cannot_be_checked(export: Export, answers: dict[str, Answer]) -> None:
    answer = answers[export.name]
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)


def assert_not_checked(*args: str | Path) -> None:
    done = verify(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")


def test_wrong_arguments_and_missing_folders_end_with_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for args in ([], [tmp_path, tmp_path], [tmp_path, "--jason"], [tmp_path / "none"], [tmp_path / "file"], ["a\nb"]):
        assert_not_checked(*args)


def test_help_shows_the_usage_and_the_exit_codes() -> None:
    done = verify("--help")
    assert done.returncode == 0
    assert "usage: node verify.mjs DIR [--json]" in done.stdout
    assert "exit codes: 0 valid, 1 invalid, 2 could not check" in done.stdout


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that even root cannot read")
def test_a_file_that_cannot_be_read_ends_with_code_2(tmp_path: Path) -> None:
    folder = Export("", HONEST).write(tmp_path)
    (folder / file_name(2)).unlink()
    (folder / file_name(2)).symlink_to("/proc/self/mem")
    assert_not_checked(folder)


def test_a_link_counts_as_its_target(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "export", tmp_path / "elsewhere"
    for made in (folder, elsewhere):
        made.mkdir()
    Export("", HONEST).write(elsewhere)
    for name in HONEST:
        (folder / name).symlink_to(elsewhere / name)
    assert verify(folder).returncode == 0
    for target in ("nowhere", file_name(2)):
        (folder / file_name(2)).unlink()
        (folder / file_name(2)).symlink_to(target)
        (finding,) = json.loads(verify(folder, "--json").stdout)["findings"]
        assert finding == {"check": "missing", "partition": 2, "place": "export", "position": 0}


def test_the_name_of_a_file_does_not_look_like_another_line(tmp_path: Path) -> None:
    done = verify(Export("", HONEST | {"a\nvalid": b"", "b c": b""}).write(tmp_path)).stdout.splitlines()
    assert done[-3:] == [
        r'surplus: export, field "a\nvalid"',
        'surplus: export, field "b c"',
        r'invalid: surplus: export, field "a\nvalid"',
    ]


def test_a_name_that_is_not_utf_8_is_shown_with_replacement_characters(tmp_path: Path) -> None:
    Export("", HONEST).write(tmp_path)
    name = b"a\xff\xe2\x82b\xf0\x90\xc0\x80"
    try:
        Path(bytes(tmp_path).decode(), name.decode(errors="surrogateescape")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system does not allow such names")
    (finding,) = json.loads(verify(tmp_path, "--json").stdout)["findings"]
    assert finding["field"] == name.decode(errors="replace")


def test_redacted_entries_are_listed_as_text(tmp_path: Path) -> None:
    (export,) = (export for export in HONEST_EXPORTS if export.name == "redacted")
    first, *rest = verify(export.write(tmp_path)).stdout.splitlines()
    assert first.startswith("partition 2: entries 7, position 6, hash ")
    assert rest == [f"redacted {LOG[2][1]['id']}", "valid"]
