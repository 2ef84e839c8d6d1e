"""Principals to text and back."""

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
def test_a_principal_round_trips_through_its_text(principal: Service | User) -> None:
    assert parse_principal(str(principal)) == principal


def test_the_id_of_a_user_is_lowercased() -> None:
    assert parse_principal(f"user:{USER.upper()}") == User(USER)


@pytest.mark.parametrize(
    "text",
    ["", "crm", "service:", "service:-crm", "service:CRM", f"service:{'a' * 64}", "service:crm\n", "user:", "user:ann"],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidPrincipal):
        parse_principal(text)


def test_a_publisher_without_a_header_is_unnamed() -> None:
    assert parse_publisher(None) == UNNAMED
    assert parse_publisher(b"service:crm") == Service("crm")


@pytest.mark.parametrize("digit", ["0", "f", "F"])
def test_no_publisher_is_the_nil_or_max_user_but_entries_may_name_them(digit: str) -> None:
    text = "user:" + USER.translate(dict.fromkeys(map(ord, "0123456789abcdef"), digit))
    assert parse_principal(text) == User(text.removeprefix("user:").lower())
    with pytest.raises(InvalidPrincipal, match="neither nil nor max"):
        parse_publisher(text.encode())


@pytest.mark.parametrize("header", [b"service:daybook", b"", b"service:\xff", "service:é".encode()])
def test_a_publisher_with_a_reserved_or_malformed_name_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidPrincipal):
        parse_publisher(header)
