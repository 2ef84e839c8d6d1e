"""No secret comes past the edge, and no refusal repeats one."""

import json
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands import data_json
from daybook_contracts.limits import ENVELOPE_BYTES, ENVELOPE_VALUES
from daybook_contracts.secret_scan import without_hottok
from support.commands import COMMAND_ID, THING, accepted, raw, refused

_SECRET = "hunter2"  # what it is does not matter, only where it is
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def _update(config: Any, **more: Any) -> bytes:
    return raw("UPDATE_CONNECTION", {"connection_id": THING, "config": config, **more})


@pytest.mark.parametrize(
    "key",
    [
        "password", "passwd", "secret", "clientsecret", "appsecret", "token", "accesstoken", "refreshtoken", "apikey",
        "privatekey", "hottok", "basic", "authorization", "credentials", "Client-Secret", "ACCESS_TOKEN", "_api_key_",
    ],
)  # fmt: skip
def test_a_key_that_names_a_secret_is_refused_at_any_depth(key: str) -> None:
    refusal = refused(_update({"a": [{"b": {key: _SECRET}}]}))
    assert (refusal.code, refusal.command_id) == (Code.SECRET_IN_CONFIG, COMMAND_ID)
    assert refusal.detail.startswith(f"data.config.a.0.b.{key} ")
    assert _SECRET not in refusal.detail


@pytest.mark.parametrize("value", ["", None, 0, 5, True, [], {}, ["x"], {"x": "y"}])
def test_a_key_that_names_a_secret_without_a_text_is_none(value: Any) -> None:
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": {"token": value}}).id == COMMAND_ID


@pytest.mark.parametrize("key", ["token_type", "secrets", "tokens", "passwordless", "key", "secret_ref"])
def test_a_key_that_only_resembles_one_is_taken(key: str) -> None:
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": {key: "system_user"}}).id == COMMAND_ID


def test_purposes_may_be_named_as_secrets_are_but_only_at_the_top() -> None:
    named = {"secrets": {"hottok": "shop_hottok", "client_secret": "shop_secret"}}
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": named}).id == COMMAND_ID
    assert refused(_update({"inner": named})).code is Code.SECRET_IN_CONFIG


_TEXTS = [
    "x\n-----BEGIN RSA PRIVATE KEY-----\nMII",
    "-----BEGIN PRIVATE KEY-----",
    _JWT,
    "eyJhbGciOiJub25lIn0.e30.",
    "Bearer abc",
    "Basic dXNlcjpwYXNz",
    "EAA" + "b" * 30,
    "AKIA" + "A1" * 8,
    "sk_live_x",
    "rk_live_x",
    "ghp_x",
    "ghs_x",
]


@pytest.mark.parametrize("text", _TEXTS)
@pytest.mark.parametrize("place", ["deep", "secrets", "key", "reference"])
def test_a_text_that_looks_like_a_secret_is_refused_anywhere(text: str, place: str) -> None:
    refusal = refused(
        {
            "deep": _update({"a": [[text]]}),
            "secrets": _update({"secrets": {"hottok": text}}),
            "key": _update({"a": {text: 1}}),
            "reference": raw("ROTATE_SECRET_REF", {"secret_ref_id": THING, "secret_id_ref": text}),
        }[place]
    )
    assert refusal.code is Code.SECRET_IN_CONFIG
    assert text not in refusal.detail


@pytest.mark.parametrize("text", ["EAAshort", "AKIAlower", "eyJx", "see Bearer x", "sk_test_x", "BEGIN PRIVATE KEY"])
def test_a_text_that_only_resembles_one_is_taken(text: str) -> None:
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": {"a": text}}).id == COMMAND_ID


@pytest.mark.parametrize(
    "text",
    [
        _update({"password": _SECRET}, unknown=1),
        _update({"password": _SECRET}, connection_id="x"),
        _update([{"password": _SECRET}]),
        _update({"password": _SECRET}).replace(b"{", b'{"extra": 1, ', 1),
        raw("RENAME_ORG", {"config": {"password": _SECRET}}),
        raw("NO_SUCH_TYPE", {"config": {"password": _SECRET}}),
        raw("CREATE_SECRET_REF", {"secret_id_ref": {"x": [_JWT]}}),
        _update({"password": _SECRET, "x": 0}).replace(b'"x": 0', b'"x": 1e300'),
        _update({"password": _SECRET, "x": 0, "y": 0}).replace(b'"y": 0', b'"x": 0'),
        _update({"x": "?"}).replace(b'"?"', b"[" * 40 + b'{"password":"%b"}' % _SECRET.encode() + b"]" * 40),
    ],
)
def test_a_secret_wins_over_every_other_fault(text: bytes) -> None:
    refusal = refused(text)
    assert (refusal.code, refusal.command_id) == (Code.SECRET_IN_CONFIG, COMMAND_ID)
    assert _SECRET not in refusal.detail


@pytest.mark.parametrize(
    "text",
    [
        _update({"password": _SECRET, "x": 0}).replace(b'"x": 0', b'"x": NaN'),
        _update({"password": _SECRET, "x": 0}).replace(b'"x": 0', b'"x": 1e999'),
        _update({"password": _SECRET, "x": 0}).replace(b'"x": 0', b'"password": 0'),
        _update({"password": _SECRET, "x": 0}).replace(b'"x": 0', b'"x": "\xff"'),
        _update({"password": _SECRET, "x": [0] * ENVELOPE_VALUES}),
        _update({"password": _SECRET, "x": "y" * ENVELOPE_BYTES}),
    ],
)
def test_what_no_parser_reads_is_not_read_for_secrets_and_not_repeated_either(text: bytes) -> None:
    refusal = refused(text)
    assert (refusal.code, refusal.command_id) == (Code.INVALID_COMMAND, COMMAND_ID)
    assert _SECRET not in refusal.detail


def test_a_fault_beside_what_only_resembles_a_secret_is_the_fault() -> None:
    text = _update({"password": 5, "x": {"secrets": 0}}).replace(b'"x":', b'"password": 6, "x":')
    assert refused(text).detail == "a key given twice at password"


def test_other_fields_are_not_scanned() -> None:
    assert accepted("FAIL_SYNC", {"sync_run_id": THING, "error_message": _JWT}).id == COMMAND_ID
    assert (
        accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": {"config": {"token": _SECRET}}}).id
        == COMMAND_ID
    )
    assert accepted("RENAME_ORG", {"name": "Bearer x"}).id == COMMAND_ID


def test_hottok_is_taken_out_of_a_dead_letter_at_any_depth_and_in_any_case() -> None:
    payload = {"HOTTOK": 1, "a": [{"hotTok": {"b": 1}, "kept": "hottok"}], "hot_tok": 2, "hottok": None}
    command = accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": payload})
    kept = {"a": [{"kept": "hottok"}], "hot_tok": 2}
    assert json.loads(data_json(command))["payload"] == kept
    assert without_hottok(kept) == kept


def test_a_payload_is_measured_without_its_hottok() -> None:
    payload = {"hottok": "x" * 70_000, "a": 1}
    assert accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": payload}).id == COMMAND_ID
