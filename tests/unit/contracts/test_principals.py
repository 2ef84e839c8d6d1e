"""Principals as text and back."""

import pytest

from daybook_contracts.senders.principals import (
    DAYBOOK,
    UNNAMED,
    InvalidPrincipal,
    Service,
    User,
    parse_principal,
    parse_publisher,
)

USER = "00000000-0000-4000-8000-00000000000a"


@pytest.mark.parametrize("principal", [Service("crm"), Service("a" * 63), Service("0.b_c-d"), User(USER), DAYBOOK])
def test_a_principal_is_read_back_from_its_text(principal: Service | User) -> None:
    assert parse_principal(str(principal)) == principal


def test_a_user_s_id_is_kept_in_lower_case() -> None:
    assert parse_principal(f"user:{USER.upper()}") == User(USER)


@pytest.mark.parametrize(
    "text",
    ["", "crm", "service:", "service:-crm", "service:CRM", f"service:{'a' * 64}", "service:crm\n", "user:", "user:ann"],
)
def test_other_texts_name_nobody(text: str) -> None:
    with pytest.raises(InvalidPrincipal):
        parse_principal(text)


def test_a_publisher_without_a_header_is_unnamed() -> None:
    assert parse_publisher(None) == UNNAMED
    assert parse_publisher(b"service:crm") == Service("crm")


@pytest.mark.parametrize("header", [b"service:daybook", b"", b"service:\xff", "service:é".encode()])
def test_a_publisher_can_neither_take_the_reserved_name_nor_a_malformed_one(header: bytes) -> None:
    with pytest.raises(InvalidPrincipal):
        parse_publisher(header)
