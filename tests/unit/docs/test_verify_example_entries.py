"""Which entries docs/examples/verify.mjs accepts: altered bytes, limits, canonical JSON and forms of data."""

import json
import random
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.chain import Json, jcs
from support.documents import page, section
from support.example_verifier import PROGRAM, report_on, verify
from support.exports import ORG, chained, entry, export_of, file_name, honest_lines, lines
from support.logbook import thing, user

PAGE = page("docs/verify.md")


def test_a_change_of_any_byte_of_an_entry_is_found(tmp_path: Path) -> None:
    """Alters a different byte in every second entry of a chain."""
    length = len(jcs(entry(1000)))
    entries = chained([({"created_at": f"2026-11-22T15:10:13.{n:06}Z"}, {}) for n in range(2 * length)])
    file = lines(entries)
    for number, position in enumerate(range(1, 2 * length, 2)):
        line = file[position]
        at = min(number, len(line) - 2)
        file[position] = line[:at] + other(line[at : at + 1]) + line[at + 1 :]
    report = report_on({**export_of({2: lines(entries)}), file_name(2): b"".join(file)}, tmp_path)
    assert report["more"] == 0
    noticed = {finding["position"] for finding in report["findings"] if finding["place"] == "export"}
    assert noticed >= set(range(1, 2 * length, 2))


def other(byte: bytes) -> bytes:
    """Another byte of the same class."""
    if byte.isdigit():
        return b"%d" % ((int(byte) + 1) % 10)
    return byte.swapcase() if byte.isalpha() else b"!"


def test_a_file_may_be_longer_than_one_read(tmp_path: Path) -> None:
    file = lines(chained([({"created_at": f"2026-11-22T15:10:13.{n:06}Z"}, {}) for n in range(3000)]))
    assert sum(map(len, file)) > 2 * 2**20
    assert report_on(export_of({2: file}), tmp_path)["result"] == "valid"


def test_the_first_thousand_findings_are_listed_and_the_rest_are_counted(tmp_path: Path) -> None:
    foreign = lines(chained([({}, {"partition": 0})] * 1100))
    files = export_of({1: [b"x\n"] * 500, 2: foreign}) | {"a": b"", "b": b""}
    report = report_on(files, tmp_path)
    place = [(each["check"], each["partition"], each["position"]) for each in report["findings"]]
    assert place == [("unreadable", 1, n) for n in range(500)] + [("partition", 2, n) for n in range(500)]
    assert report["more"] == 600 + 2
    done = verify(tmp_path).stdout.splitlines()
    assert done[-2:] == ["and 602 more findings", "invalid: unreadable: export 1.0"]


@pytest.mark.parametrize(("surplus", "check"), [(0, "partition"), (1, "unreadable")])
def test_a_line_has_at_most_67108864_bytes(surplus: int, check: str, tmp_path: Path) -> None:
    line = b'{"a":"%b"}' % (b"x" * (67108864 - 8 + surplus))
    report = report_on(export_of({2: [line + b"\n"]}), tmp_path)
    assert [finding["check"] for finding in report["findings"]] == [check]


def payloads(*values: Any) -> list[Json]:
    recorded = {"connection_id": thing(1), "dlq_event_id": thing(2)}
    return chained([({"action": "RECORD_DLQ_EVENT"}, {"data": recorded | {"payload": value}}) for value in values])


def test_numbers_are_written_as_rfc_8785_says(tmp_path: Path) -> None:
    draw = random.Random(8785)
    doubles = [struct.unpack("<d", draw.randbytes(8))[0] for _ in range(3000)]
    finite = [number for number in doubles if abs(number) < float("inf")]
    report_on(export_of({2: lines(payloads(finite[:1000], finite[1000:2000], finite[2000:]))}), tmp_path)
    assert verify(tmp_path).returncode == 0


def test_the_examples_of_canonical_json_are_canonical_and_their_sources_are_not(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `([\[{].*)` \| (`[\[{].*`) \|$", section(PAGE, "Canonical JSON"), re.MULTILINE)
    assert len(rows) == 2
    shown = [shown.strip("`").replace("` U+007F `", "\x7f").encode() for _, shown in rows]
    file = lines(payloads(*(json.loads(text, parse_int=float) for text in shown)))
    report = report_on(export_of({2: file}), tmp_path)
    assert report["result"] == "valid"
    raw = [line.replace(text, given.encode()) for line, text, (given, _) in zip(file, shown, rows, strict=True)]
    (tmp_path / file_name(2)).write_bytes(b"".join(raw))
    findings = json.loads(verify(tmp_path, "--json").stdout)["findings"]
    assert [finding["check"] for finding in findings] == ["canonical", "canonical", "hash"]


def test_the_next_position_never_goes_above_2_to_the_53(tmp_path: Path) -> None:
    first, second, third, *_ = honest_lines()[2]
    last = second.replace(b'"position":1,', b'"position":9007199254740991,')
    report = report_on(export_of({2: [first, last, b"x\n", b"x\n", third]}), tmp_path)
    found = [(each["check"], each["position"]) for each in report["findings"] if each["place"] == "export"]
    top = 9007199254740992
    # The last line goes back to position 2, and the manifest's last position is 4, so position 3 is missing.
    assert found == [("position", 1), ("missing", 3), ("unreadable", top), ("unreadable", top), ("position", top)]


FORMS: dict[str, tuple[list[Any], list[Any]]] = {
    "text": (["", "é"], [1, None, ["x"]]),
    "uuid": ([ORG], ["", ORG.upper(), ORG[:-1], f"{{{ORG}}}", ORG.replace("-", ""), None]),
    "count": ([0, 9007199254740991], [-1, 0.5, 9007199254740992.0, "1", True, None]),
    "uuids": ([[], [ORG, ORG]], [[1], ORG, {}, None, [[ORG]]]),
    "false": ([False], [True, None, 0]),
    "any": ([None, 1, {}, "x"], []),
    "object": ([{}, {"__proto__": 1}], [[], None, "x"]),
    "config": ([{}, {"secrets": {"a": "b"}}, {"secrets": {}}], [{"secrets": []}, {"secrets": {"a": 1}}, [], None]),
    "filter": ([{}, {"max_retry_count": 3}], [{"x": 1}, {"max_retry_count": -1}, [], None, {"toString": 1}]),
    "role": (["owner", "admin", "member", "viewer"], ["editor", "Owner", None]),
    "project role": (["admin", "editor", "viewer"], ["owner", "member", 1]),
    "severity": (["critical", "warning", "info"], ["error", None]),
    "resolution": (["replayed", "manual", "duplicate", "discarded"], ["", "ignored"]),
    "rule": (["sync_failing", "dlq_backlog", "sync_stalled"], ["sync", None]),
}
"""For each form, values that have it and values that do not."""

Member = tuple[str, bool, str]
ROWS = re.findall(r"^\| `([A-Z_]+)` \| (`.+) \|$", section(PAGE, "What is checked of an entry"), re.MULTILINE)
MEMBERS: dict[str, list[Member]] = {
    action: [(name, bool(mark), form) for name, mark, form in re.findall(r"`(\w+)`(\??) ([a-z ]+)", cell)]
    for action, cell in ROWS
}


def readable_data(members: list[Member]) -> Iterator[Json]:
    whole = {name: FORMS[form][0][0] for name, _, form in members}
    yield {name: whole[name] for name, optional, _ in members if not optional}
    for name, _, form in members:
        yield from (whole | {name: value} for value in FORMS[form][0])


def unreadable_data(members: list[Member]) -> Iterator[Json]:
    whole = {name: FORMS[form][0][0] for name, _, form in members}
    yield from (whole | {surplus: 1} for surplus in ("more", "constructor", "__proto__"))
    for name, optional, form in members:
        yield from (whole | {name: value} for value in FORMS[form][1])
        if not optional:
            yield {key: value for key, value in whole.items() if key != name}


def of_actions(made: Any) -> list[Json]:
    def change(action: str, data: Json) -> tuple[Json, Json]:
        own = {"entity_id": user(5), "org_id": None} if action == "REGISTER_USER" else {}
        key = {"key": user(5), "scope": "user"} if own else {}
        return {"action": action, **own}, {"data": data, **key}

    return chained([change(action, data) for action, members in MEMBERS.items() for data in made(members)])


def test_data_in_the_forms_of_the_page_is_readable(tmp_path: Path) -> None:
    assert len(MEMBERS) == 31
    assert report_on(export_of({2: lines(of_actions(readable_data))}), tmp_path)["findings"] == []


def test_data_in_other_forms_is_not_readable(tmp_path: Path) -> None:
    entries = of_actions(unreadable_data)
    report = report_on(export_of({2: lines(entries)}), tmp_path)
    assert len(entries) <= 1000
    assert [(f["check"], f["position"]) for f in report["findings"]] == [("data", n) for n in range(len(entries))]


def test_the_program_contains_the_table_of_the_page() -> None:
    program = PROGRAM.read_text("utf-8")
    for action, cell in ROWS:
        assert f"\n  {action}: '{cell.replace('`', '')}',\n" in program
