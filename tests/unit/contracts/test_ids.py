"""Computed ids: golden values of the contract, and an independent implementation of the recipe."""

import uuid
from hashlib import sha256
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.entries.identity import Identity, Scope, thing_id
from daybook_contracts.text import is_uuid

ORG = "00000000-0000-4000-8000-000000000001"
COMMAND = "01890000-0000-7000-8000-000000000002"


ACTOR = "00000000-0000-4000-8000-00000000000a"
scopes: st.SearchStrategy[Scope] = st.sampled_from(get_args(Scope))


@pytest.mark.parametrize(
    ("identity", "first_id"),
    [
        (Identity("org", ORG, None, COMMAND), "01890000-0000-8daa-918b-21028f9a9b8e"),
        (Identity("org", ORG, None, COMMAND, 1), "01890000-0000-8c3d-bed0-f62bc555dda6"),
        (Identity("user", ORG, None, COMMAND), "01890000-0000-8464-8327-f69d5d83c9eb"),
        (Identity("outsider", ORG, ACTOR, COMMAND), "01890000-0000-8d26-8d22-3bc8a880117c"),
        (Identity("policy", ORG, None, COMMAND), "01890000-0000-8478-a997-e1918be0eb31"),
    ],
)
def test_first_ids_have_their_golden_values(identity: Identity, first_id: str) -> None:
    assert identity.first_id() == first_id


def test_second_ids_have_their_golden_values() -> None:
    assert Identity("org", ORG, None, COMMAND).second_id() == "e62023e5-9523-89c6-84c9-b8c2c8976564"
    assert Identity("outsider", ORG, ACTOR, COMMAND).second_id() == "54e69ad1-9f6e-86ae-afb6-48a3f4916c69"
    assert thing_id(ORG, COMMAND) == "e62023e5-9523-89c6-84c9-b8c2c8976564"


@given(scopes, st.uuids(), st.none() | st.uuids(), st.uuids(), st.integers(0, 2**32 - 1))
def test_ids_follow_the_published_recipe(
    scope: Scope, key: uuid.UUID, actor: uuid.UUID | None, command_id: uuid.UUID, ordinal: int
) -> None:
    parts = scope.encode() + b"\n" + key.bytes + (actor or uuid.UUID(int=0)).bytes
    parts += command_id.bytes + ordinal.to_bytes(4, "big")
    identity = Identity(scope, str(key), None if actor is None else str(actor), str(command_id), ordinal)
    first = command_id.bytes[:6] + sha256(b"daybook-id/v1\n" + parts).digest()[:10]
    assert uuid.UUID(identity.first_id()) == as_uuid8(first)
    assert uuid.UUID(identity.second_id()) == as_uuid8(sha256(b"daybook-id/v2\n" + parts).digest()[:16])


def as_uuid8(raw: bytes) -> uuid.UUID:
    octets = bytearray(raw)
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(octets))


def test_only_five_groups_of_hex_digits_are_a_uuid() -> None:
    assert is_uuid(ORG)
    assert is_uuid("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")
    for text in ("", ORG.replace("-", ""), f"{{{ORG}}}", f"urn:uuid:{ORG}", f"{ORG}\n", f" {ORG}", ORG[:-1] + "g"):
        assert not is_uuid(text)
