"""Live rows are compared with folded rows: findings, counts and digests."""

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from daybook_projector.audit.checks.finding import Finding, Findings
from daybook_projector.audit.checks.live_values import LiveRow, OddValue
from daybook_projector.audit.checks.row_hash import TableDigest, row_hash
from daybook_projector.audit.fold.compare_rows import RowComparison, compare_table
from daybook_projector.projections.auth_users import AUTH_USERS
from daybook_projector.projections.dlq_events import DLQ_EVENTS
from daybook_projector.projections.orgs import ORGS
from support.chain import Json, jcs


def org(number: int, name: str = "a") -> tuple[bytes, bytes]:
    id_ = UUID(int=number)
    return id_.bytes, jcs({"id": str(id_), "name": name, "created_at": "2026-11-22T15:10:13.123456Z"})


def letter(number: int, payload: object, status: str = "pending") -> tuple[bytes, bytes]:
    id_ = UUID(int=number)
    row = {"id": str(id_), "connection_id": str(id_), "payload_json": payload, "status": status, "retry_count": 0}
    return id_.bytes, jcs(row)


def compared(folded: Iterable[tuple[bytes, bytes]], live: Iterable[LiveRow], page: int = 2) -> list[Finding]:
    comparison, rows = RowComparison(ORGS, folded), list(live)
    found = [each for at in range(0, len(rows), page) for each in comparison.take(rows[at : at + page])]
    return [*found, *comparison.finish()]


def dlq_differences(folded: tuple[bytes, bytes], live: LiveRow) -> list[Json]:
    comparison = RowComparison(DLQ_EVENTS, [folded])
    found = [*comparison.take([live]), *comparison.finish()]
    assert {(each.check, each.table, each.key) for each in found} <= {("row", "dlq_events", (str(UUID(int=1)),))}
    return [{"field": each.field, "expected": each.expected, "found": each.found} for each in found]


ROWS = st.dictionaries(st.integers(0, 12), st.sampled_from("ab"))


@given(ROWS, ROWS, st.integers(1, 4))
def test_every_difference_is_found_in_the_order_of_the_keys(
    folded: dict[int, str], live: dict[int, str], page: int
) -> None:
    expected = [
        ("missing" if number not in live else "surplus" if number not in folded else "row", str(UUID(int=number)))
        for number in sorted(folded.keys() | live.keys())
        if folded.get(number) != live.get(number)
    ]
    found = compared(
        [org(*row) for row in sorted(folded.items())], [LiveRow(*org(*row)) for row in sorted(live.items())], page
    )
    assert [(each.check, *(each.key or ())) for each in found] == expected


def test_findings_show_the_row_or_the_first_column_that_differs() -> None:
    found = compared([org(1), org(2), org(3, "x" * 200)], [LiveRow(*org(1, "b")), LiveRow(*org(4))])
    row = {"id": str(UUID(int=2)), "name": "a", "created_at": "2026-11-22T15:10:13.123456Z"}
    place = {"place": "tables", "table": "orgs"}
    assert [each.as_json() for each in found[:2]] == [
        {"check": "row", **place, "key": (str(UUID(int=1)),), "field": "name", "expected": "a", "found": "b"},
        {"check": "missing", **place, "key": (str(UUID(int=2)),), "expected": row},
    ]
    assert str(found[2].expected).startswith("sha256:")
    surplus = {"id": str(UUID(int=4)), "name": "a", "created_at": "2026-11-22T15:10:13.123456Z"}
    assert found[3].as_json() == {"check": "surplus", **place, "key": (str(UUID(int=4)),), "found": surplus}


def test_differing_columns_are_compared_in_the_order_of_the_table() -> None:
    (key, folded), (_, renamed) = org(1), org(1, "b")
    later = renamed.replace(b"2026", b"2027")
    assert [each.field for each in compared([(key, folded)], [LiveRow(key, later)])] == ["name"]


def test_true_differs_from_one() -> None:
    found = dlq_differences(letter(1, {"a": 1}), LiveRow(*letter(1, {"a": True})))
    assert found == [{"field": "payload_json", "expected": {"a": 1}, "found": {"a": True}}]


def test_an_inexact_number_is_found_even_if_its_double_is_correct() -> None:
    folded = letter(1, 9007199254740992.0)
    live = LiveRow(*folded, (OddValue("payload_json", "9007199254740993"),))
    assert dlq_differences(folded, live) == [
        {"field": "payload_json", "expected": 9007199254740992.0, "found": "9007199254740993"}
    ]


def test_an_inexact_number_that_is_also_wrong_is_one_finding() -> None:
    live = LiveRow(*letter(1, 2, "resolved"), (OddValue("payload_json", "2.00000000000000001"),))
    found = dlq_differences(letter(1, 1), live)
    assert found == [{"field": "payload_json", "expected": 1, "found": "2.00000000000000001"}]


def test_an_inexact_number_and_another_column_are_two_findings() -> None:
    live = LiveRow(*letter(1, 1, "resolved"), (OddValue("payload_json", "1.00000000000000001"),))
    assert dlq_differences(letter(1, 1), live) == [
        {"field": "payload_json", "expected": 1, "found": "1.00000000000000001"},
        {"field": "status", "expected": "pending", "found": "resolved"},
    ]


def test_an_unhashable_row_is_found_and_counted_but_not_in_the_digest() -> None:
    (key, row), other = org(1), org(2)
    live = LiveRow(key, None, (OddValue("created_at", "+10000-01-01T00:00:00.000000Z"),))
    comparison = RowComparison(ORGS, [(key, row), other])
    (found,) = comparison.take([live, LiveRow(*other)])
    assert (found.check, found.field, found.found) == ("row", "created_at", "+10000-01-01T00:00:00.000000Z")
    assert found.expected == "2026-11-22T15:10:13.123456Z"
    digest = TableDigest()
    digest.add([row_hash(other[1])])
    assert (comparison.totals.rows, comparison.totals.digest) == (2, digest.hexdigest())


def test_an_unhashable_surplus_row_is_found() -> None:
    live = LiveRow(org(1)[0], None, (OddValue("created_at", "+10000-01-01T00:00:00.000000Z"),))
    (found,) = RowComparison(ORGS, []).take([live])
    assert found.as_json() == {"check": "surplus", "place": "tables", "table": "orgs", "key": (str(UUID(int=1)),)}


def test_if_two_folded_rows_have_the_same_key_one_of_them_is_missing() -> None:
    found = compared([org(1), org(1, "b"), org(2)], [LiveRow(*org(1)), LiveRow(*org(2))])
    assert [(each.check, each.key) for each in found] == [("missing", (str(UUID(int=1)),))]


async def test_a_table_is_compared_page_by_page() -> None:
    async def pages() -> AsyncIterator[list[LiveRow]]:
        for number in (1, 3):
            yield [LiveRow(*org(number))]

    findings = Findings()
    totals = await compare_table(AUTH_USERS, [org(1), org(2), org(4)], pages(), findings)
    digest = TableDigest()
    digest.add(row_hash(org(number)[1]) for number in (1, 3))
    assert (totals.name, totals.rows, totals.digest) == ("auth.users", 2, digest.hexdigest())
    assert [each.check for each in findings.listed] == ["missing", "surplus", "missing"]
