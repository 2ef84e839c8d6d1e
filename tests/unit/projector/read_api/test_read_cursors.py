"""Cursors of pages."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_projector.read_api.cursors import InvalidCursor, decode_cursor, encode_cursor, filter_hash

WALK = filter_hash("/v1/orgs/{org_id}/sync-runs", {"org_id": "1"}, {"status": "failed"})


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_gives_its_values_back(moment: datetime, id_: object) -> None:
    cursor = encode_cursor(WALK, (moment, str(id_)))
    assert decode_cursor(cursor, WALK, ("timestamptz", "uuid")) == (moment, str(id_))
    assert len(cursor) < 200


@given(st.text() | st.text("ABCDefgh0123-_=", max_size=300))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(text, WALK, ("uuid",))


def test_a_cursor_is_valid_only_for_its_own_collection_and_filters() -> None:
    hashes = {
        filter_hash("/a", {"org_id": "1"}, {}),
        filter_hash("/b", {"org_id": "1"}, {}),
        filter_hash("/a", {"org_id": "2"}, {}),
        filter_hash("/a", {"org_id": "1"}, {"status": "failed"}),
        filter_hash("/a", {"org_id": "1"}, {"type": "failed"}),
        filter_hash("/a", {"org_id": "1"}, {"active": True}),
    }
    assert len(hashes) == 6
    cursor = encode_cursor(WALK, (str(uuid4()),))
    for walk, kinds in (("other", ("uuid",)), (WALK, ("uuid", "uuid")), (WALK, ("timestamptz",))):
        with pytest.raises(InvalidCursor):
            decode_cursor(cursor, walk, kinds)  # type: ignore[arg-type]  # plain tuples of words
