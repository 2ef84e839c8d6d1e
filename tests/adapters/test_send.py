"""`daybook send` on a real Kafka. The tests, not a shard, answer the commands."""

import asyncio
import hashlib
import hmac
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import pytest
from aiokafka import ConsumerRecord

from daybook_contracts.codes import Code
from daybook_contracts.results import Accepted, Result, problem
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import PRINCIPAL, SIGNATURE
from daybook_infra.runtime.settings import Settings
from support.answering import answering
from support.processes import environment
from support.shell import Completed, finish, run_daybook, start

ORG = "00000000-0000-4000-8000-00000000000a"
PARTITIONS = 3
SETTINGS = {"partitions": PARTITIONS}
SHARED_DATABASE = True
INTERRUPTED_TEXT = (
    "interrupted: commands without a printed outcome may have been sent, and may still be decided; "
    "sending them again with their ids is safe"
)
Json = dict[str, object]
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"


def command(number: int, **changes: object) -> Json:
    id_ = f"01890000-0000-7000-8000-{number:012}"
    return {"id": id_, "type": "RENAME_ORG", "org_id": ORG, "data": {"name": "x"}} | changes


def lines(*commands: object) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in commands)


async def accept(record: Record) -> Result:
    return Accepted(id_of(record), (), "0.0")


async def refuse(record: Record) -> Result:
    return problem(Code.FORBIDDEN, "not yours", command_id=id_of(record))


def id_of(record: Record) -> str:
    return str(json.loads(record.value or b"")["id"])


async def send(settings: Settings, given: bytes, *options: str, **env: str) -> Completed:
    return await run_daybook(settings, "send", *options, given=given, **env)


def outcomes(done: Completed) -> list[Json]:
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_outcomes_are_printed_in_the_order_of_the_input(settings: Settings) -> None:
    sent = [command(number) for number in range(1200)]
    async with answering(settings, accept) as received:
        done = await send(settings, lines(*sent))
    assert (done.code, done.stderr) == (0, "")
    assert [outcome["command_id"] for outcome in outcomes(done)] == [each["id"] for each in sent]
    assert [json.loads(record.value or b"")["id"] for record in received] == [each["id"] for each in sent]


async def test_a_line_is_published_unchanged_with_its_key(settings: Settings) -> None:
    raw = json.dumps(command(1, org_id=ORG.upper())).replace(", ", " ,  ").encode()
    async with answering(settings, accept) as received:
        done = await send(settings, b"\n\n  " + raw + b"  \n\n", "--principal", "service:billing")
    assert done.code == 0
    (record,) = received
    assert (record.value, record.key, record.partition) == (raw, ORG.encode(), partition_of(ORG, PARTITIONS))
    assert dict(record.headers)[PRINCIPAL] == b"service:billing"


@pytest.mark.parametrize("from_file", [True, False])
async def test_records_are_signed_if_there_is_a_key(settings: Settings, tmp_path: Path, *, from_file: bool) -> None:
    key = "a-key-of-the-billing-service-32-c"
    file = tmp_path / "key"
    file.write_text(f"{key}\n", encoding="utf-8")
    options = ["--key-file", str(file)] if from_file else []
    more = {} if from_file else {"DAYBOOK_SERVICE_KEY": key}
    async with answering(settings, accept) as received:
        done = await send(settings, lines(command(1)), "--principal", "service:billing", *options, **more)
    assert done.code == 0
    (record,) = received
    text = b"service:billing\n\n" + (record.value or b"")
    assert dict(record.headers)[SIGNATURE] == hmac.new(key.encode(), text, hashlib.sha256).hexdigest().encode()


async def test_records_are_not_signed_without_a_key(settings: Settings) -> None:
    async with answering(settings, accept) as received:
        await send(settings, lines(command(1)))
    assert SIGNATURE not in dict(received[0].headers)


async def test_a_missing_key_file_is_one_clear_error(settings: Settings, tmp_path: Path) -> None:
    done = await send(settings, lines(command(1)), "--key-file", str(tmp_path / "none"))
    assert done == Completed(1, "", f"Error: {tmp_path / 'none'} cannot be read: No such file or directory\n")


async def test_a_line_without_id_or_key_is_refused_locally_and_the_rest_is_sent(settings: Settings) -> None:
    given = lines(command(1)) + b"\nnot json\n" + lines(command(2, org_id="acme"), command(3))
    async with answering(settings, accept) as received:
        done = await send(settings, given)
    assert done.code == 1
    assert [outcome.get("code", "accepted") for outcome in outcomes(done)] == [
        "accepted",
        "INVALID_COMMAND",
        "INVALID_COMMAND",
        "accepted",
    ]
    assert outcomes(done)[2]["command_id"] == command(2)["id"]
    assert len(received) == 2


async def test_a_rejection_is_printed_and_fails_unless_allowed(settings: Settings) -> None:
    async with answering(settings, refuse):
        done, allowed = await asyncio.gather(
            send(settings, lines(command(1))), send(settings, lines(command(1)), "--rejections-ok")
        )
    assert (done.code, allowed.code) == (1, 0)
    assert (outcomes(done)[0]["code"], outcomes(done)[0]["result"]) == ("FORBIDDEN", "failure")


async def test_a_command_not_decided_in_time_is_pending(settings: Settings) -> None:
    async def accept_all_but_one(record: Record) -> Result | None:
        return None if id_of(record) == command(2)["id"] else await accept(record)

    async with answering(settings, accept_all_but_one):
        done = await send(settings, lines(command(1), command(2), command(3)), "--timeout", "1")
    assert done.code == 3
    assert [outcome.get("status") for outcome in outcomes(done)] == [200, 202, 200]
    assert outcomes(done)[1]["location"] == f"/v1/orgs/{ORG}/commands/{command(2)['id']}"


async def test_without_kafka_there_is_one_clear_error(settings: Settings) -> None:
    done = await send(settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}), lines(command(1)))
    assert done == Completed(1, "", "Error: Kafka is not reachable at 127.0.0.1:1\n")


async def test_without_topics_there_is_one_clear_error(settings: Settings) -> None:
    done = await send(settings.model_copy(update={"topic_prefix": "none."}), lines(command(1)))
    assert done == Completed(1, "", "Error: topic none.commands does not exist: run `daybook init`\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interruption_ends_the_command_with_an_exit_code_of_its_own(
    settings: Settings, number: signal.Signals
) -> None:
    async def accept_the_first(record: Record) -> Result | None:
        return await accept(record) if id_of(record) == command(1)["id"] else None

    async with answering(settings, accept_the_first):
        running = await start(settings, "send")
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(lines(command(1), command(2)) + b"\n")
        first = await asyncio.wait_for(running.stdout.readline(), 60)
        running.send_signal(number)
        done = await finish(running)
    assert json.loads(first)["command_id"] == command(1)["id"]
    assert done == Completed(130, "", f"{INTERRUPTED_TEXT}\n")


async def test_empty_input_is_not_an_error(settings: Settings) -> None:
    done = await send(settings, b"")
    assert done == Completed(0, "", "")


async def test_a_closed_output_pipe_ends_the_command_without_a_traceback(settings: Settings) -> None:
    many = lines(*(command(number) for number in range(3000))).decode()
    program, env = ["bash", "-c", f"'{sys.executable}' -m daybook_infra send | head -n 1"], environment(settings)
    async with answering(settings, accept):
        done = await asyncio.to_thread(
            subprocess.run, program, input=many, env=env, capture_output=True, text=True, check=False, timeout=60
        )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
