"""Exports in which lines of partition 2's file were changed, each with the finding that a verifier must report first.
All start from the honest log of `exports`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator

from support import chain
from support.chain import ZEROS, Json, jcs
from support.exports import (
    LOG,
    ORG,
    Export,
    chained,
    entry,
    export_of,
    file_name,
    honest_lines,
    lines,
    resealed,
)
from support.logbook import SALT
from support.tampered_texts import (
    FILE,
    LAST,
    SECOND,
    in_line,
    missing,
    not_canonical,
    not_readable,
    replaced,
    with_file,
    with_line,
)

Lines = list[bytes]


def altered(position: int, old: str, new: str) -> Json:
    """The entry in the changed line, which must still be JSON."""
    entry: Json = json.loads(replaced(jcs(SECOND[position]), old, new))
    return entry


METADATA = SECOND[1]["metadata_json"]
"""The metadata of the entry whose line is altered."""

ALTERED_DATA: list[tuple[str, str, str, Json]] = [
    ("a digit of the data", "{7}", "{8}", {"name": "Coffee {8}"}),
    ("a letter of the data", "Coffee", "Coffey", {"name": "Coffey {7}"}),
    ("a brace in a text of the data", "{7}", "[7}", {"name": "Coffee [7}"}),
    ("an escaped line feed in the data", "Coffee ", "Coffee\\n", {"name": "Coffee\n{7}"}),
]
"""Each line: a name, the text that is replaced, its replacement, and the entry's data after that."""

ALTERED_MEMBERS = [
    ("a letter of the action", "CREATE_ORG", "CREATE_ORH"),
    ("a digit of the time", "13.000001Z", "13.000002Z"),
    ("a digit of the entity's id", f'"entity_id":"{ORG}"', f'"entity_id":"{ORG[:-1]}2"'),
    ("a letter of a column's name", '"result"', '"resulu"'),
    ("a letter of the result", "success", "succesr"),
    ("an unknown member", '"result"', '"rest":1,"result"'),
    ("a column left out", '"project_id":null,', ""),
    ("a digit of the commit", METADATA["commit"], f"{ZEROS[:63]}1"),
    ("a digit of the id", SECOND[1]["id"], f"{SECOND[1]['id'][:-1]}!"),
]

ALTERED_PLACES = [
    ("position", "1", "7"),
    ("position", "1", '"1"'),
    ("partition", "2", "3"),
    ("partition", "2", "{}"),
]


def data_altered() -> Iterator[Export]:
    for name, old, new, data in ALTERED_DATA:
        found = in_line(1, check="commit", expected=chain.commit_hash(SALT, data), found=METADATA["commit"])
        yield Export(name, with_line(1, old, new), found)
    salt = SALT.replace("0011", "0012")
    commit = chain.commit_hash(salt, METADATA["data"])
    found = in_line(1, check="commit", expected=commit, found=METADATA["commit"])
    yield Export("a digit of the salt", with_line(1, SALT, salt), found)


def members_altered() -> Iterator[Export]:
    for name, old, new in ALTERED_MEMBERS:
        entry = altered(1, old, new)
        found = in_line(1, check="hash", expected=chain.entry_hash(entry), found=METADATA["hash"])
        if name == "a digit of the id":
            del found["id"]
        yield Export(name, with_line(1, old, new), found)


def places_altered() -> Iterator[Export]:
    for member, digit in (("prev", "1"), ("hash", "2")):
        yield member_altered(f"a digit of {member}", member, f"{ZEROS[:63]}{digit}")
    for member, old, new in ALTERED_PLACES:
        found = in_line(1, check=member, expected=int(old), found=json.loads(new))
        yield Export(f"{member} {new}", with_line(1, f'"{member}":{old},', f'"{member}":{new},'), found)
    gone = in_line(1, check="position", expected=1)
    yield Export("position left out", with_line(1, '"position":1,', ""), gone)
    listed = [*lines(SECOND[:1]), jcs(SECOND[1] | {"metadata_json": [2]}) + b"\n"]
    yield Export("metadata_json a list", with_file(listed), in_line(1, check="partition", expected=2))


def long_values() -> Iterator[Export]:
    """A value of up to 200 bytes is shown as it is."""
    for name, value in (("a long value", "x" * 300), ("a value of 201 bytes", "é" * 99 + "x")):
        yield member_altered(name, "hash", value, f"sha256:{hashlib.sha256(jcs(value)).hexdigest()}")
    yield member_altered("a value of 200 bytes", "hash", "é" * 99)


def member_altered(name: str, member: str, value: str, shown: str | None = None) -> Export:
    old = METADATA[member]
    found = in_line(1, check=member, expected=old, found=shown or value)
    return Export(name, with_line(1, f'"{member}":"{old}"', f'"{member}":"{value}"'), found)


def moved() -> Iterator[Export]:
    """Whole lines are removed, added or moved."""
    whole = honest_lines()[2]

    def case(name: str, edit: Callable[[Lines], Lines], first: Json) -> Export:
        return Export(name, with_file(edit(list(whole))), first)

    def gap(position: int, found: int) -> Json:
        return in_line(found, check="position", position=position, expected=position, found=found)

    yield case("the first line removed", lambda file: file[1:], gap(0, 1))
    yield case("a line removed", lambda file: file[:3] + file[4:], gap(3, 4))
    yield case("the last line removed", lambda file: file[:-1], missing(LAST))
    yield case("all lines but one removed", lambda file: file[:1], missing(1))
    yield case("all lines removed", lambda file: file[:0], missing(0))
    yield case("a line twice", lambda file: [*file[:2], *file[1:]], gap(2, 1))
    yield case("the last line twice", lambda file: [*file, file[-1]], gap(LAST + 1, LAST))
    yield case("neighbours swapped", lambda file: [file[0], file[2], file[1], *file[3:]], gap(1, 2))
    yield case("all lines turned round", lambda file: file[::-1], gap(0, LAST))
    foreign = LOG[0][1]
    stranger = in_line(1, check="partition", id=foreign["id"], expected=2, found=0)
    yield case("a line of another partition", lambda file: [file[0], *lines([foreign]), *file[1:]], stranger)
    files = export_of(honest_lines())
    swapped = files | {FILE: files[file_name(0)], file_name(0): files[FILE]}
    first = {
        "check": "partition",
        "expected": 0,
        "found": 2,
        "id": SECOND[0]["id"],
        "partition": 0,
        "place": "export",
        "position": 0,
    }
    yield Export("two files swapped", swapped, first)


def sealed_again() -> Iterator[Export]:
    """Changed entries with recomputed hashes, as a forger would make them to hide a change."""
    own = resealed(SECOND[2] | {"entity_id": ORG[:-1] + "3"})
    old, new = SECOND[2]["metadata_json"]["hash"], own["metadata_json"]["hash"]
    after = in_line(3, check="prev", expected=new, found=old)
    yield Export("an entry's own hash", with_file(lines([*SECOND[:2], own, *SECOND[3:]])), after)
    committed = resealed(SECOND[2], data={"name": "y"}, commit=chain.commit_hash(SALT, {"name": "y"}))
    after = in_line(3, check="prev", expected=committed["metadata_json"]["hash"], found=old)
    yield Export("an entry's commit and hash", with_file(lines([*SECOND[:2], committed, *SECOND[3:]])), after)
    rest = chained([({}, {"data": {"name": "other"}})] * len(SECOND))
    whole, other = export_of(honest_lines()), export_of(honest_lines() | {2: lines(rest)})
    sums = [json.loads(files["manifest.json"] or b"")["files"][1]["sha256"] for files in (other, whole)]
    fault = {
        "check": "hash",
        "partition": 2,
        "place": "manifest",
        "field": "sha256",
        "expected": sums[0],
        "found": sums[1],
    }
    yield Export("the whole chain", whole | {FILE: other[FILE]}, fault)
    elsewhere = entry(0, "1" * 64)
    found = {"expected": ZEROS, "found": "1" * 64, "id": elsewhere["id"]}
    yield Export("a start elsewhere", with_file(lines([elsewhere, *SECOND[1:]])), in_line(0, check="prev", **found))
    inserted = resealed(entry(3, SECOND[2]["metadata_json"]["hash"]))
    file = [*SECOND[:3], inserted, *SECOND[3:]]
    yield Export(
        "an entry inserted", with_file(lines(file)), in_line(3, check="position", position=4, expected=4, found=3)
    )


def tampered_lines() -> Iterator[Export]:
    """All exports of this module and of `tampered_texts`."""
    of_altered_lines = (data_altered, members_altered, places_altered, long_values)
    for made in (*of_altered_lines, not_readable, not_canonical, moved, sealed_again):
        yield from made()
