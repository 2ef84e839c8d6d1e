"""Refused texts are kept for people to read, so a text that may contain a secret must be recognised."""

import json

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.secrets.scan import carries_secret
from support.commands import refused

CONFIG = {"connection_id": "x", "config": {"password": "hunter2"}}


@pytest.mark.parametrize(
    "text",
    [
        b'{"hottok": "x"}',
        b'{"data": {"secret_id_ref": "hunter2"}}',
        b'{"type": "CREATE_CONNECTION", "config": {"token": "hunter2"}}',
        b'[{"note": "Bearer abc123"}]',
        b'[[{"a": {"HOTTOK": 5}}]]',
        b'{"hotto\\u006b": {"x": 1}}',
        b'\xef\xbb\xbf{"hottok": "x"}',
        b'{"hottok": "x", "hottok": NaN}',
        b'{"hottok": "x"',
        b'{"hotto\\u006b": "x"',
        b"{'HotTok': 5}",
        b"hottok=x",
        b'{"Access-Token": "x"',
        b"{'client_secret': 'x'}",
        b'{"p\\u0061ssword" : "x"}}',
        b'"{\\"api_key\\":\\"x\\"}',
        b'{"a": "-----BEGIN EC PRIVATE KEY-----',
        b'{"a": "eyJhbGciOi.eyJzdWIi.c2ln"',
        b'{"a": "Bearer abc123"',
        b'{"a": "EAA' + b"b" * 30 + b'"',
        b'{"a": "AKIAABCDEFGHIJKLMNOP"',
        b'{"a": "sk_live_' + b"x1" * 12 + b'"',
        b'{"a": "gho_' + b"x1" * 18 + b'"',
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b', "hottok": 1}',
        '{"password": "x"'.encode("utf-16"),
        b'{"senha": "x"',
        b'{"smtp.password2": "x"',
        b'{"x-hub-signature": "x"',
        b'{"config": {"token": ["x"]}, "data": 1}',
        b'{"data": {"error_message": "https:\\/\\/ana:hunter2@example.com"}',
        b'{"data": {"error_message": "GET /?access_token=hunter2"}}',
        b'{"data": {"name": "Bearer abc123"}}',
    ],
)
def test_a_text_with_a_secret_is_recognised(text: bytes) -> None:
    assert carries_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"{not json",
        b"\x00\xff garbage",
        b'{"payload": "hottok"}',
        b'{"data": {"secret_id_ref": "env:TOKEN"}}',
        b'{"data": {"payload": {"token": "of an order"}}}',
        b'{"config": {"secrets": {"access_token": "meta_key"}}}',
        b'{"a": "tokens and passwords"',
        b'{"token_type": "system_user"',
        b'{"a": "BEGIN", "b": "xeyJ", "c": "EAAshort", "d": "high_"',
        b"[" * 100_000,
    ],
)
def test_a_text_without_a_secret_may_be_kept(text: bytes) -> None:
    assert not carries_secret(text)


def test_a_text_too_large_to_parse_is_checked_by_its_words() -> None:
    large = json.dumps({"x": [0] * 100_000}).encode()
    assert not carries_secret(large)
    assert carries_secret(large[:-1] + b', "hottok": 1}')


def test_an_unparsable_text_with_a_secret_is_refused_as_invalid() -> None:
    refusal = refused(json.dumps(CONFIG).encode()[:-1])
    assert refusal.code is Code.INVALID_COMMAND
    assert "hunter2" not in refusal.detail
