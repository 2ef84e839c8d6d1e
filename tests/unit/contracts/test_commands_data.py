"""The data of each command: what is accepted, in which form, and what is refused."""

import json
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.normalised import data_json
from daybook_contracts.commands.registry import COMMANDS, Command
from daybook_contracts.limits import PAYLOAD_BYTES
from support.commands import THING, accepted, raw, refused
from support.creations import CREATIONS, creation
from support.workload_kinds import DATA
from support.world import CREATED

_OTHER = "00000000-0000-4000-8000-00000000000e"
_V8 = "00000000-0000-8000-8000-00000000000e"
_V5 = "00000000-0000-5000-8000-00000000000e"


def test_the_strategies_cover_every_command_type() -> None:
    assert DATA.keys() == COMMANDS.keys()


@pytest.mark.parametrize("kind", CREATIONS)
def test_a_chosen_id_is_optional(kind: str) -> None:
    assert _chosen_id(accepted(kind, CREATIONS[kind])) is None
    assert accepted(kind, creation(kind, None)) == accepted(kind, CREATIONS[kind])
    assert _chosen_id(accepted(kind, creation(kind, _OTHER.upper()))) == _OTHER


@pytest.mark.parametrize("kind", CREATIONS)
def test_a_chosen_id_must_not_look_like_a_computed_id(kind: str) -> None:
    assert f"data.{CREATED[kind][1]} must not be a UUIDv8" in refused(raw(kind, creation(kind, _V8))).detail
    if kind == "RAISE_ALERT":
        assert "must not be a UUIDv5" in refused(raw(kind, creation(kind, _V5))).detail
    else:
        assert _chosen_id(accepted(kind, creation(kind, _V5))) == _V5


def _chosen_id(command: Command) -> object:
    return getattr(command.data, CREATED[command.type][1])


def test_a_reference_may_be_a_computed_id() -> None:
    assert accepted("RENAME_PROJECT", {"project_id": _V8, "name": "x"}).key
    assert accepted("RESOLVE_ALERT", {"alert_id": _V5}).key


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("ADD_MEMBER", {"user_id": THING, "role": "editor"}),
        ("UPDATE_MEMBER", {"user_id": THING, "role": "Owner"}),
        ("ADD_PROJECT_MEMBER", {"project_id": THING, "user_id": THING, "role": "owner"}),
        ("RAISE_ALERT", {"project_id": THING, "severity": "high", "message": "x"}),
        ("RAISE_ALERT", {"project_id": THING, "severity": "info", "message": ""}),
        ("RAISE_ALERT", {"project_id": THING, "severity": "info", "message": "x" * 4001}),
        ("RESOLVE_DLQ_EVENT", {"dlq_event_id": THING, "resolution": "ignored"}),
        ("FAIL_SYNC", {"sync_run_id": THING}),
        ("FAIL_SYNC", {"sync_run_id": THING, "error_message": None}),
        ("CANCEL_SYNC", {"sync_run_id": THING, "reason": ""}),
        ("COMPLETE_SYNC", {"sync_run_id": THING, "stats": [1]}),
        ("RECORD_DLQ_EVENT", {"connection_id": THING}),
        ("CREATE_CONNECTION", {"project_id": THING, "type": "Hotmart", "name": "x", "config": {}}),
        ("CREATE_CONNECTION", {"project_id": THING, "type": "x", "name": "x", "config": {}}),
        ("CREATE_CONNECTION", {"project_id": THING, "type": "x" * 64, "name": "x", "config": {}}),
        ("CREATE_CONNECTION", {"project_id": THING, "type": "xy\n", "name": "x", "config": {}}),
        ("CREATE_CONNECTION", {"project_id": THING, "type": "xy", "name": "x", "config": []}),
        ("UPDATE_CONNECTION", {"connection_id": THING}),
        ("UPDATE_CONNECTION", {"connection_id": THING, "name": None, "config": None}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "ids": [THING], "filter": {}}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "ids": []}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "ids": [THING] * 1001}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "ids": "x"}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "filter": {"status": "pending"}}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "filter": {"max_retry_count": "3"}}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "filter": {"max_retry_count": 1.5}}),
        ("RETRY_DLQ_EVENTS", {"connection_id": THING, "filter": {"max_retry_count": True}}),
        ("RESOLVE_DLQ_EVENTS", {"connection_id": THING, "ids": [THING]}),
    ],
)
def test_invalid_data_is_refused(kind: str, data: dict[str, Any]) -> None:
    assert refused(raw(kind, data)).code is Code.INVALID_COMMAND


def test_free_text_is_not_normalised() -> None:
    text = "  e\u0301\n\t\x01" + "\U0001f680" * 3990
    assert len(text) <= 4000
    data = data_json(accepted("FAIL_SYNC", {"sync_run_id": THING, "error_message": text}))
    assert data.decode().count("e\u0301") == 1


@pytest.mark.parametrize(
    ("optional", "kind", "data"),
    [
        ("reason", "CANCEL_SYNC", {"sync_run_id": THING}),
        ("error", "RECORD_DLQ_EVENT", {"connection_id": THING, "payload": 1}),
        ("stats", "COMPLETE_SYNC", {"sync_run_id": THING}),
        ("filter", "RETRY_DLQ_EVENTS", {"connection_id": THING, "ids": [THING]}),
    ],
)
def test_null_in_an_optional_field_counts_as_absent(optional: str, kind: str, data: dict[str, Any]) -> None:
    assert data_json(accepted(kind, {**data, optional: None})) == data_json(accepted(kind, data))
    assert optional.encode() not in data_json(accepted(kind, data))


@pytest.mark.parametrize("payload", [None, 0, "", [], {}, "not JSON at all", {"a": [None]}])
def test_a_payload_is_any_json_value_including_null(payload: Any) -> None:
    command = accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": payload})
    assert json.loads(data_json(command)) == {"connection_id": THING, "payload": payload}


@pytest.mark.parametrize(("kind", "field"), [("RECORD_DLQ_EVENT", "payload"), ("COMPLETE_SYNC", "stats")])
def test_payload_and_stats_are_at_most_64_kib_in_canonical_form(kind: str, field: str) -> None:
    id_field = {"RECORD_DLQ_EVENT": "connection_id", "COMPLETE_SYNC": "sync_run_id"}[kind]
    largest = {"x": "y" * (PAYLOAD_BYTES - len('{"x":""}'))}
    assert len(data_json(accepted(kind, {id_field: THING, field: largest}))) > PAYLOAD_BYTES
    refusal = refused(raw(kind, {id_field: THING, field: {"x": largest["x"] + "y"}}))
    assert f"data.{field} must be at most 64 KiB" in refusal.detail
    assert not refusal.too_large


def test_bulk_ids_are_lowercased_and_a_filter_may_be_empty() -> None:
    by_id = accepted("RETRY_DLQ_EVENTS", {"connection_id": THING, "ids": [THING.upper(), _OTHER]})
    assert data_json(by_id) == f'{{"connection_id":"{THING}","ids":["{THING}","{_OTHER}"]}}'.encode()
    everything = accepted("RETRY_DLQ_EVENTS", {"connection_id": THING, "filter": {"max_retry_count": None}})
    assert data_json(everything) == b'{"connection_id":"%b","filter":{}}' % THING.encode()


@pytest.mark.parametrize(
    "reference",
    [
        "pgvault:00000000-0000-4000-8000-00000000000e",
        "aws-sm:arn:aws:secretsmanager:sa-east-1:123456789012:secret:shop/hottok-AbC123",
        "aws-sm:arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a-AbC123",
        "vault:kv/hotmart#hottok",
        "vault:kv/team/a/b/#hottok@12",
        "vault:kv/team.v2/a.b#hot.tok",
        "gcp-sm:projects/p/secrets/s/versions/latest",
        "gcp-sm:projects/p/secrets/s/versions/3",
        "env:SHOP_HOTTOK_2",
    ],
)
def test_a_valid_secret_reference_is_accepted(reference: str) -> None:
    command = accepted("CREATE_SECRET_REF", {"key_name": "x", "secret_id_ref": reference})
    assert reference.encode() in data_json(command)


def test_the_id_in_a_pgvault_reference_is_lowercased() -> None:
    command = accepted("ROTATE_SECRET_REF", {"secret_ref_id": THING, "secret_id_ref": f"pgvault:{_OTHER.upper()}"})
    assert f"pgvault:{_OTHER}".encode() in data_json(command)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "hunter2",
        "pgvault:1",
        "pgvault:00000000-0000-0000-0000-000000000000",
        "PGVAULT:00000000-0000-4000-8000-00000000000e",
        "aws-sm:shop",
        "aws-sm:arn:aws:secretsmanager:sa-east-1:1234:secret:shop-AbC123",
        "aws-sm:arn:aws:secretsmanager:sa-east-1:123456789012:secret:shop",
        "vault:kv#hottok",
        "vault:/kv#hottok",
        "vault:kv/#hottok",
        "vault:kv/a#",
        "vault:kv/a b#c",
        "vault:kv/a#b@latest",
        "gcp-sm:projects/p/secrets/s",
        "gcp-sm:projects/p/secrets/s/versions/new",
        "env:lower",
        "env:X\n",
        "env:1X",
        "file:/etc/passwd",
        "vault:kv/acme/../other#hottok",
        "vault:kv/acme#..",
        "vault:kv/team//b#hottok",
        "vault://a#b",
        "vault:kv/acme/%2e%2e/other#hottok",
        "aws-sm:arn:aws:secretsmanager:sa-east-1:123456789012:secret:acme/../shop-AbC123",
        "gcp-sm:projects/p%2F/secrets/s/versions/latest",
        "vault:" + "/" * 100_000,
    ],
)
def test_any_other_secret_reference_is_refused(reference: str) -> None:
    refusal = refused(raw("ROTATE_SECRET_REF", {"secret_ref_id": THING, "secret_id_ref": reference}))
    assert refusal.code is Code.INVALID_COMMAND
    assert refusal.detail.startswith("data.secret_id_ref")
    assert not reference or reference not in refusal.detail
