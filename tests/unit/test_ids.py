"""Computed ids: the contract's golden values, and the recipe written a second way."""

import uuid
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from daybook_contracts.ids import entry_id, is_uuid

ORG = "00000000-0000-4000-8000-000000000001"
COMMAND = "01890000-0000-7000-8000-000000000002"


def test_entry_ids_have_their_golden_values() -> None:
    assert entry_id(ORG, COMMAND, 0) == "01890000-0000-8d42-a25f-2195770a803a"
    assert entry_id(ORG, COMMAND, 1) == "01890000-0000-8852-9490-3581329daec3"


@given(st.uuids(), st.uuids(), st.integers(0, 2**32 - 1))
def test_an_entry_id_follows_the_published_recipe(key: uuid.UUID, command_id: uuid.UUID, ordinal: int) -> None:
    digest = sha256(b"daybook-id/v1\n" + key.bytes + command_id.bytes + ordinal.to_bytes(4, "big")).digest()
    raw = bytearray(command_id.bytes[:6] + digest[:10])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    made = uuid.UUID(entry_id(str(key), str(command_id), ordinal))
    assert made.bytes == bytes(raw)
    assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_a_uuid_is_hex_in_five_groups_of_any_case_and_version() -> None:
    assert is_uuid(ORG)
    assert is_uuid("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")
    for text in ("", ORG.replace("-", ""), f"{{{ORG}}}", f"urn:uuid:{ORG}", f"{ORG}\n", f" {ORG}", ORG[:-1] + "g"):
        assert not is_uuid(text)
