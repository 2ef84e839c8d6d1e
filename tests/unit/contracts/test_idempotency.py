"""How an Idempotency-Key becomes a command id."""

from uuid import NAMESPACE_OID, uuid5

import pytest

from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.senders.idempotency import id_of_idempotency_key
from daybook_contracts.senders.principals import Service, User
from support.commands import COMMAND_ID, THING

_SHOP = Service("shop")


@pytest.mark.parametrize("header", [COMMAND_ID, COMMAND_ID.upper(), f'"{COMMAND_ID}"', f" {COMMAND_ID} "])
def test_a_uuid_is_used_as_command_id(header: str) -> None:
    assert id_of_idempotency_key(_SHOP, header) == COMMAND_ID


@pytest.mark.parametrize("header", ["order-17", '"order-17"'])
def test_any_other_text_is_hashed_with_the_principal(header: str) -> None:
    assert id_of_idempotency_key(_SHOP, header) == str(uuid5(NAMESPACE_OID, "service:shop\norder-17"))
    assert id_of_idempotency_key(User(THING), header) == str(uuid5(NAMESPACE_OID, f"user:{THING}\norder-17"))


@pytest.mark.parametrize("header", ["", '""', "  ", "x" * 256, "00000000-0000-0000-0000-000000000000"])
def test_an_empty_or_too_long_key_and_the_nil_uuid_are_refused(header: str) -> None:
    with pytest.raises(InvalidCommand, match="Idempotency-Key"):
        id_of_idempotency_key(_SHOP, header)


def test_a_key_of_255_characters_is_accepted() -> None:
    assert id_of_idempotency_key(_SHOP, "x" * 255)
