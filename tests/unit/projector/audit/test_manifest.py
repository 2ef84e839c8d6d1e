"""Manifests: the golden one is reproduced, and each kind of damage is found."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from daybook_contracts.json.canonical import canonical_bytes
from daybook_projector.audit.exports.manifest import (
    ExportFile,
    Manifest,
    OtherKind,
    check_manifest,
    encode_manifest,
)
from support.documents import blocks, page, section

ENTRY = blocks(section(page("docs/verify.md"), "An entry"), "json")[0].text.strip().encode()
SHOWN = blocks(section(page("docs/verify.md"), "Values to try"), "json")[0].text.strip().encode()
FILE = ExportFile("partition-0006.jsonl", 6, 0, 0, 1, sha256(ENTRY + b"\n").hexdigest())
GOLDEN = Manifest("2026-11-22T15:10:13.123456Z", "topic", None, (FILE,))
DIGEST = "84e09b9be5214095c76f3e216bd11a5586c8140033b1c66f861302c95edd1f24"

Members = dict[str, Any]


def changed(change: Callable[[Members], object], *, resealed: bool = True) -> bytes:
    members: Members = json.loads(SHOWN)
    change(members)
    if resealed:
        rest = {name: member for name, member in members.items() if name != "digest"}
        members["digest"] = sha256(canonical_bytes(rest)).hexdigest()
    return canonical_bytes(members)


def setting(name: str, value: Any) -> Callable[[Members], object]:
    return lambda members: members.update({name: value})


def of_file(name: str, value: Any) -> Callable[[Members], object]:
    return lambda members: members["files"][0].update({name: value})


def checks(value: bytes) -> list[tuple[str, str]]:
    return [(finding.check, finding.place) for finding in check_manifest(value).findings]


def test_the_golden_manifest_is_written_and_read() -> None:
    assert encode_manifest(GOLDEN) == SHOWN
    assert json.loads(SHOWN)["digest"] == DIGEST
    assert check_manifest(SHOWN) == (GOLDEN, ())


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("source"),
        lambda members: members.pop("filter"),
        setting("more", 1),
        setting("made_at", "2026-11-22T15:10:13Z"),
        setting("made_at", "2026-02-30T15:10:13.123456Z"),
        setting("source", "tables"),
        setting("filter", []),
        setting("digest", None),
        setting("files", {}),
        setting("files", [None]),
        lambda members: members["files"].append(members["files"][0]),
        of_file("more", 1),
        of_file("name", "partition-6.jsonl"),
        of_file("name", "../partition-0006.jsonl"),
        of_file("partition", 7),
        of_file("first", -1),
        of_file("last", 0.5),
        of_file("last", True),
        of_file("last", 2.0**53),
        of_file("entries", 0),
        of_file("entries", "1"),
        of_file("sha256", "0" * 63),
        of_file("sha256", "A" * 64),
    ],
)
def test_a_manifest_with_other_members_is_unreadable(change: Callable[[Members], object]) -> None:
    value = changed(change, resealed=False)
    assert checks(value) == [("unreadable", "manifest")]
    assert check_manifest(value).manifest is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"null",
        SHOWN[:-1],
        b"\xef\xbb\xbf" + SHOWN,
        SHOWN.replace(b'"topic"', b'"\xff"'),
        SHOWN.replace(b"null", b'{"a":NaN}'),
        SHOWN.replace(b"null", b'{"a":-Infinity}'),
        SHOWN.replace(b"null", b'{"a":' + b"[" * 600 + b"]" * 600 + b"}"),
    ],
)
def test_a_manifest_that_is_not_a_json_object_is_unreadable(value: bytes) -> None:
    assert checks(value) == [("unreadable", "manifest")]


@pytest.mark.parametrize("change", [setting("kind", "daybook-copy"), setting("v", 2), setting("v", "1")])
def test_the_manifest_of_another_kind_cannot_be_checked(change: Callable[[Members], object]) -> None:
    with pytest.raises(OtherKind):
        check_manifest(changed(change))


@pytest.mark.parametrize("name", ["kind", "v"])
def test_a_manifest_without_kind_or_version_cannot_be_checked(name: str) -> None:
    with pytest.raises(OtherKind):
        check_manifest(changed(lambda members: members.pop(name)))


def test_a_copy_as_a_table_is_of_another_kind() -> None:
    with pytest.raises(OtherKind):
        check_manifest(encode_manifest(GOLDEN, "csv"))


@pytest.mark.parametrize("value", [SHOWN + b"\n", b" " + SHOWN, SHOWN.replace(b'"first":0', b'"first":0.0')])
def test_other_bytes_of_the_same_value_are_not_canonical(value: bytes) -> None:
    checked = check_manifest(value)
    assert checked.manifest == GOLDEN
    assert checks(value) == [("canonical", "manifest")]


def test_a_member_given_twice_is_not_canonical() -> None:
    assert checks(SHOWN.replace(b'"v":1', b'"v":1,"v":1')) == [("canonical", "manifest")]


def test_the_finding_about_a_wrong_digest_has_the_correct_one() -> None:
    (finding,) = check_manifest(changed(setting("source", "audit_log"), resealed=False)).findings
    assert (finding.check, finding.field, finding.found) == ("hash", "digest", DIGEST)
    assert finding.expected == json.loads(changed(setting("source", "audit_log")))["digest"]


def test_a_filter_without_a_canonical_form_has_no_digest() -> None:
    assert checks(SHOWN.replace(b"null", b'{"a":1e400}')) == [("canonical", "manifest")]


def test_a_filter_is_read() -> None:
    manifest = check_manifest(changed(setting("filter", {"results": ["failure"]}))).manifest
    assert manifest is not None
    assert manifest.filter == {"results": ["failure"]}
