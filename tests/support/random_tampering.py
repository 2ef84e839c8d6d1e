"""Exports with random changes, from a seed. Each starts from an honest export and has one to three changes of bytes,
lines, entries, the manifest or the folder. No particular finding is expected; instead, two verifiers must agree.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from support.chain import Json, entry_hash, jcs
from support.entry_mutations import mutated, parsed
from support.entry_samples import samples
from support.exports import MANIFEST, Export, Files, digested, export_of, honest_exports, redacted

BYTE_CLASSES: Final[tuple[Sequence[bytes], ...]] = (
    (b"a", b"f", b"g", b"Z"),
    (b"0", b"1", b"9"),
    (b"-", b"+", b".", b"e"),
    (b'"', b"\\", b"/"),
    (b"{", b"}", b"[", b"]"),
    (b",", b":"),
    (b" ", b"\t", b"\r"),
    (b"\n",),
    (b"\x00", b"\x1f", b"\x7f"),
    (b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\xee\x80\x80"),
    (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"),
    (b"\\ud800", b"\\u0041", b"\\n"),
    (b"\xef\xbb\xbf",),
    (b"NaN", b"1e400", b"-0", b"1.0", b"9007199254740993", b"true", b"null"),
)
"""Classes of bytes, each with some of its members."""

NAMES: Final = ("partition-0001.jsonl", ".hidden", "a\nvalid", "é", "\U0001f600", "\uffff", "x" * 201, "manifest.json~")

Tampering = Callable[[Random, Files], None]


def randomly_tampered(seed: int, number: int) -> Iterator[Export]:
    random, bases = Random(seed), [*(export.files for export in honest_exports()), _every_action()]
    for at in range(number):
        files = dict(random.choice(bases))
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            random.choice(TAMPERINGS)(random, files)
        yield Export(f"{seed}/{at}", files)


def with_each_class_of_bytes(seed: int) -> Iterator[Export]:
    """Exports with one change each: bytes of one class are inserted at a random place of a file or of the manifest, or
    replace one byte there.
    """
    random, honest = Random(seed), honest_exports()[0].files
    for kind in BYTE_CLASSES:
        for name in (MANIFEST, "partition-0002.jsonl"):
            for length in (0, 1):
                for _ in range(4):
                    value = honest[name] or b""
                    at = random.randrange(len(value))
                    put = value[:at] + random.choice(kind) + value[at + length :]
                    yield Export(f"{kind[0]!r} at {at} of {name}", honest | {name: put})


def _every_action() -> Files:
    """A log with the golden sample of every action, and with failures."""
    values: list[Json] = []
    for sample in samples().values():
        entry = parsed(sample.value)
        metadata = entry["metadata_json"] | {"partition": 6, "position": len(values)}
        metadata["prev"] = values[-1]["metadata_json"]["hash"] if values else metadata["prev"]
        entry |= {"created_at": f"2026-11-22T15:10:13.{len(values):06}Z", "metadata_json": metadata}
        metadata["hash"] = entry_hash(entry)
        values.append(entry)
    return export_of({6: [jcs(entry) + b"\n" for entry in values]})


def _file(random: Random, files: Files) -> str:
    return random.choice(sorted(name for name in files if name.startswith("partition-")) or [MANIFEST])


def _lines(random: Random, files: Files) -> tuple[str, list[bytes]]:
    name = _file(random, files)
    return name, (files[name] or b"").splitlines(keepends=True) or [b""]


def _bytes(random: Random, files: Files) -> None:
    name = random.choice([_file(random, files), MANIFEST])
    value = files[name] or b"\n"
    at = random.randrange(len(value))
    put = random.choice((b"", random.choice(random.choice(BYTE_CLASSES))))
    files[name] = value[:at] + put + value[at + random.choice((0, 1, 1, 7)) :]


def _cut(random: Random, files: Files) -> None:
    name = random.choice([_file(random, files), MANIFEST])
    files[name] = (files[name] or b"")[: random.randrange(len(files[name] or b"") + 1)]


def _reorder(random: Random, files: Files) -> None:
    """Deletes a line, repeats it, swaps it with another one, or copies it to the end of a partition."""
    name, lines = _lines(random, files)
    at, to = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, lines[at])
        case 2:
            lines[at], lines[to] = lines[to], lines[at]
        case _:
            other = _file(random, files)
            if other == name:
                lines.append(lines[at])
            else:
                files[other] = (files[other] or b"") + lines[at]
    if changed := b"".join(lines):
        files[name] = changed


def _mutate(random: Random, files: Files) -> None:
    """Changes one entry, perhaps with new hashes, and perhaps links all later entries to it again."""
    name, lines = _lines(random, files)
    at = random.randrange(len(lines))
    try:
        lines[at] = mutated(random, lines[at]) + b"\n"
        if random.random() < 0.5:
            _link(lines, at)
    except (ValueError, TypeError, KeyError):  # after an earlier change, this line is not an entry any more
        return
    files[name] = b"".join(lines)


def _link(lines: list[bytes], start: int) -> None:
    prev = parsed(lines[start])["metadata_json"]["hash"]
    for at in range(start + 1, len(lines)):
        entry = parsed(lines[at])
        entry["metadata_json"]["prev"] = prev
        entry["metadata_json"]["hash"] = prev = entry_hash(entry)
        lines[at] = jcs(entry) + b"\n"


def _rewrite(random: Random, files: Files) -> None:
    """Writes the same JSON with other bytes."""
    name, lines = (MANIFEST, [files[MANIFEST] or b""]) if random.random() < 0.5 else _lines(random, files)
    at = random.randrange(len(lines))
    try:
        value = parsed(lines[at])
    except ValueError:
        return
    spaced, ascii_only, integers_as_floats = json.dumps(value), json.dumps(value, separators=(",", ":")), jcs(value)
    other = random.choice((spaced.encode(), ascii_only.encode(), integers_as_floats.replace(b":1,", b":1.0,")))
    lines[at] = other + lines[at][len(lines[at].rstrip(b"\n")) :]
    files[name] = b"".join(lines)


def _redact(random: Random, files: Files) -> None:
    name, lines = _lines(random, files)
    at = random.randrange(len(lines))
    try:
        lines[at] = jcs(redacted(parsed(lines[at]))) + b"\n"
    except (ValueError, TypeError, KeyError):
        return
    files[name] = b"".join(lines)


def _describe_again(_random: Random, files: Files) -> None:
    """Makes the manifest describe the changed files."""
    manifest = _manifest(files)
    for file in manifest.get("files", []):
        value = files.get(file["name"]) or b""
        file |= {"sha256": hashlib.sha256(value).hexdigest(), "entries": max(1, value.count(b"\n"))}
    if manifest:
        files[MANIFEST] = digested(manifest)


def _change_manifest(random: Random, files: Files) -> None:
    manifest = _manifest(files)
    if not manifest:
        return
    target = random.choice([manifest, *manifest["files"]])
    name = random.choice(sorted(target))
    values: tuple[object, ...] = (
        0,
        1,
        7,
        -1,
        1.5,
        "",
        "0" * 64,
        None,
        {},
        [],
        2**53 - 1,
        True,
        "topic",
        "partition-0007.jsonl",
    )
    target[name] = random.choice(values)
    if random.random() < 0.1:
        target["more"] = 1
    files[MANIFEST] = digested(manifest) if random.random() < 0.7 else jcs(manifest)


def _filter(_random: Random, files: Files) -> None:
    if manifest := _manifest(files):
        files[MANIFEST] = digested(manifest | {"filter": {"org_id": "x"}})


def _manifest(files: Files) -> Json:
    """The manifest, or an empty dict if an earlier change has broken it."""
    try:
        found = parsed(files.get(MANIFEST) or b"")
        jcs(found)
    except ValueError:
        return {}
    files_of = found.get("files") if isinstance(found, dict) else None
    is_whole = isinstance(files_of, list) and all(map(_has_name, files_of))
    return found if is_whole else {}


def _has_name(file: object) -> bool:
    return isinstance(file, dict) and isinstance(file.get("name"), str)


def _surplus(random: Random, files: Files) -> None:
    files[random.choice(NAMES)] = random.choice((None, b"", b"x"))


def _lose(random: Random, files: Files) -> None:
    """Deletes a file, or puts a folder in its place."""
    name = _file(random, files)
    if name != MANIFEST:
        files[name] = None
        if random.random() < 0.5:
            del files[name]


TAMPERINGS: Final[tuple[Tampering, ...]] = (
    *[_bytes] * 4,
    _cut,
    *[_reorder] * 2,
    *[_mutate] * 6,
    *[_rewrite] * 2,
    _redact,
    *[_describe_again] * 2,
    *[_change_manifest] * 2,
    *[_filter] * 2,
    _surplus,
    _lose,
)
