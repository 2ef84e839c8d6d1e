"""Exports in which the manifest or the folder was changed, each with the finding that a verifier must report first, and
exports that cannot be checked. All start from the honest log of `exports`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from support.chain import Json, jcs
from support.exports import LOG, MANIFEST, MISSING, Export, Files, digested, export_of, file_name, honest_lines

UNREADABLE: Json = {"check": "unreadable", "place": "manifest"}
NOT_CANONICAL: Json = {"check": "canonical", "place": "manifest"}
HONEST = export_of(honest_lines())
TEXT = HONEST[MANIFEST] or b""
VALUE: Json = json.loads(TEXT)
SUM = hashlib.sha256(jcs({name: value for name, value in VALUE.items() if name != "digest"})).hexdigest()


def manifest(value: bytes) -> Files:
    return HONEST | {MANIFEST: value}


def with_members(**members: Any) -> Files:
    """The honest export, with these members in the manifest and a recomputed digest."""
    return manifest(digested({name: value for name, value in (VALUE | members).items() if value is not MISSING}))


def with_file_members(**members: Any) -> Files:
    """The honest export, with these members of partition 2's file in the manifest."""
    files = [dict(file) for file in VALUE["files"]]
    files[1] = {name: value for name, value in (files[1] | members).items() if value is not MISSING}
    return with_members(files=files)


def of_manifest(check: str, field: str, expected: Any, found: Any, **place: int) -> Json:
    return {"check": check, "place": "manifest", "field": field, "expected": expected, "found": found} | place


def text_altered() -> Iterator[Export]:
    """Manifests whose text is changed, and whose digest is not recomputed."""

    def case(name: str, old: bytes, new: bytes, first: Json) -> Export:
        assert TEXT.count(old) == 1, old
        return Export(name, manifest(TEXT.replace(old, new)), first)

    filtered = hashlib.sha256(jcs({k: v for k, v in (VALUE | {"filter": {}}).items() if k != "digest"})).hexdigest()
    yield case("the digest", SUM.encode(), b"0" * 64, of_manifest("hash", "digest", SUM, "0" * 64))
    yield case("the digest no hash", SUM.encode(), b"", of_manifest("hash", "digest", SUM, ""))
    wrong = hashlib.sha256(jcs({k: v for k, v in (VALUE | {"source": "topic"}).items() if k != "digest"})).hexdigest()
    yield case("the source", b'"audit_log"', b'"topic"', of_manifest("hash", "digest", wrong, SUM))
    yield case("the filter", b'"filter":null', b'"filter":{}', of_manifest("hash", "digest", filtered, SUM))
    yield case("white space", b'{"digest"', b'{ "digest"', NOT_CANONICAL)
    yield case("a number's form", b'"v":1', b'"v":1.0', NOT_CANONICAL)
    yield case("a name twice", b'"v":1', b'"v":1,"v":1', NOT_CANONICAL)
    yield case("a lone surrogate", b'"filter":null', b'"filter":{"a":"\\ud800"}', NOT_CANONICAL)
    yield case("a lone surrogate in the digest", SUM.encode(), b"\\udc00", NOT_CANONICAL)
    yield case("a number too large", b'"filter":null', b'"filter":{"a":1e400}', NOT_CANONICAL)
    yield Export("a line feed at the end", manifest(TEXT + b"\n"), NOT_CANONICAL)
    yield case("a brace", b'{"digest"', b'["digest"', UNREADABLE)
    yield Export("empty", manifest(b""), UNREADABLE)
    yield Export("a list", manifest(b"[" + TEXT + b"]"), UNREADABLE)
    yield Export("a byte order mark", manifest(b"\xef\xbb\xbf" + TEXT), UNREADABLE)
    yield Export("not UTF-8", manifest(TEXT.replace(b"null", b'"\xff"')), UNREADABLE)
    yield case("nested 513 deep", b'"filter":null', b'"filter":{"a":%b%b}' % (b"[" * 511, b"]" * 511), UNREADABLE)


def members_altered() -> Iterator[Export]:
    """Manifests with members that break a rule, and a correct digest."""
    for name, value in (
        ("made_at", "2026-11-22T15:10:13Z"),
        ("made_at", "2026-02-29T15:10:13.123456Z"),
        ("made_at", MISSING),
        ("source", "tables"),
        ("filter", []),
        ("filter", "all"),
        ("filter", MISSING),
        ("files", {}),
        ("files", [1]),
        ("files", VALUE["files"][::-1]),
        ("files", [VALUE["files"][0], VALUE["files"][0]]),
        ("more", 1),
        ("__proto__", {}),
    ):
        shown = "left out" if value is MISSING else json.dumps(value)[:30]
        yield Export(f"{name} {shown}", with_members(**{name: value}), UNREADABLE)
    for digest in (1, None, MISSING):
        changed = {name: value for name, value in (VALUE | {"digest": digest}).items() if value is not MISSING}
        yield Export(f"digest {digest if digest is not MISSING else 'left out'}", manifest(jcs(changed)), UNREADABLE)
    for name, value in (
        ("name", "partition-2.jsonl"),
        ("name", "../partition-0002.jsonl"),
        ("name", file_name(3)),
        ("partition", -1),
        ("partition", "2"),
        ("partition", 2.5),
        ("partition", 9007199254740992.0),
        ("first", None),
        ("first", True),
        ("last", MISSING),
        ("entries", 0),
        ("sha256", "0" * 63),
        ("sha256", "A" * 64),
        ("size", 1),
    ):
        shown = "left out" if value is MISSING else json.dumps(value)[:30]
        yield Export(f"a file's {name} {shown}", with_file_members(**{name: value}), UNREADABLE)


def claims_altered() -> Iterator[Export]:
    """Manifests with a correct digest that describe a file wrongly, but in a valid form."""
    last = len(LOG[2]) - 1
    gone = {"check": "missing", "partition": 2, "place": "export", "position": last + 1}
    for name, value, first in (
        ("sha256", "0" * 64, of_manifest("hash", "sha256", VALUE["files"][1]["sha256"], "0" * 64, partition=2)),
        ("first", 1, of_manifest("columns", "first", 0, 1, partition=2)),
        ("last", last - 1, of_manifest("columns", "last", last, last - 1, partition=2)),
        ("last", last + 1, gone),
        ("entries", last, of_manifest("columns", "entries", last + 1, last, partition=2)),
    ):
        yield Export(f"a file's {name} {value}", with_file_members(**{name: value}), first)


def files_altered() -> Iterator[Export]:
    def surplus(name: str) -> Json:
        return {"check": "surplus", "field": name, "place": "export"}

    gone = {"check": "missing", "partition": 2, "place": "export", "position": 0}
    without = {name: value for name, value in HONEST.items() if name != file_name(2)}
    yield Export("a file missing", without, gone)
    yield Export("a folder for a file", without | {file_name(2): None}, gone)
    yield Export("a file renamed", without | {"partition-2.jsonl": HONEST[file_name(2)]}, gone)
    third = {"check": "missing", "partition": 2, "place": "export", "position": 3}
    yield Export("a file missing that starts later", without | {MANIFEST: with_file_members(first=3)[MANIFEST]}, third)
    spaced = HONEST | {MANIFEST: TEXT.replace(b'{"digest"', b'{ "digest"')}
    yield Export("a file missing and white space in the manifest", spaced | {file_name(2): None}, gone)
    yield Export("an unlisted file of entries", HONEST | {file_name(1): b""}, surplus(file_name(1)))
    yield Export("a hidden file", HONEST | {".DS_Store": b""}, surplus(".DS_Store"))
    yield Export("a folder", HONEST | {"more": None}, surplus("more"))
    yield Export("a name of two lines", HONEST | {"a\nvalid": b""}, surplus("a\nvalid"))
    name = "x" * 201
    yield Export("a long name", HONEST | {name: b""}, surplus(f"sha256:{hashlib.sha256(jcs(name)).hexdigest()}"))
    yield Export("a name in upper case", HONEST | {"Manifest.json": b""}, surplus("Manifest.json"))
    # U+FB01 sorts before U+1F600 in UTF-8, but after it in UTF-16, where surrogates sort lower.
    yield Export("names in the order of bytes", HONEST | {"\U0001f600": b"", "\ufb01": b""}, surplus("\ufb01"))


def tampered_folders() -> Iterator[Export]:
    groups: dict[str, Callable[[], Iterator[Export]]] = {
        "manifest": text_altered,
        "manifest's": members_altered,
        "claim:": claims_altered,
        "folder:": files_altered,
    }
    for group, made in groups.items():
        for each in made():
            yield Export(f"{group} {each.name}", each.files, each.first)


def uncheckable_exports() -> Iterator[Export]:
    """Exports for which a verifier must end with exit code 2. Their `first` is not used."""
    yield Export("an empty folder", {})
    yield Export("no manifest", {name: value for name, value in HONEST.items() if name != MANIFEST})
    yield Export("a folder for a manifest", HONEST | {MANIFEST: None})
    yield Export("another kind", with_members(kind="daybook-certificate"))
    yield Export("no kind", with_members(kind=MISSING))
    yield Export("another version", with_members(v=2))
    yield Export("a version as text", with_members(v="1"))
    yield Export("no version", with_members(v=MISSING))
    yield Export("another kind in another form", manifest(b"{}"))
