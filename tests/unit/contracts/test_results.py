"""The three forms in which a sender receives a result."""

import json

import msgspec
import pytest

from daybook_contracts import results
from daybook_contracts.codes import TOO_LARGE_STATUS, Code
from daybook_contracts.publish import record_schema, rejected_schema
from support.documents import ROOT

_SAMPLES = ROOT / "contracts" / "samples" / "results"
_COMMAND = "01890000-0000-7000-8000-000000000002"
_ENTRY = "01890000-0000-8d42-a25f-2195770a803a"
_ORG = "00000000-0000-4000-8000-000000000001"

_ACCEPTED = results.Accepted(_COMMAND, (results.EntryRef(_ENTRY, "RENAME_ORG", "org", _ORG),), "6.0")
_REJECTED = results.problem(
    Code.LAST_OWNER, "an org keeps an owner", command_id=_COMMAND, entry_id=_ENTRY, position="6.1"
)
_INVALID = results.problem(Code.INVALID_COMMAND, "not JSON", status=TOO_LARGE_STATUS)
_PENDING = results.Pending(_COMMAND, f"/v1/orgs/{_ORG}/commands/{_COMMAND}")


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("accepted.body", results.encode_body(_ACCEPTED)),
        ("accepted.record", results.encode_record(_ACCEPTED)),
        ("rejected.body", results.encode_body(_REJECTED)),
        ("rejected.record", results.encode_record(_REJECTED)),
        ("invalid.record", results.encode_record(_INVALID)),
        ("pending.body", results.encode_body(_PENDING)),
    ],
)
def test_a_result_keeps_its_bytes(name: str, encoded: bytes) -> None:
    assert encoded == (_SAMPLES / f"{name}.v1.json").read_bytes().rstrip(b"\n")


def test_an_item_is_the_body_plus_its_status() -> None:
    assert json.loads(results.encode_item(_ACCEPTED)) == {**json.loads(results.encode_body(_ACCEPTED)), "status": 200}
    assert results.encode_item(_REJECTED) == results.encode_body(_REJECTED)
    assert results.encode_item(_PENDING) == results.encode_body(_PENDING)
    assert json.loads(results.encode_items([results.encode_item(_ACCEPTED), results.encode_item(_PENDING)])) == [
        json.loads(results.encode_item(_ACCEPTED)),
        json.loads(results.encode_item(_PENDING)),
    ]


@pytest.mark.parametrize("result", [_ACCEPTED, _REJECTED, _INVALID])
def test_a_record_round_trips(result: results.Result) -> None:
    assert results.decode_result(results.encode_record(result)) == result


def test_a_rejection_with_a_code_of_a_newer_service_is_read_and_written_unchanged() -> None:
    newer = results.encode_record(_REJECTED).replace(_REJECTED.code.encode(), b"NEWER_CODE")
    decoded = results.decode_result(newer)
    assert isinstance(decoded, results.Rejected)
    assert decoded.code == "NEWER_CODE"
    assert results.encode_record(decoded) == newer


@pytest.mark.parametrize(
    "record", [b"", b"{}", b'{"result":"maybe"}', b'{"result":"success"}', b'{"result":"failure"}']
)
def test_a_malformed_record_is_refused(record: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        results.decode_result(record)


def test_an_unknown_command_id_is_null_in_a_record_and_absent_in_a_body() -> None:
    assert json.loads(results.encode_record(_INVALID))["command_id"] is None
    assert "command_id" not in json.loads(results.encode_body(_INVALID))
    assert "null" not in json.dumps(rejected_schema()["$defs"]["Rejected"]["properties"]["command_id"])


def test_a_rejection_that_was_not_logged_has_no_entry_and_no_position() -> None:
    body = json.loads(results.encode_body(_INVALID))
    assert body.keys() == {"type", "title", "status", "detail", "code"}


@pytest.mark.parametrize("result", [_ACCEPTED, _REJECTED])
def test_the_published_schema_has_the_fields_of_a_record(result: results.Accepted | results.Rejected) -> None:
    properties = record_schema()["$defs"][type(result).__name__]["properties"]
    assert json.loads(results.encode_record(result)).keys() == properties.keys()
