"""The golden hashes of rows and tables, on which other programs rely."""

from daybook_projector.audit.checks.row_hash import TableDigest, json_value, row_bytes, row_hash
from support.chain import jcs

ORG_ROW = {
    "id": "00000000-0000-4000-8000-000000000001",
    "name": "x",
    "created_at": "2026-11-22T15:10:13.123456Z",
}
GOLDEN_ROW = "c77bdadf4711a934ba98229c642eaea35044da5475fb4fbd981a634d6f241abd"
GOLDEN_TABLE = "e2819dee553a9867a7c11ac93ff3ea3fa0b8bacb71758ade548359f0b5884fcb"
EMPTY_TABLE = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_row_and_a_table_have_the_published_hashes() -> None:
    hashed = row_hash(row_bytes(ORG_ROW))
    assert hashed.hex() == GOLDEN_ROW
    digest = TableDigest()
    digest.add([hashed])
    assert digest.hexdigest() == GOLDEN_TABLE


def test_an_empty_table_has_the_hash_of_nothing() -> None:
    assert TableDigest().hexdigest() == EMPTY_TABLE


def test_the_digest_depends_on_the_order_of_rows_but_not_on_pages() -> None:
    whole, in_pages, swapped = TableDigest(), TableDigest(), TableDigest()
    whole.add([b"a" * 32, b"b" * 32])
    for hashed in (b"a" * 32, b"b" * 32):
        in_pages.add([hashed])
    swapped.add([b"b" * 32, b"a" * 32])
    assert whole.hexdigest() == in_pages.hexdigest() != swapped.hexdigest()


def test_row_bytes_are_canonical() -> None:
    document = {"é": [1e21, 0.1, "\u2028"], "a": None}
    row = {"text": '\x00\x1f\x7f"\\/é😀\u2028', "number": 2**31 - 1, "flag": False, "nothing": None}
    assert row_bytes({**row, "json": json_value(jcs(document))}) == jcs({**row, "json": document})
