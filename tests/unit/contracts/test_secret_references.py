"""Who may refer to which secret. This depends on the sender and on the configured prefix, over HTTP and over Kafka."""

from uuid import uuid4

import pytest

from daybook_command.shard.intake import RefusedCommand, SentCommand, classify
from daybook_command.shard.records import CommandRecord
from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.normalised import normalised_bytes
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.principals import Principal, Service, User
from daybook_contracts.senders.sender_rules import SenderRules, refuse_reference
from daybook_contracts.topics import PRINCIPAL
from support.commands import ACTOR, COMMAND_ID, ORG, THING, accepted
from support.door_doubles import USER, DoorAlone
from support.variables import load_with, refusal_of

SERVICE = Service("shop")
PERSON = User(ACTOR)
PREFIX = "vault:kv/{org_id}/"
OF_THIS_ORG = f"vault:kv/{ORG}/shop#hottok"
OF_OTHER_ORG = "vault:kv/00000000-0000-4000-8000-0000000000ff/shop#hottok"


def _refusal(reference: str, principal: Principal, prefix: str, kind: str = "CREATE_SECRET_REF") -> str | None:
    named = {"key_name": "key"} if kind == "CREATE_SECRET_REF" else {"secret_ref_id": THING}
    try:
        refuse_reference(accepted(kind, {**named, "secret_id_ref": reference}), principal, prefix)
    except InvalidCommand as caught:
        refusal = caught
    else:
        return None
    assert (refusal.code, refusal.command_id) == (Code.INVALID_COMMAND, COMMAND_ID)
    return refusal.detail


@pytest.mark.parametrize("kind", ["CREATE_SECRET_REF", "ROTATE_SECRET_REF"])
def test_only_a_service_may_refer_to_the_environment(kind: str) -> None:
    assert _refusal("env:SHOP_HOTTOK", SERVICE, "", kind) is None
    detail = _refusal("env:SHOP_HOTTOK", PERSON, "", kind)
    assert detail == "data.secret_id_ref: only a service may refer to the environment (env:…)"
    assert _refusal(OF_THIS_ORG, PERSON, "", kind) is None


@pytest.mark.parametrize("principal", [SERVICE, PERSON])
@pytest.mark.parametrize("kind", ["CREATE_SECRET_REF", "ROTATE_SECRET_REF"])
def test_a_prefix_confines_each_org_to_its_own_path(principal: Principal, kind: str) -> None:
    assert _refusal(OF_THIS_ORG, principal, PREFIX, kind) is None
    expected = f"data.secret_id_ref must begin with vault:kv/{ORG}/ for this org"
    others = [OF_OTHER_ORG, f"vault:kv2/{ORG}/shop#hottok", f"vault:kv/a/{ORG}/shop#b", f"pgvault:{uuid4()}"]
    assert [_refusal(other, principal, PREFIX, kind) for other in others] == [expected] * len(others)


def test_a_prefix_confines_the_environment_too() -> None:
    assert _refusal("env:SHOP_HOTTOK", SERVICE, "env:SHOP_") is None
    assert _refusal("env:PATH", SERVICE, "env:SHOP_") is not None


def test_other_commands_are_not_checked() -> None:
    refuse_reference(accepted("RENAME_ORG", {"name": "env:X"}), PERSON, PREFIX)


@pytest.mark.parametrize(
    "template",
    [
        "",
        PREFIX,
        "vault:kv/{org_id}",
        "vault:{org_id}/",
        "vault:kv/{org_id}/shop#",
        "vault:",
        "va",
        "env:DAYBOOK_",
        "aws-sm:arn:aws:secretsmanager:eu-west-1:123456789012:secret:{org_id}/",
        "aws-sm:arn:aws:secretsmanager:eu-",
        "pgvault:",
        "pgvault:ab",
        "gcp-sm:projects/shop/secrets/{org_id}-",
        "gcp-sm:projects/{org_id}/secrets/",
    ],
)
def test_a_prefix_that_a_reference_can_start_with_is_accepted(template: str) -> None:
    assert load_with(DAYBOOK_SECRET_REF_PREFIX=template).secret_ref_prefix == template


@pytest.mark.parametrize("template", ["vault:kv/{org}/", "vault:kv/{org_id}/{", "vault:kv/{ORG_ID}/"])
def test_a_prefix_with_another_placeholder_is_refused_at_start(template: str) -> None:
    refusal = refusal_of(DAYBOOK_SECRET_REF_PREFIX=template)
    assert refusal == "DAYBOOK_SECRET_REF_PREFIX: {org_id} is the only placeholder that is allowed"


@pytest.mark.parametrize(
    "template",
    [
        "file:/{org_id}/",
        "vault:kv/{org_id}//",
        "vault:kv/../{org_id}/",
        "vault:kv/%2f/",
        "vault:kv {org_id}/",
        "env:{org_id}",
        "aws-sm:shop/{org_id}",
        "{org_id}",
        "pgvault:AB",
        "pgvault:00000000-0000-0000-0000-000000000000",
    ],
)
def test_a_prefix_that_no_reference_can_start_with_is_refused_at_start(template: str) -> None:
    reason = "no secret reference can start with this prefix; use one such as vault:kv/{org_id}/"
    assert refusal_of(DAYBOOK_SECRET_REF_PREFIX=template) == f"DAYBOOK_SECRET_REF_PREFIX: {reason}"


@pytest.mark.parametrize(
    ("reference", "principal", "is_accepted"),
    [
        (OF_THIS_ORG, PERSON, True),
        (OF_THIS_ORG, SERVICE, True),
        (OF_OTHER_ORG, PERSON, False),
        (OF_OTHER_ORG, SERVICE, False),
        ("env:SHOP_HOTTOK", PERSON, False),
    ],
)
def test_a_reference_is_refused_over_kafka_too(reference: str, principal: Principal, *, is_accepted: bool) -> None:
    value = normalised_bytes(accepted("CREATE_SECRET_REF", {"key_name": "key", "secret_id_ref": reference}))
    record = CommandRecord(0, b"", value, ((PRINCIPAL, str(principal).encode()),), 0)
    home = partition_of(ORG, 12)
    taken = classify(record, home, 12, SenderRules(secret_ref_prefix=PREFIX))
    assert isinstance(taken, SentCommand if is_accepted else RefusedCommand)
    if isinstance(taken, RefusedCommand):
        assert (taken.code, taken.command_id) == (Code.INVALID_COMMAND, COMMAND_ID)


def _reference(reference: str) -> dict[str, object]:
    data = {"key_name": "key", "secret_id_ref": reference}
    return {"id": str(uuid4()), "type": "CREATE_SECRET_REF", "org_id": ORG, "actor_user_id": USER, "data": data}


async def test_over_http_the_token_decides_who_may_refer_to_the_environment() -> None:
    door = DoorAlone()
    refused = await door.send(_reference("env:SHOP_HOTTOK"))
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_COMMAND")
    assert door.kafka.records == []
    assert (await door.send(_reference("env:SHOP_HOTTOK"), "service:shop")).status_code == 200


async def test_over_http_the_prefix_confines_single_commands_and_batches() -> None:
    door = DoorAlone(secret_ref_prefix=PREFIX)
    refused = await door.send(_reference(OF_OTHER_ORG))
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_COMMAND")
    answers = await door.send_batch([_reference(OF_OTHER_ORG), _reference(OF_THIS_ORG)])
    assert [item["status"] for item in answers.json()] == [400, 200]
    (published,) = door.kafka.commands
    assert published["data"]["secret_id_ref"] == OF_THIS_ORG
