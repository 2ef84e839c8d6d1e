"""The service policy as a value: who may send what, and what of a record's headers may be believed."""

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import orjson
import pytest

from daybook_command.shard.intake import MisroutedCommand, RefusedCommand, SentCommand, take
from daybook_command.shard.messages import CommandRecord
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.edge_rules import EdgeRules
from daybook_contracts.senders.policy import Grant, ServicePolicy
from daybook_contracts.senders.principals import Service, User

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
    """A RENAME_ORG by ANN; a member given as `...` is left out."""
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
def test_a_service_may_send_what_its_table_says(service: str, value: bytes, refused: str | None) -> None:
    reason = POLICY.refusal(Service(service), parse_command(value))
    assert reason is None if refused is None else refused in (reason or "")


@pytest.mark.parametrize(
    ("service", "key", "action", "seen"),
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
def test_a_service_sees_outcomes_of_its_orgs_and_of_registrations_that_it_may_send(
    service: str, key: str, action: str, *, seen: bool
) -> None:
    assert POLICY.sees(Service(service), key, action) is seen


def test_a_policy_shows_no_key() -> None:
    assert all(key.decode() not in repr(POLICY) for key in (BILLING_KEY, NEXT_KEY, DOOR_KEY, NEXT_DOOR_KEY))


def signature(key: bytes, principal: str, door: str, value: bytes) -> bytes:
    text = b"\n".join((principal.encode(), door.encode(), value))
    return hmac.new(key, text, hashlib.sha256).hexdigest().encode()


def record(value: bytes, principal: str | None, door: str | None = None, sign: bytes | None = None) -> CommandRecord:
    named = (("daybook-principal", principal), ("daybook-door", door))
    headers = [(name, text.encode()) for name, text in named if text is not None]
    if sign is not None:
        headers.append(("daybook-signature", sign))
    return CommandRecord(0, None, value, tuple(headers), 0)


def taken(item: CommandRecord, partition: int = HOME) -> tuple[str, bool] | str:
    """The principal, and whether the door is believed to have sent it; or the refusal's code."""
    match take(item, partition, PARTITIONS, EdgeRules(POLICY)):
        case SentCommand(reply_to=reply_to, principal=principal):
            return str(principal), reply_to.http
        case RefusedCommand(code=code):
            return code.value
        case other:
            raise AssertionError(other)


def test_a_record_with_a_valid_signature_is_its_services() -> None:
    value = envelope()
    for key in (BILLING_KEY, NEXT_KEY):
        sign = signature(key, "service:billing", "", value)
        assert taken(record(value, "service:billing", sign=sign)) == ("service:billing", False)
        assert taken(record(value, "service:billing", door="", sign=sign.upper())) == ("service:billing", False)


def test_a_record_that_the_door_signed_is_believed_and_not_judged_again() -> None:
    for key in (DOOR_KEY, NEXT_DOOR_KEY):
        for principal in (f"user:{ANN}", "service:billing", "service:stranger"):
            for value in (envelope(), REGISTER):
                item = record(value, principal, "http", signature(key, principal, "http", value))
                partition = HOME if value != REGISTER else partition_of(ANN, PARTITIONS)
                assert taken(item, partition) == (principal, True)


VALUE = envelope()
SIGNED = signature(BILLING_KEY, "service:billing", "", VALUE)
BY_DOOR = signature(DOOR_KEY, f"user:{ANN}", "http", VALUE)
FORGED = {
    "no signature": record(VALUE, "service:billing"),
    "no signature, a user": record(VALUE, f"user:{ANN}"),
    "no signature, the door's mark": record(VALUE, "service:billing", "http"),
    "no signature, the door's mark, a user": record(VALUE, f"user:{ANN}", "http"),
    "no principal": record(VALUE, None, sign=SIGNED),
    "a principal that is none": record(VALUE, "billing", sign=signature(BILLING_KEY, "billing", "", VALUE)),
    "another value": record(envelope(data={"name": "y"}), "service:billing", sign=SIGNED),
    "a value with a space more": record(VALUE + b" ", "service:billing", sign=SIGNED),
    "another principal": record(VALUE, "service:root", sign=SIGNED),
    "a mark that was not signed": record(VALUE, "service:billing", "http", SIGNED),
    "a mark that a service signed": record(
        VALUE, "service:billing", "http", signature(BILLING_KEY, "service:billing", "http", VALUE)
    ),
    "a user whom a service signed": record(VALUE, f"user:{ANN}", sign=signature(BILLING_KEY, f"user:{ANN}", "", VALUE)),
    "another user than the door's": record(VALUE, f"user:{ORG}", "http", BY_DOOR),
    "the door's signature without its mark": record(VALUE, f"user:{ANN}", sign=BY_DOOR),
    "the door's record as a service's": record(VALUE, "service:billing", "http", BY_DOOR),
    "another mark": record(VALUE, f"user:{ANN}", "kafka", signature(DOOR_KEY, f"user:{ANN}", "kafka", VALUE)),
    "a mark that takes part of the value": record(
        b"x\n" + VALUE, f"user:{ANN}", "http\nx", signature(DOOR_KEY, f"user:{ANN}", "http\nx", VALUE)
    ),
    "the key of nobody": record(VALUE, "service:billing", sign=signature(b"x" * 32, "service:billing", "", VALUE)),
    "an empty key": record(VALUE, "service:root", sign=signature(b"", "service:root", "", VALUE)),
    "half a signature": record(VALUE, "service:billing", sign=SIGNED[:32]),
    "no hex": record(VALUE, "service:billing", sign=b"\xff" * 64),
    "an empty signature": record(VALUE, "service:billing", sign=b""),
}


@pytest.mark.parametrize("item", FORGED.values(), ids=FORGED.keys())
def test_a_forged_record_is_nobodys_and_unmarked(item: CommandRecord) -> None:
    headers = POLICY.proved(dict(item.headers), item.value or b"")
    assert {"daybook-principal", "daybook-door"}.isdisjoint(headers)
    refused = take(item, HOME, PARTITIONS, EdgeRules(POLICY))
    assert isinstance(refused, RefusedCommand)
    assert not refused.reply_to.http
    assert refused.code.value == ("INVALID_COMMAND" if item.value and item.value[:1] == b"x" else "FORBIDDEN")


def test_a_record_of_nobody_is_judged_by_the_table_of_the_unnamed() -> None:
    policy = replace(POLICY, grants={"unnamed": BILLING})
    item = take(record(VALUE, f"user:{ORG}", "http"), HOME, PARTITIONS, EdgeRules(policy))
    assert isinstance(item, SentCommand)
    assert (str(item.principal), item.reply_to.http) == ("service:unnamed", False)


def test_a_value_over_the_limit_is_not_hashed_for_whoever_wants_it() -> None:
    value = b" " * (ENVELOPE_BYTES + 1)
    item = record(value, "service:billing", sign=signature(BILLING_KEY, "service:billing", "", value))
    assert "daybook-principal" not in POLICY.proved(dict(item.headers), value)
    assert taken(item) == "INVALID_COMMAND"


def test_a_record_without_a_value_can_be_signed_like_any_other() -> None:
    item = record(b"", "service:billing", sign=signature(BILLING_KEY, "service:billing", "", b""))
    assert taken(replace(item, value=None)) == "INVALID_COMMAND"


def test_a_signed_service_is_judged_by_its_table() -> None:
    value = envelope(org_id=OTHER_ORG)
    item = record(value, "service:billing", sign=signature(BILLING_KEY, "service:billing", "", value))
    assert taken(item, partition_of(OTHER_ORG, PARTITIONS)) == "FORBIDDEN"


def test_a_record_in_the_wrong_partition_is_forwarded_with_its_signature() -> None:
    item = record(VALUE, "service:billing", sign=SIGNED)
    forwarded = take(item, (HOME + 1) % PARTITIONS, PARTITIONS, EdgeRules(POLICY))
    assert forwarded == MisroutedCommand(item, HOME)


def test_without_a_policy_everybody_is_believed_as_before() -> None:
    item = take(record(VALUE, f"user:{ANN}", "http", b"nonsense"), HOME, PARTITIONS)
    assert isinstance(item, SentCommand)
    assert (item.principal, item.reply_to.http) == (User(ANN), True)
