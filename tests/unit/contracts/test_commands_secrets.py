"""A command with a secret is refused or redacted, and no refusal repeats a secret."""

import json
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.normalised import data_json, normalised_bytes
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.limits import ENVELOPE_BYTES, ENVELOPE_VALUES, TEXT_LENGTH
from daybook_contracts.secrets.scan import without_hottok
from support.commands import COMMAND_ID, THING, accepted, raw, refused

_SECRET = "hunter2"  # matches no pattern: only its place makes it a secret
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def _update(config: Any, **more: Any) -> bytes:
    return raw("UPDATE_CONNECTION", {"connection_id": THING, "config": config, **more})


_SECRET_NAMES = [
    "password", "passwd", "pwd", "passphrase", "senha", "secret", "token", "hottok", "basic", "bearer", "authorization",
    "auth", "credential", "credentials", "signature", "sig", "cookie", "api_key", "private-key", "access.key",
    "accountKey", "clientSecret", "APIKey", "apiKEY", "smtpPassword", "SMTP_PASSWORD", "oauth.token", "accessToken",
    "x-hub-signature", "set-cookie", "AWSAccessKey", "tokenValue", "token_of_the_shop", "senha do banco", "password2",
    "apikey", "privatekey", "clientsecret", "appsecret", "accesstoken", "refreshtoken", "Client-Secret", "_api_key_",
    "hotTok", "PassWord", "shopHotTok",
]  # fmt: skip


@pytest.mark.parametrize("key", _SECRET_NAMES)
def test_a_key_that_names_a_secret_is_refused_at_any_depth(key: str) -> None:
    refusal = refused(_update({"a": [{"b": {key: _SECRET}}]}))
    assert (refusal.code, refusal.command_id) == (Code.SECRET_IN_CONFIG, COMMAND_ID)
    assert refusal.detail.startswith(f"data.config.a.0.b.{key} ")
    assert _SECRET not in refusal.detail


@pytest.mark.parametrize("value", [[_SECRET], ["", _SECRET], [0, [_SECRET]]])
def test_a_list_with_a_text_under_a_secret_key_is_refused(value: Any) -> None:
    refusal = refused(_update({"tokens": [], "token": value}))
    assert refusal.code is Code.SECRET_IN_CONFIG
    assert refusal.detail.startswith("data.config.token.")
    assert _SECRET not in refusal.detail


@pytest.mark.parametrize("value", ["", None, 0, 5, True, [], {}, [""], [{"x": "y"}], {"x": "y"}])
def test_a_secret_key_without_a_text_is_accepted(value: Any) -> None:
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": {"token": value}}).id == COMMAND_ID


@pytest.mark.parametrize(
    "key",
    [
        "token_id", "secretIds", "token_type", "tokenExpires", "token_expires_at", "token-url", "secret.ref",
        "tokenIDs", "cookie_name", "signature_version", "auth_environment", "access_key_id", "AWSAccessKeyId",
        "secret_id_ref", "secrets", "tokens", "passwordless", "key", "keys", "public_key", "key_api", "apis_key",
        "monkey", "author", "authors", "design", "basics", "signatures", "bearers", "auth0", "auth0_domain",
        "token_type2_id",
    ],
)  # fmt: skip
def test_a_key_that_only_resembles_a_secret_key_is_accepted(key: str) -> None:
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": {key: "system_user"}}).id == COMMAND_ID


def test_secret_keys_are_accepted_only_in_the_top_level_secrets_map() -> None:
    named = {"secrets": {"hottok": "shop_hottok", "client_secret": "shop_secret"}}
    assert accepted("UPDATE_CONNECTION", {"connection_id": THING, "config": named}).id == COMMAND_ID
    assert refused(_update({"inner": named})).code is Code.SECRET_IN_CONFIG


@pytest.mark.parametrize("empty", ["", [], ["", [""]], 0, {"x": "y"}])
def test_the_order_of_many_names_that_may_be_secret_makes_no_difference(empty: Any) -> None:
    with_text = {f"z{number}{'y' * 300}_token_id": "v" for number in range(150)}
    without = {f"a{number}{'y' * 300}_token_id": empty for number in range(150)}
    command = parse_command(_update(with_text | without))
    assert parse_command(normalised_bytes(command)) == command
    too_many = {f"b{number}{'y' * 300}_token_id": "v" for number in range(150)}
    for config in (with_text | too_many, too_many | with_text):
        assert refused(_update(config)).code is Code.SECRET_IN_CONFIG


_TOKEN = "ghp_" + "x1" * 18


@pytest.mark.parametrize(
    "text",
    [
        _update({"a": {_TOKEN: {"password": _SECRET}}}),
        _update({"a": {f"{_TOKEN}-": 1}}),
        raw("RENAME_ORG", {"name": "x", f"note {_TOKEN}": 1}),
        raw("RENAME_ORG", {"name": "x"}).replace(b'"name"', b'"%b": 0, "%b"' % (_TOKEN.encode(), _TOKEN.encode())),
        raw("COMPLETE_SYNC", {"sync_run_id": THING, "stats": {_TOKEN: 2**60}}),
    ],
)
def test_a_refusal_redacts_a_key_that_contains_a_secret(text: bytes) -> None:
    detail = refused(text).detail
    assert "[redacted]" in detail
    assert _TOKEN not in detail


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
def test_a_secret_takes_precedence_over_every_other_fault(text: bytes) -> None:
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
def test_an_unparsable_text_is_not_scanned_and_not_repeated(text: bytes) -> None:
    refusal = refused(text)
    assert (refusal.code, refusal.command_id) == (Code.INVALID_COMMAND, COMMAND_ID)
    assert _SECRET not in refusal.detail


def test_a_secret_key_without_a_secret_does_not_hide_another_fault() -> None:
    text = _update({"password": 5, "x": {"secrets": 0}}).replace(b'"x":', b'"password": 6, "x":')
    assert refused(text).detail == "a key given twice at password"


def test_payloads_are_not_scanned() -> None:
    payload = {"config": {"token": _SECRET}, "a": _JWT}
    command = accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": payload})
    assert json.loads(data_json(command))["payload"] == payload


_FREE_TEXTS = [
    ("FAIL_SYNC", {"sync_run_id": THING}, "error_message"),
    ("CANCEL_SYNC", {"sync_run_id": THING}, "reason"),
    ("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": 1}, "error"),
    ("RESOLVE_DLQ_EVENT", {"dlq_event_id": THING, "resolution": "manual"}, "reason"),
    ("RESOLVE_DLQ_EVENTS", {"connection_id": THING, "filter": {}, "resolution": "manual"}, "reason"),
    ("ACTIVATE_CONNECTION", {"connection_id": THING}, "reason"),
    ("DEACTIVATE_CONNECTION", {"connection_id": THING}, "reason"),
    ("RAISE_ALERT", {"project_id": THING, "severity": "info"}, "message"),
]


@pytest.mark.parametrize(("kind", "data", "field"), _FREE_TEXTS)
def test_a_secret_in_a_free_text_is_redacted(kind: str, data: dict[str, Any], field: str) -> None:
    command = accepted(kind, data | {field: f"GET /me?access_token={_SECRET}&page=2 with {_JWT} failed"})
    assert json.loads(data_json(command))[field] == "GET /me?access_token=[redacted]&page=2 with [redacted] failed"
    assert parse_command(normalised_bytes(command)) == command


def test_the_length_of_a_free_text_is_measured_after_redaction() -> None:
    long = "x" * (TEXT_LENGTH - 18)
    key = "-----BEGIN PRIVATE KEY-----\n" + "A" * 5000 + "\n-----END PRIVATE KEY-----"
    command = accepted("FAIL_SYNC", {"sync_run_id": THING, "error_message": f"{long} {key} read"})
    assert json.loads(data_json(command))["error_message"] == f"{long} [redacted] read"
    refusal = refused(raw("FAIL_SYNC", {"sync_run_id": THING, "error_message": "/?token=a " * 400}))
    assert refusal.detail == f"data.error_message String should have at most {TEXT_LENGTH} characters"


def test_secrets_in_stats_are_redacted_in_texts_and_keys_at_any_depth() -> None:
    url = f"https://example.com/?access_token={_SECRET}"
    stats = {"rows": 5, "calls": {url: [{"last": f"Bearer {_JWT}", "token": _SECRET}]}}
    command = accepted("COMPLETE_SYNC", {"sync_run_id": THING, "stats": stats})
    shown = "https://example.com/?access_token=[redacted]"
    kept = {"rows": 5, "calls": {shown: [{"last": "Bearer [redacted]", "token": _SECRET}]}}
    assert json.loads(data_json(command))["stats"] == kept
    assert parse_command(normalised_bytes(command)) == command


@pytest.mark.parametrize(("number", "secret"), [(1_001, "1"), (1, "a" * 70_000)])
def test_each_secret_in_a_long_text_of_stats_is_redacted(number: int, secret: str) -> None:
    text = f"read ?sig={secret} " * number
    command = accepted("COMPLETE_SYNC", {"sync_run_id": THING, "stats": {"log": text}})
    assert json.loads(data_json(command))["stats"] == {"log": "read ?sig=[redacted] " * number}


def test_stats_with_more_than_5000_secrets_are_refused() -> None:
    for count, reason in ((5000, "must be at most 64 KiB"), (5001, "must not hold more than")):
        stats = {"all": ["?sig=1"] * count}
        detail = refused(raw("COMPLETE_SYNC", {"sync_run_id": THING, "stats": stats})).detail
        assert detail.startswith(f"data.stats {reason}")


def test_stats_whose_keys_are_equal_after_redaction_are_refused() -> None:
    stats = {"Bearer abc123": 1, "Bearer abc124": 2}
    refusal = refused(raw("COMPLETE_SYNC", {"sync_run_id": THING, "stats": stats}))
    assert refusal.code is Code.INVALID_COMMAND
    assert refusal.detail == "data.stats must not have keys that differ only in a secret"


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("RENAME_ORG", {}, "name"),
        ("CREATE_PROJECT", {}, "name"),
        ("CREATE_CONNECTION", {"project_id": THING, "type": "crm", "config": {}}, "name"),
        ("CREATE_SECRET_REF", {"secret_id_ref": "vault:kv/a#b"}, "key_name"),
    ],
)
def test_a_name_that_contains_a_secret_is_refused(kind: str, data: dict[str, Any], field: str) -> None:
    refusal = refused(raw(kind, data | {field: f"key {_TOKEN}"}))
    assert (refusal.code, refusal.detail) == (Code.INVALID_COMMAND, f"data.{field} must not hold a secret")


def test_hottok_is_removed_from_a_dead_letter_at_any_depth_and_in_any_case() -> None:
    payload = {"HOTTOK": 1, "a": [{"hotTok": {"b": 1}, "kept": "hottok"}], "hot_tok": 2, "hottok": None}
    command = accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": payload})
    kept = {"a": [{"kept": "hottok"}], "hot_tok": 2}
    assert json.loads(data_json(command))["payload"] == kept
    assert without_hottok(kept) == kept


def test_the_size_of_a_payload_is_measured_without_hottok() -> None:
    payload = {"hottok": "x" * 70_000, "a": 1}
    assert accepted("RECORD_DLQ_EVENT", {"connection_id": THING, "payload": payload}).id == COMMAND_ID
