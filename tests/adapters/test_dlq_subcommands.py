"""`daybook dlq retry` and `resolve` as processes, with a real Kafka and PostgreSQL. A stand-in for the services carries
out the commands; tests can make it reject them, stop answering, or fall behind.
"""

import hashlib
import hmac
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from daybook_infra.runtime.postgres.connections import OwnConnection, connect
from daybook_infra.runtime.settings import Settings
from suites.bulk import PENDING, Bulk, BulkContract
from support.bulk_answers import Services, refusal, services
from support.driving import open_database
from support.planted_rows import Rows, plant
from support.projecting import until
from support.publisher import Publisher
from support.shell import Completed, finish, run_daybook, start

ORG, PROJECT, CONNECTION = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
ROWS: Rows = {
    "orgs": [(ORG, "o", "now")],
    "projects": [(PROJECT, ORG, "p", "now")],
    "source_connections": [(CONNECTION, ORG, PROJECT, "hotmart", "c", {}, True)],
    "dlq_events": [(str(UUID(int=number)), CONNECTION, 1, "pending", 0) for number in range(1, PENDING + 1)],
}
RETRY = ("retry", "--connection", CONNECTION)
RESOLVE = ("resolve", "--connection", CONNECTION, "--resolution", "discarded")
SETTINGS = {"partitions": 2}


@asynccontextmanager
async def hub(settings: Settings, **ways: Any) -> AsyncIterator[Services]:
    """The stand-in, with PENDING dead letters in the tables."""
    async with services(settings, **ways) as given:
        await plant(given.database, ROWS)
        yield given


async def dlq(settings: Settings, *arguments: str) -> Completed:
    return await run_daybook(settings, "dlq", *arguments)


async def dead_letters(database: OwnConnection) -> Counter[tuple[str, int]]:
    rows = await database.fetch("SELECT status, retry_count FROM dlq_events")
    return Counter((row["status"], row["retry_count"]) for row in rows)


class TestServices(BulkContract):
    @pytest.fixture
    async def bulk(self, settings: Settings) -> AsyncIterator[Bulk]:
        async with hub(settings), Publisher(settings) as publisher, open_database(settings) as database:
            yield Bulk(publisher, database, ORG, CONNECTION)


async def test_all_dead_letters_are_resolved_and_a_second_run_finds_none(settings: Settings) -> None:
    async with hub(settings) as given:
        first = await dlq(settings, *RESOLVE, "--reason", "too old", "--principal", "service:ops")
        second = await dlq(settings, *RESOLVE)
        assert await dead_letters(given.database) == {("resolved", 0): PENDING}
    assert first == Completed(0, "2500 dead letters resolved\n", "")
    assert second == Completed(0, f"connection {CONNECTION} has no pending dead letter that matches\n", "")
    assert given.principals == {"service:ops"}
    data = {"connection_id": CONNECTION, "filter": {}, "resolution": "discarded", "reason": "too old"}
    assert [(each["type"], each["data"]) for each in given.taken] == [("RESOLVE_DLQ_EVENTS", data)] * 3
    assert {each["actor_user_id"] for each in given.taken} == {None}


async def test_commands_are_signed_if_there_is_a_key(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a-key-of-the-ops-service-32-chars", encoding="utf-8")
    async with hub(settings) as given:
        done = await dlq(settings, *RESOLVE, "--principal", "service:ops", "--key-file", str(file))
    assert done.code == 0
    assert len(given.signatures) == 3
    for value, signature in given.signatures:
        text = b"service:ops\n\n" + value
        assert signature == hmac.new(file.read_bytes(), text, hashlib.sha256).hexdigest().encode()


async def test_dead_letters_are_retried_in_order_of_their_retry_count(settings: Settings) -> None:
    async with hub(settings) as given:
        done = await dlq(settings, *RETRY, "--max-retry-count", "1")
        assert await dead_letters(given.database) == {("pending", 2): PENDING}
    assert done == Completed(0, "5000 retries done\n", "")
    assert [each["data"]["filter"]["max_retry_count"] for each in given.taken] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_reports_its_progress_and_a_repeated_run_continues(
    settings: Settings, number: signal.Signals
) -> None:
    async with hub(settings, answers=2) as given:
        running = await start(settings, "dlq", *RETRY)
        await until(lambda: len(given.taken) >= 3, "three commands are sent")
        running.send_signal(number)
        interrupted = await finish(running)
        given.answers = 1000
        repeated = await dlq(settings, *RETRY)
        assert await dead_letters(given.database) == {("pending", 1): PENDING}
    assert (interrupted.code, interrupted.stdout) == (130, "")
    assert interrupted.stderr == ("interrupted, 2000 retries done: run it again, and it continues where it stopped\n")
    assert repeated == Completed(0, "500 retries done\n", "")


async def test_a_rejection_is_an_error_that_reports_the_progress(settings: Settings) -> None:
    async with hub(settings, answers=1, then=refusal):
        done = await dlq(settings, *RESOLVE)
    line = "Error: rejected with ORG_QUARANTINED: the org stands still; 1000 dead letters resolved before that\n"
    assert done == Completed(1, "", line)


async def test_without_an_answer_the_outcome_is_unknown(settings: Settings) -> None:
    async with hub(settings, answers=1):
        done = await dlq(settings, *RESOLVE, "--timeout", "2")
    assert (done.code, done.stdout) == (3, "")
    assert done.stderr == (
        "Error: a command was not answered in time, so its outcome is unknown; 1000 dead letters resolved: "
        "run it again, and it continues where it stopped\n"
    )


async def test_tables_that_do_not_catch_up_are_an_error(settings: Settings) -> None:
    async with hub(settings, project=False):
        done = await dlq(settings, *RESOLVE, "--timeout", "1")
    assert done.code == 3
    assert done.stderr.startswith("Error: position 0.0 is decided, but not in the tables after 1 s; 0 dead letters")


async def test_an_org_in_quarantine_is_an_error_at_once(settings: Settings) -> None:
    async with hub(settings, project=False) as given:
        await given.database.execute(f"INSERT INTO daybook.quarantine VALUES ('{ORG}', 0, 0, 'x')")
        done = await dlq(settings, *RESOLVE)
    assert done == Completed(1, "", f"Error: org {ORG} is in quarantine: its tables stand still\n")


async def test_an_invalid_reason_is_refused_before_anything_is_sent(settings: Settings) -> None:
    async with hub(settings) as given:
        done = await dlq(settings, *RESOLVE, "--reason", "x" * 4001)
    assert (done.code, given.taken) == (1, [])
    assert done.stderr.startswith("Error: not a valid command: data.reason")


async def test_a_dry_run_counts_and_sends_nothing(settings: Settings) -> None:
    async with hub(settings) as given:
        retries = await dlq(settings, *RETRY, "--max-retry-count", "1", "--dry-run")
        resolves = await dlq(settings, *RESOLVE, "--dry-run")
    assert retries == Completed(0, "2500 pending dead letters match and need 5000 retries; nothing was sent\n", "")
    assert resolves == Completed(0, "2500 pending dead letters match; nothing was sent\n", "")
    assert given.taken == []


async def test_dead_letters_that_arrive_meanwhile_are_reported(settings: Settings) -> None:
    async with hub(settings, arriving=1000):
        done = await dlq(settings, *RESOLVE)
    assert done == Completed(
        0, "4000 dead letters resolved; 2500 arrived meanwhile and are left over: run it again for them\n", ""
    )


@pytest.mark.parametrize("arguments", [RETRY, (*RETRY, "--dry-run"), RESOLVE])
async def test_an_unknown_connection_is_an_error(settings: Settings, arguments: tuple[str, ...]) -> None:
    unknown = await dlq(settings, *arguments)
    line = f"Error: there is no connection {CONNECTION}: `daybook connections --all` lists the connections\n"
    assert unknown == Completed(1, "", line)


async def test_without_kafka_there_is_a_clear_error(settings: Settings) -> None:
    without_kafka = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    async with connect(settings, "test") as database:
        await plant(database, ROWS)
    assert await dlq(without_kafka, *RETRY) == Completed(1, "", "Error: Kafka is not reachable at 127.0.0.1:1\n")
