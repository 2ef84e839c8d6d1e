"""Exports that each break a rule, or only just obey it, with the finding that a verifier must report first."""

from collections.abc import Iterator
from typing import Any

from support import chain
from support.broken_columns import (
    STRANGER,
    alone,
    columns_broken,
    columns_in_excess,
    columns_kept,
    redacted_columns_broken,
    without,
)
from support.chain import ZEROS, Json
from support.exports import (
    LOG,
    MISSING,
    ORG,
    Export,
    chained,
    entry,
    export_of,
    lines,
    redacted,
    resealed,
)
from support.logbook import SALT, command_id

OTHER_ID = "01890000-0000-8000-8000-000000000000"


def ids_broken() -> Iterator[Export]:
    first = chain.entry_id(ORG, command_id(0))
    yield alone("id: another", entry(columns={"id": OTHER_ID}), "id", expected=first, found=OTHER_ID)
    second = chain.second_id(ORG, command_id(0))
    yield alone("id: the second", entry(columns={"id": second}), "id", expected=first, found=second)
    bad = entry(columns={"id": first.upper()})
    yield Export(
        "id: in upper case",
        export_of({2: lines([bad])}),
        {
            "check": "id",
            "expected": first,
            "found": first.upper(),
            "partition": 2,
            "place": "export",
            "position": 0,
        },
    )
    for name, columns, metadata in (
        ("of an unknown scope", {}, {"scope": "team"}),
        ("of no scope", {}, {"scope": MISSING}),
        ("of a key that is no uuid", {}, {"key": "org"}),
        ("of no command", {}, {"command_id": None}),
        ("of an ordinal below 0", {}, {"ordinal": -1}),
        ("of an ordinal too large", {}, {"ordinal": 4294967296}),
        ("of an ordinal with a fraction", {}, {"ordinal": 0.5}),
        ("of an ordinal as text", {}, {"ordinal": "0"}),
        ("of an outsider without an actor", {"result": "failure"}, STRANGER | {"data": {"org_id": ORG}}),
        ("of an outsider whose actor is no uuid", {"result": "failure"}, STRANGER | {"data": {"actor_user_id": 1}}),
    ):
        # Without valid members, no id can be computed.
        forged = entry_without_identity(columns | {"id": OTHER_ID}, metadata)
        yield alone(f"id: {name}", forged, "id", found=OTHER_ID)
    gone = redacted(entry(columns={"result": "failure", "org_id": None}, metadata=STRANGER))
    yield alone("id: a redacted outsider without an actor", gone, "id", found=gone["id"])


def entry_without_identity(columns: Json, metadata: Json) -> Json:
    """An entry whose identity cannot be computed."""
    plain = entry(columns=columns | {"actor_user_id": None}, metadata=metadata | {"scope": "org"})
    members = plain["metadata_json"] | metadata
    kept = {name: value for name, value in members.items() if value is not MISSING}
    kept["commit"] = chain.commit_hash(SALT, kept["data"])
    return resealed(plain | {"metadata_json": kept})


def commits_broken() -> Iterator[Export]:
    whole = entry()
    metadata = whole["metadata_json"]
    commit = metadata["commit"]
    of_null = chain.commit_hash(SALT, None)
    for name, changed, expected in (
        ("data null", metadata | {"data": None}, {"expected": of_null}),
        ("salt null", metadata | {"salt": None}, {}),
        ("salt in upper case", metadata | {"salt": SALT.upper()}, {}),
        ("salt too short", metadata | {"salt": SALT[2:]}, {}),
        ("data left out", {key: value for key, value in metadata.items() if key != "data"}, {}),
        ("salt left out", {key: value for key, value in metadata.items() if key != "salt"}, {}),
    ):
        yield alone(f"commit: {name}", whole | {"metadata_json": changed}, "commit", found=commit, **expected)
    other = resealed(whole, commit=ZEROS)
    yield alone("commit: another", other, "commit", expected=commit, found=ZEROS)
    gone = without(whole, "commit")
    yield alone("commit: left out", gone, "commit", expected=commit)
    bare = {key: value for key, value in metadata.items() if key not in {"salt", "commit"}}
    yield alone("commit: left out, with the salt", resealed(whole | {"metadata_json": bare}), "commit")
    nothing = entry(metadata={"data": None})
    yield alone("data: null with a salt", nothing, "data")


def times_broken() -> Iterator[Export]:
    for time in (
        "2026-11-22T15:10:13.12345Z",
        "2026-11-22T15:10:13.123456+00:00",
        "2026-11-22 15:10:13.123456Z",
        "2026-11-22T24:00:00.000000Z",
        "2026-11-22T15:10:60.000000Z",
        "2026-11-31T15:10:13.123456Z",
        "2026-02-29T15:10:13.123456Z",
        "2100-02-29T15:10:13.123456Z",
        "0000-01-01T00:00:00.000000Z",
        "2026-00-01T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "2026-11-22T15:10:13.123456Z\n",
        "٢٠٢٦-11-22T15:10:13.123456Z",
        1790000000,
        None,
    ):
        yield alone(f"created_at {time!r}", entry(columns={"created_at": time}), "created_at", found=time)
    yield alone("created_at left out", entry(columns={"created_at": MISSING}), "created_at")
    for time in ("2000-02-29T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z", "9999-12-31T00:00:00.000000Z"):
        yield alone(f"created_at {time!r} holds", entry(columns={"created_at": time}), None)
    noon = "2026-11-22T12:00:00.000000Z"
    for name, time in (("equal", noon), ("earlier", "2026-11-22T11:59:59.999999Z")):
        two = chained([({"created_at": noon}, {}), ({"created_at": time}, {})])
        first = {"check": "created_at", "id": two[1]["id"], "partition": 2, "place": "export", "position": 1}
        found = {"expected": f"later than {noon}", "found": time}
        yield Export(f"created_at {name}", export_of({2: lines(two)}), first | found)
    three = chained([({"created_at": time}, {}) for time in (noon, "noon", "2026-11-22T11:00:00.000000Z")])
    first = {
        "check": "created_at",
        "found": "noon",
        "id": three[1]["id"],
        "partition": 2,
        "place": "export",
        "position": 1,
    }
    yield Export("created_at after one that is no time", export_of({2: lines(three)}), first)


WHOLE = LOG[2]
FILTERED = lines(WHOLE)


def filtered(name: str, chosen: list[bytes], span: tuple[int, int], **first: Any) -> Export:
    """A filtered export with the lines `chosen`. `span`: the first and the last position according to the manifest."""
    return Export(
        f"filtered: {name}", export_of({2: chosen}, {2: span}, {}), {"partition": 2, "place": "export"} | first
    )


def filtered_positions_broken() -> Iterator[Export]:
    def below(position: int, last: int) -> Json:
        place = {"check": "position", "id": WHOLE[position]["id"], "position": position}
        return place | {"expected": f"above {last}", "found": position}

    yield filtered("swapped", [FILTERED[4], FILTERED[2]], (4, 2), **below(2, 4))
    yield filtered("a line twice", [FILTERED[2], FILTERED[2]], (2, 2), **below(2, 2))
    for name, number in (("no count", -1), ("a fraction", 1.5)):
        changed = FILTERED[1].replace(b'"position":1', f'"position":{number}'.encode())
        yield filtered(name, [changed], (0, 0), check="position", found=number, id=WHOLE[1]["id"])


def filtered_lines_broken() -> Iterator[Export]:
    for name, chosen, span in (
        ("unreadable before the very first", [b"x\n", FILTERED[0]], (0, 0)),
        ("unreadable first", [b"x\n", FILTERED[3]], (3, 3)),
        ("unreadable only", [b"x\n"], (5, 5)),
    ):
        yield filtered(name, chosen, span, check="unreadable")
    changed = resealed(WHOLE[3], prev=5)
    found = {"check": "columns", "field": "metadata_json.prev", "found": 5, "id": WHOLE[3]["id"], "position": 3}
    yield filtered("prev no text", lines([changed]), (3, 3), **found)


def filtered_claims_broken() -> Iterator[Export]:
    chosen = [FILTERED[1], FILTERED[3]]
    for name, span, field, expected, found in (
        ("another first", (2, 3), "first", 1, 2),
        ("the last line cut", (1, 5), "last", 3, 5),
    ):
        claim = {"check": "columns", "place": "manifest", "field": field, "expected": expected, "found": found}
        yield filtered(name, chosen, span, **claim)


MADE = (
    columns_broken,
    columns_in_excess,
    redacted_columns_broken,
    columns_kept,
    ids_broken,
    commits_broken,
    times_broken,
    filtered_positions_broken,
    filtered_lines_broken,
    filtered_claims_broken,
)


def broken_rules() -> Iterator[Export]:
    for made in MADE:
        yield from made()
