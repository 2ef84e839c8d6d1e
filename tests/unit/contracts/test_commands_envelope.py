"""The envelope around a command's data, over HTTP and over Kafka."""

import json
from typing import Any

import pytest

from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.commands.orgs import RenameOrg
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.commands.users import RegisterUser
from daybook_contracts.limits import ENVELOPE_BYTES
from daybook_contracts.senders.actor import with_actor
from daybook_contracts.senders.principals import Service, User
from support.commands import ACTOR, COMMAND_ID, ORG, THING, accepted, envelope, raw, refused

NOT_YOURS = "the actor is another user"


def test_ids_are_lowercased() -> None:
    upper = {"id": COMMAND_ID.upper(), "org_id": ORG.upper(), "actor_user_id": ACTOR.upper()}
    command = accepted("RENAME_ORG", {"name": "x"}, **upper)
    assert (command.id, command.org_id, command.actor_user_id) == (COMMAND_ID, ORG, ACTOR)


def test_a_missing_actor_is_null() -> None:
    assert accepted("RENAME_ORG", {"name": "x"}, actor_user_id=...).actor_user_id is None
    assert accepted("RENAME_ORG", {"name": "x"}, actor_user_id=None).actor_user_id is None


def test_the_routing_key_is_the_org_or_for_a_registration_the_user() -> None:
    assert accepted("RENAME_ORG", {"name": "x"}).key == ORG
    registration = accepted("REGISTER_USER", {"user_id": THING.upper()})
    assert isinstance(registration, RegisterUser)
    assert (registration.key, registration.org_id) == (THING, None)


def test_a_registration_with_an_org_is_refused_unless_it_is_null() -> None:
    assert refused(raw("REGISTER_USER", {"user_id": THING}, org_id=ORG)).detail == "org_id must be absent"
    assert accepted("REGISTER_USER", {"user_id": THING}, org_id=None).org_id is None


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"extra": 1}, "extra is not a field of this command"),
        ({"org_id": None}, "org_id should be a valid string"),
        ({"org_id": "x"}, "org_id must be a UUID"),
        ({"actor_user_id": 5}, "actor_user_id should be a valid string"),
        ({"data": []}, "data must be an object"),
        ({"data": None}, "data must be an object"),
        ({"data": {}}, "data.name is required"),
        ({"data": {"name": None}}, "data.name should be a valid string"),
        ({"data": {"name": "x", "nom": 1}}, "data.nom is not a field of this command"),
    ],
)
def test_a_refusal_names_the_field_and_the_command(changed: dict[str, object], detail: str) -> None:
    refusal = refused(json.dumps({**envelope(), **changed}).encode())
    assert refusal.detail.startswith(detail)
    assert (refusal.code, refusal.command_id, refusal.too_large) == (Code.INVALID_COMMAND, COMMAND_ID, False)


@pytest.mark.parametrize("member", ["id", "org_id", "data", "type"])
def test_a_missing_member_is_refused(member: str) -> None:
    without: dict[str, Any] = {member: ...}
    assert member in refused(raw(**without)).detail


@pytest.mark.parametrize("kind", ["RENAME", "rename_org", "", 5, None, ["RENAME_ORG"], "ESCALATE_ALERT"])
def test_the_refusal_of_an_unknown_type_lists_the_known_types(kind: object) -> None:
    refusal = refused(json.dumps({**envelope(), "type": kind}).encode())
    assert refusal.command_id == COMMAND_ID
    assert all(known in refusal.detail for known in COMMANDS)


@pytest.mark.parametrize("text", [b"", b"nonsense", b"[]", b"5", b"null", b'"x"', b"{", b"\xff"])
def test_a_text_that_is_not_an_object_is_refused_without_an_id(text: bytes) -> None:
    refusal = refused(text)
    assert (refusal.code, refusal.command_id) == (Code.INVALID_COMMAND, None)


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":"%b","x":NaN}',
        b'{"id":"%b","x":1,"x":2}',
        b'{"id":"%b","x":1e300}',
        b'{"id":"%b","x":"\xff"}',
        b'{"id":"%b","x":"\\ud800"}',
        b'{"id":"%b","x":' + b"[" * 40 + b"]" * 40 + b"}",
    ],
)
def test_the_id_is_read_even_if_the_text_is_not_strict_json(text: bytes) -> None:
    assert refused(text % COMMAND_ID.upper().encode()).command_id == COMMAND_ID


def test_a_duplicate_or_malformed_id_is_not_read() -> None:
    assert refused(b'{"id":"%b","id":"%b"}' % (COMMAND_ID.encode(), THING.encode())).command_id is None
    assert refused(raw(id="x")).command_id is None
    assert refused(raw(id=[COMMAND_ID])).command_id is None


def test_a_missing_id_is_replaced_by_the_default_id_if_there_is_one() -> None:
    assert "id is required" in refused(raw(id=...)).detail
    assert parse_command(raw(id=...), default_id=lambda: THING).id == THING
    assert parse_command(raw(id=None), default_id=lambda: THING).id == THING
    assert parse_command(raw(), default_id=lambda: THING).id == COMMAND_ID


def test_a_refusal_carries_the_default_id() -> None:
    with pytest.raises(InvalidCommand) as caught:
        parse_command(raw(id=None, extra=1), default_id=lambda: THING)
    assert caught.value.command_id == THING


def test_a_missing_actor_is_filled_in_and_a_given_actor_is_kept() -> None:
    without = accepted("RENAME_ORG", {"name": "x"}, actor_user_id=None)
    filled = with_actor(without, User(THING), ENVELOPE_BYTES, NOT_YOURS)
    assert filled == accepted("RENAME_ORG", {"name": "x"}, actor_user_id=THING)
    assert isinstance(filled, RenameOrg)
    assert with_actor(filled, User(THING), ENVELOPE_BYTES, NOT_YOURS) is filled


def test_a_service_acts_for_the_user_that_it_names_or_as_itself() -> None:
    for actor in (THING, None):
        command = accepted("RENAME_ORG", {"name": "x"}, actor_user_id=actor)
        assert with_actor(command, Service("loader"), ENVELOPE_BYTES, NOT_YOURS) is command


def test_a_user_cannot_act_as_another_user() -> None:
    with pytest.raises(InvalidCommand, match=NOT_YOURS) as caught:
        with_actor(accepted("RENAME_ORG", {"name": "x"}), User(THING), ENVELOPE_BYTES, NOT_YOURS)
    assert (caught.value.code, caught.value.command_id) == (Code.FORBIDDEN, COMMAND_ID)


def _of_size(size: int) -> bytes:
    empty = raw("CREATE_CONNECTION", {"project_id": THING, "type": "other", "name": "x", "config": {"x": ""}})
    return empty.replace(b'"x": ""', b'"x": "%b"' % (b"y" * (size - len(empty))))


def test_an_envelope_of_256_kib_is_accepted_and_one_more_byte_is_too_large() -> None:
    assert parse_command(_of_size(ENVELOPE_BYTES)).id == COMMAND_ID
    refusal = refused(_of_size(ENVELOPE_BYTES + 1))
    assert (refusal.code, refusal.too_large, refusal.command_id) == (Code.INVALID_COMMAND, True, COMMAND_ID)


def test_an_envelope_that_is_too_large_in_its_normal_form_is_refused() -> None:
    config = b'{"y": "%b", "x": [%b]}' % (b"y" * 200_000, b",".join([b"1e15"] * 9_000))
    text = _of_size(0).replace(b'{"x": ""}', config)
    assert len(text) < ENVELOPE_BYTES
    assert refused(text).too_large


def test_the_depth_limit_counts_from_the_envelope() -> None:
    def nested(depth: int) -> bytes:
        config = b'{"x":' * (depth - 2) + b"1" + b"}" * (depth - 2)
        empty = raw("UPDATE_CONNECTION", {"connection_id": THING, "config": 0})
        return empty.replace(b'"config": 0', b'"config":' + config)

    assert parse_command(nested(32)).id == COMMAND_ID
    assert refused(nested(33)).detail.startswith("nested deeper than 32 at data.config.x")


def test_a_refusal_shortens_and_cleans_a_long_or_odd_key() -> None:
    refusal = refused(raw(data={"name": "x", "k\n" + "y" * 500: 1}))
    assert refusal.detail == f"data.k\N{REPLACEMENT CHARACTER}{'y' * 58}… is not a field of this command"


def test_a_refusal_names_at_most_five_faults() -> None:
    refusal = refused(raw(data={"name": "x", **{f"k{index}": 1 for index in range(9)}}))
    assert refusal.detail.count("is not a field") == 5
    assert refusal.detail.endswith("; and 4 more")


def test_an_envelope_that_is_too_large_with_its_actor_is_refused() -> None:
    text = _of_size(ENVELOPE_BYTES).replace(b", ", b",").replace(b": ", b":").replace(ACTOR.encode(), b"")
    largest = parse_command(text.replace(b'"actor_user_id":""', b'"actor_user_id":null'))
    longer = largest.model_copy(update={"data": largest.data.model_copy(update={"name": "x" * 40})})
    assert len(normalised_bytes(longer)) <= ENVELOPE_BYTES
    with pytest.raises(InvalidCommand) as caught:
        with_actor(longer, User(ACTOR), ENVELOPE_BYTES, NOT_YOURS)
    assert (caught.value.too_large, caught.value.command_id) == (True, COMMAND_ID)
