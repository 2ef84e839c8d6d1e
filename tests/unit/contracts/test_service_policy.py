"""The service policy: which service may send which commands, and which headers of a record are trusted."""

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import orjson
import pytest
from msgspec import structs

from daybook_command.shard.intake import MisroutedCommand, RefusedCommand, SentCommand, classify
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.policy import Grant, ServicePolicy
from daybook_contracts.senders.principals import Service, User
from daybook_contracts.senders.sender_rules import SenderRules

ORG = "00000000-0000-4000-8000-000000000001"
OTHER_ORG = "00000000-0000-4000-8000-000000000002"
ANN = "00000000-0000-4000-8000-00000000000a"
COMMAND = "01890000-0000-7000-8000-000000000002"
BILLING_KEY, NEXT_KEY, DOOR_KEY, NEXT_DOOR_KEY = (letter * 32 for letter in (b"b", b"n", b"d", b"e"))
PARTITIONS = 12
HOME = partition_of(ORG, PARTITIONS)

BILLING = Grant(frozenset({"RENAME_ORG"}), frozenset({ORG}), act_for_users=True, keys=(BILLING_KEY, NEXT_KEY))
POLICY = ServicePolicy(
    {
        "billing": BILLING,
        "worker": replace(BILLING, act_for_users=False, keys=()),
        "registrar": Grant(frozenset({"REGISTER_USER"}), frozenset(), act_for_users=False),
        "everywhere": Grant(frozenset({"RENAME_ORG"}), None, act_for_users=False),
        "root": Grant(None, None, act_for_users=True),
    },
    (DOOR_KEY, NEXT_DOOR_KEY),
)


def envelope(**changes: Any) -> bytes:
    """A RENAME_ORG by ANN. A member passed as `...` is left out."""
    good = {"id": COMMAND, "type": "RENAME_ORG", "org_id": ORG, "actor_user_id": ANN, "data": {"name": "x"}}
    return orjson.dumps({name: value for name, value in (good | changes).items() if value is not ...})


REGISTER = envelope(type="REGISTER_USER", org_id=..., actor_user_id=..., data={"user_id": ANN})


@pytest.mark.parametrize(
    ("service", "value", "refused"),
    [
        ("billing", envelope(), None),
        ("billing", envelope(actor_user_id=None), None),
        ("billing", envelope(org_id=OTHER_ORG), "on this org"),
        ("billing", envelope(type="CREATE_ORG"), "send CREATE_ORG"),
        ("billing", REGISTER, "send REGISTER_USER"),
        ("worker", envelope(), "act for users"),
        ("worker", envelope(actor_user_id=None), None),
        ("registrar", REGISTER, None),
        ("registrar", envelope(actor_user_id=None), "send RENAME_ORG"),
        ("root", envelope(org_id=OTHER_ORG), None),
        ("root", REGISTER, None),
        ("stranger", envelope(), "does not list service:stranger"),
        ("unnamed", envelope(), "signature is missing or wrong"),
    ],
)
def test_a_service_may_send_only_what_its_grant_allows(service: str, value: bytes, refused: str | None) -> None:
    reason = POLICY.refusal(Service(service), parse_command(value))
    assert reason is None if refused is None else refused in (reason or "")


@pytest.mark.parametrize(
    ("service", "key", "action", "is_visible"),
    [
        ("billing", ORG, "RENAME_ORG", True),
        ("billing", ORG, "CREATE_ORG", True),
        ("billing", OTHER_ORG, "RENAME_ORG", False),
        ("billing", ANN, "REGISTER_USER", False),
        ("billing", ORG, "REGISTER_USER", False),
        ("registrar", ANN, "REGISTER_USER", True),
        ("registrar", ORG, "RENAME_ORG", False),
        ("everywhere", OTHER_ORG, "CREATE_ORG", True),
        ("everywhere", ANN, "REGISTER_USER", False),
        ("root", OTHER_ORG, "RENAME_ORG", True),
        ("root", ANN, "REGISTER_USER", True),
        ("stranger", ORG, "RENAME_ORG", False),
        ("stranger", ANN, "REGISTER_USER", False),
    ],
)
def test_a_service_sees_what_its_grant_covers(service: str, key: str, action: str, *, is_visible: bool) -> None:
    assert POLICY.may_look_up(Service(service), key, action) is is_visible


def test_the_repr_of_a_policy_shows_no_key() -> None:
    assert all(key.decode() not in repr(POLICY) for key in (BILLING_KEY, NEXT_KEY, DOOR_KEY, NEXT_DOOR_KEY))


def signature(key: bytes, principal: str, door: str, value: bytes) -> bytes:
    text = b"\n".join((principal.encode(), door.encode(), value))
    return hmac.new(key, text, hashlib.sha256).hexdigest().encode()


def record(value: bytes, principal: str | None, door: str | None = None, proof: bytes | None = None) -> CommandRecord:
    named = (("daybook-principal", principal), ("daybook-door", door))
    headers = [(name, text.encode()) for name, text in named if text is not None]
    if proof is not None:
        headers.append(("daybook-signature", proof))
    return CommandRecord(0, None, value, tuple(headers), 0)


def signed(value: bytes, principal: str, key: bytes, door: str | None = None) -> CommandRecord:
    """A record that is signed with this key."""
    return record(value, principal, door, signature(key, principal, door or "", value))


def outcome_of(item: CommandRecord, partition: int = HOME) -> tuple[str, bool] | str:
    """The principal, and whether the record counts as sent by the HTTP API; or the code of the refusal."""
    match classify(item, partition, PARTITIONS, SenderRules(POLICY)):
        case SentCommand(reply_to=reply_to, principal=principal):
            return str(principal), reply_to.http
        case RefusedCommand(code=code):
            return code.value
        case other:
            raise AssertionError(other)


def test_a_record_with_a_valid_signature_comes_from_that_service() -> None:
    value = envelope()
    for key in (BILLING_KEY, NEXT_KEY):
        in_capitals = signature(key, "service:billing", "", value).upper()
        for item in (signed(value, "service:billing", key), record(value, "service:billing", "", in_capitals)):
            assert outcome_of(item) == ("service:billing", False)


def test_a_record_signed_by_the_door_is_trusted_and_not_checked_again() -> None:
    for key in (DOOR_KEY, NEXT_DOOR_KEY):
        for principal in (f"user:{ANN}", "service:billing", "service:stranger"):
            for value in (envelope(), REGISTER):
                item = signed(value, principal, key, "http")
                partition = HOME if value != REGISTER else partition_of(ANN, PARTITIONS)
                assert outcome_of(item, partition) == (principal, True)


VALUE = envelope()
SIGNED = signature(BILLING_KEY, "service:billing", "", VALUE)
BY_DOOR = signature(DOOR_KEY, f"user:{ANN}", "http", VALUE)
FORGED = {
    "no signature": record(VALUE, "service:billing"),
    "no signature, a user": record(VALUE, f"user:{ANN}"),
    "no signature, the door's mark": record(VALUE, "service:billing", "http"),
    "no signature, the door's mark, a user": record(VALUE, f"user:{ANN}", "http"),
    "no principal": record(VALUE, None, proof=SIGNED),
    "an invalid principal": signed(VALUE, "billing", BILLING_KEY),
    "another value": record(envelope(data={"name": "y"}), "service:billing", proof=SIGNED),
    "a value with one more space": record(VALUE + b" ", "service:billing", proof=SIGNED),
    "another principal": record(VALUE, "service:root", proof=SIGNED),
    "a mark that was not signed": record(VALUE, "service:billing", "http", SIGNED),
    "a mark that a service signed": signed(VALUE, "service:billing", BILLING_KEY, "http"),
    "a user whom a service signed": signed(VALUE, f"user:{ANN}", BILLING_KEY),
    "a user other than the door's": record(VALUE, f"user:{ORG}", "http", BY_DOOR),
    "the door's signature without its mark": record(VALUE, f"user:{ANN}", proof=BY_DOOR),
    "the door's record as a service's": record(VALUE, "service:billing", "http", BY_DOOR),
    "another mark": signed(VALUE, f"user:{ANN}", DOOR_KEY, "kafka"),
    "a mark that holds the start of the signed value": record(
        VALUE, f"user:{ANN}", "http\nx", signature(DOOR_KEY, f"user:{ANN}", "http", b"x\n" + VALUE)
    ),
    "a key that nobody has": signed(VALUE, "service:billing", b"x" * 32),
    "an empty key": signed(VALUE, "service:root", b""),
    "half a signature": record(VALUE, "service:billing", proof=SIGNED[:32]),
    "not hex": record(VALUE, "service:billing", proof=b"\xff" * 64),
    "an empty signature": record(VALUE, "service:billing", proof=b""),
}


@pytest.mark.parametrize("item", FORGED.values(), ids=FORGED.keys())
def test_the_headers_of_a_forged_record_are_dropped(item: CommandRecord) -> None:
    headers = POLICY.trusted_headers(dict(item.headers), item.value or b"")
    assert {"daybook-principal", "daybook-door"}.isdisjoint(headers)
    refused = classify(item, HOME, PARTITIONS, SenderRules(POLICY))
    assert isinstance(refused, RefusedCommand)
    assert not refused.reply_to.http
    assert refused.code.value == "FORBIDDEN"


def test_a_forged_record_gets_the_grant_of_unnamed() -> None:
    policy = replace(POLICY, grants={"unnamed": BILLING})
    item = classify(record(VALUE, f"user:{ORG}", "http"), HOME, PARTITIONS, SenderRules(policy))
    assert isinstance(item, SentCommand)
    assert (str(item.principal), item.reply_to.http) == ("service:unnamed", False)


def test_a_value_over_the_limit_is_not_hashed() -> None:
    value = b" " * (ENVELOPE_BYTES + 1)
    item = signed(value, "service:billing", BILLING_KEY)
    assert "daybook-principal" not in POLICY.trusted_headers(dict(item.headers), value)
    assert outcome_of(item) == "INVALID_COMMAND"


def test_a_record_without_a_value_can_be_signed() -> None:
    item = signed(b"", "service:billing", BILLING_KEY)
    assert outcome_of(structs.replace(item, value=None)) == "INVALID_COMMAND"


def test_a_signed_record_is_checked_against_the_grant() -> None:
    item = signed(envelope(org_id=OTHER_ORG), "service:billing", BILLING_KEY)
    assert outcome_of(item, partition_of(OTHER_ORG, PARTITIONS)) == "FORBIDDEN"


def test_a_record_in_the_wrong_partition_is_forwarded_with_its_signature() -> None:
    item = record(VALUE, "service:billing", proof=SIGNED)
    forwarded = classify(item, (HOME + 1) % PARTITIONS, PARTITIONS, SenderRules(POLICY))
    assert forwarded == MisroutedCommand(item, HOME)


def test_without_a_policy_every_header_is_trusted() -> None:
    item = classify(record(VALUE, f"user:{ANN}", "http", b"nonsense"), HOME, PARTITIONS)
    assert isinstance(item, SentCommand)
    assert (item.principal, item.reply_to.http) == (User(ANN), True)
