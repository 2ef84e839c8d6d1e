"""The frozen hash recipes: golden values of the contract, and that each recipe has its own domain."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.entries.hashing import ZERO_HASH, commit_hash, entry_hash, request_hash
from daybook_contracts.json.canonical import canonical_bytes
from support.json_values import json_objects, texts

ORG = "00000000-0000-4000-8000-000000000001"
SALT = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_commit_hash_has_its_golden_value() -> None:
    data = canonical_bytes({"b": 1, "a": "é"})
    assert commit_hash(SALT, data) == "daa462af9f816037ebba1dc4e7cf214d795ac3cb795278917bfe7a57e9355568"


def test_request_hash_has_its_golden_value() -> None:
    request = request_hash(SALT, "RENAME_ORG", ORG, None, b'{"name":"x"}')
    assert request == "1407ba1ea70a04cec140869da801f3e4b7711a6fb8314c0ae8bf901107796bf4"


def test_the_zero_hash_is_64_zeros() -> None:
    assert len(ZERO_HASH) == 64
    assert set(ZERO_HASH) == {"0"}


@given(st.binary(min_size=16, max_size=16), texts, st.none() | texts, st.none() | texts, json_objects())
def test_a_request_hash_covers_the_canonical_form_of_its_parts(
    salt: bytes, kind: str, org_id: str | None, actor: str | None, data: dict[str, object]
) -> None:
    whole = canonical_bytes({"type": kind, "org_id": org_id, "actor_user_id": actor, "data": data})
    expected = sha256(b"daybook-request/v1\n" + salt + whole).hexdigest()
    assert request_hash(salt, kind, org_id, actor, canonical_bytes(data)) == expected


def test_each_recipe_hashes_in_its_own_domain() -> None:
    text = canonical_bytes({"type": "RENAME_ORG", "org_id": ORG, "actor_user_id": None, "data": {}})
    request = request_hash(b"", "RENAME_ORG", ORG, None, b"{}")
    assert len({request, commit_hash(b"", text), entry_hash(text), sha256(text).hexdigest()}) == 4
