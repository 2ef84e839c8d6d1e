"""A service policy on real servers: which records are trusted over Kafka, and which commands a listed service may send
over HTTP and Kafka. The test computes signatures with the standard library only.
"""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from daybook_infra.operations.demo import Demo
from support.chain import Json, partition_of
from support.deadletters import dead_letter
from support.driving import eventually, fresh_id
from support.processes import System, Systems
from support.publisher import Door, Publisher, Send
from support.replay import by_command, entries_of, read_log, read_topic
from support.shell import run_daybook
from support.workload import by_user, registration

pytestmark = pytest.mark.timeout(180)
DOOR_KEY = "the-key-of-the-door-32-characters"
KEYS = {"registrar": "the-key-of-the-registrar-32-chars", "renamer": "the-key-of-the-renamer-32-characters"}
ORG = fresh_id()
POLICY = f"""
[registrar]
commands = ["REGISTER_USER"]
key = "{KEYS["registrar"]}"

[renamer]
commands = ["RENAME_ORG"]
orgs = ["{ORG}"]
act_for_users = true
key = "{KEYS["renamer"]}"
"""


@pytest.fixture(scope="module")
def system(lasting_systems: Systems) -> System:
    file = lasting_systems.folder / "services.toml"
    file.write_text(POLICY, encoding="utf-8")
    file.chmod(0o600)
    return lasting_systems.start(commands=2, services=str(file), door_key=SecretStr(DOOR_KEY))


def hmac_of(key: str, principal: bytes, door: bytes, value: bytes) -> bytes:
    return hmac.new(key.encode(), b"\n".join((principal, door, value)), hashlib.sha256).hexdigest().encode()


def signature_of(send: Send, key: str) -> tuple[str, bytes]:
    return "daybook-signature", hmac_of(key, send.principal.encode(), b"", send.body)


def registered_by(principal: str) -> Send:
    return Send(principal, registration(fresh_id(), fresh_id()).command)


async def logged(publisher: Publisher, send: Send) -> list[Json]:
    entries = by_command(entries_of(await read_log(publisher.settings)))
    return entries.get((partition_of(send.key, publisher.settings.partitions), send.command["id"]), [])


async def check_refused_over_kafka(publisher: Publisher, send: Send, *headers: tuple[str, bytes]) -> None:
    """Asserts that the command gets a dead letter and a reply, both FORBIDDEN, and no entry."""
    answer = await (await publisher.publish(send, *headers))
    assert (answer["status"], answer["code"], answer.get("entry_id")) == (403, "FORBIDDEN", None)

    async def reasons() -> list[bytes]:
        letters = await read_topic(publisher.settings, "commands.dlq")
        return [letter_headers["daybook-reason"] for _, _, value, letter_headers in letters if value == send.body]

    # The answer may come before the dead letter.
    (reason,) = await eventually(reasons)
    assert reason.startswith(b"FORBIDDEN:")
    assert await logged(publisher, send) == []


@pytest.mark.parametrize("headers", [[], [("daybook-door", b"http")], [("daybook-signature", b"0" * 64)]])
@pytest.mark.parametrize("kind", ["user", "service:registrar", "service:renamer", "service:stranger"])
async def test_an_unsigned_record_is_refused(publisher: Publisher, kind: str, headers: list[tuple[str, bytes]]) -> None:
    send = registered_by(kind)
    if kind == "user":
        send = Send(f"user:{send.key}", send.command)
    await check_refused_over_kafka(publisher, send, *headers)


async def test_a_signed_command_within_the_grant_is_decided(publisher: Publisher) -> None:
    send = registered_by("service:registrar")
    answer = await (await publisher.publish(send, signature_of(send, KEYS["registrar"])))
    assert answer["status"] == 200
    (entry,) = await logged(publisher, send)
    assert entry["metadata_json"]["principal"] == "service:registrar"


async def test_a_signed_command_beyond_the_grant_is_refused(publisher: Publisher) -> None:
    in_other_org = Send("service:renamer", by_user("RENAME_ORG", fresh_id(), fresh_id(), fresh_id(), name="x").command)
    for send in (registered_by("service:renamer"), in_other_org):
        await check_refused_over_kafka(publisher, send, signature_of(send, KEYS["renamer"]))


async def test_a_forwarded_record_keeps_its_signature(publisher: Publisher) -> None:
    send = registered_by("service:registrar")
    partitions = publisher.settings.partitions
    wrong_partition = (partition_of(send.key, partitions) + 1) % partitions
    answer = await (await publisher.publish(send, signature_of(send, KEYS["registrar"]), partition=wrong_partition))
    assert answer["status"] == 200


async def test_daybook_send_signs_with_a_key_file(publisher: Publisher, tmp_path: Path) -> None:
    send, unsigned = registered_by("service:registrar"), registered_by("service:registrar")
    key, lines = tmp_path / "key", tmp_path / "commands"
    key.write_text(KEYS["registrar"], encoding="utf-8")
    lines.write_bytes(send.body)
    sender = ("--principal", "service:registrar")
    assert (await run_daybook(publisher.settings, "send", str(lines), *sender, "--key-file", str(key))).code == 0
    assert len(await logged(publisher, send)) == 1
    lines.write_bytes(unsigned.body)
    done = await run_daybook(publisher.settings, "send", str(lines), *sender)
    assert (done.code, json.loads(done.stdout)["code"]) == (1, "FORBIDDEN")
    assert await logged(publisher, unsigned) == []


async def test_the_demo_user_of_a_local_stack_is_not_affected(system: System) -> None:
    await Demo(system.settings, system.commands[0].url).register()


async def test_an_unsigned_record_becomes_a_dead_letter_with_its_headers(publisher: Publisher) -> None:
    send = registered_by("service:registrar")
    place = await publisher.publish_raw(
        send.key, send.body, [("daybook-door", b"http"), ("daybook-principal", b"user:x")]
    )
    letter = await dead_letter(publisher.settings, *place)
    assert letter.reason.startswith("FORBIDDEN: the service policy does not list service:unnamed")
    assert letter.headers["daybook-door"] == b"http"


async def test_a_command_accepted_over_http_is_signed_by_the_door_and_decided(door: Door, publisher: Publisher) -> None:
    user = fresh_id()
    registered = Send(f"user:{user}", registration(user, fresh_id()).command)
    assert (await door.send(registered)).status_code == 200
    created = by_user("CREATE_ORG", ORG, user, fresh_id(), name="Before")
    assert (await door.send(created)).status_code == 200
    renamed = Send("service:renamer", by_user("RENAME_ORG", ORG, user, fresh_id(), name="After").command)
    assert (await door.send(renamed, Prefer="respond-async")).status_code == 202  # makes the door publish the command
    (entry,) = await eventually(lambda: logged(publisher, renamed))
    assert entry["metadata_json"]["principal"] == "service:renamer"
    records = await read_topic(publisher.settings, "commands")
    ((value, headers),) = [
        (value, headers) for _, _, value, headers in records if value and renamed.command["id"].encode() in value
    ]
    assert headers["daybook-signature"] == hmac_of(DOOR_KEY, b"service:renamer", b"http", value)
    beyond = registered_by("service:renamer")
    answer = await door.send(beyond)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert await logged(publisher, beyond) == []
