"""The embedded stack: it starts once, is found again, stops cleanly, and reports each problem in one line."""

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.embedded import PORT_NAMES, EmbeddedStack
from daybook_infra.stack.interface import ALL_PARTS, Part, Servers, StackError
from daybook_infra.stack.places import Home
from daybook_infra.stack.ports import LOOPBACK, remembered_ports
from daybook_infra.stack.processes import read_pid
from support.sql import ask
from support.stack import own_home, own_stack, stack_in

POSTGRES = frozenset({Part.POSTGRES})
KAFKA = frozenset({Part.KAFKA})


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedStack]:
    """A shared stack for tests that leave it running or start it again."""
    with own_stack() as stack:
        yield stack


@pytest.fixture
def fresh() -> Iterator[EmbeddedStack]:
    with own_home() as home:
        yield stack_in(home)


async def test_the_servers_accept_clients(running: EmbeddedStack) -> None:
    found = running.servers()
    async with admin(Settings(kafka_bootstrap=found.kafka_bootstrap)) as client:
        assert await client.list_topics() == []
    assert await ask(found.database_url, "SELECT current_database()") == "daybook"


def test_a_second_start_starts_nothing(running: EmbeddedStack) -> None:
    before = running.servers()
    assert running.start() == frozenset()
    assert running.servers() == before


def test_the_database_requires_its_password(running: EmbeddedStack) -> None:
    url = urlsplit(running.servers().database_url)
    wrong = url._replace(netloc=f"daybook:wrong@{LOOPBACK}:{url.port}").geturl()
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(ask(wrong, "SELECT 1"))


def test_the_password_file_is_readable_by_its_owner_only(running: EmbeddedStack) -> None:
    file = running.home.data / "postgres-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() in running.servers().database_url
    assert file.read_text() not in repr(running.servers())


def test_the_servers_listen_on_loopback_only(running: EmbeddedStack) -> None:
    for process in _processes(running):
        listening = [socket.laddr.ip for socket in process.net_connections("tcp") if socket.status == "LISTEN"]
        assert listening
        assert {address.removeprefix("::ffff:") for address in listening} == {LOOPBACK}


def test_data_survives_a_restart(running: EmbeddedStack) -> None:
    before = running.servers()
    asyncio.run(ask(before.database_url, "CREATE TABLE kept (x int)"))
    assert running.stop() == ALL_PARTS
    assert running.servers() == Servers()
    assert running.start() == ALL_PARTS
    assert running.servers() == before
    assert asyncio.run(ask(before.database_url, "SELECT count(*) FROM kept")) == 0


def test_killed_servers_are_reported_and_can_be_started_again(running: EmbeddedStack) -> None:
    kafka, postgres = _processes(running)
    kafka.kill()
    postgres.kill()
    assert f"Kafka (pid {kafka.pid}, port" in (end := running.explain_end(Part.KAFKA))
    assert "was ended by SIGKILL; the end of its log" in end
    # The server is not a child of this process, so its exit code is unknown.
    assert f"PostgreSQL (pid {postgres.pid}, port" in (end := running.explain_end(Part.POSTGRES))
    assert "has ended; the end of its log" in end
    postgres.wait(10)
    assert running.servers() == Servers()
    assert running.start() == ALL_PARTS


def test_stale_pid_files_are_replaced_and_their_processes_left_alone(running: EmbeddedStack) -> None:
    running.stop()
    kafka_pid, postgres_pid = _pid_files(running)
    kafka_pid.write_text(f"{os.getpid()}\n")
    postgres_pid.write_text(f"{os.getpid()}\n{running.home.data / 'postgres'}\n")
    messages: list[str] = []
    assert replace(running, say=messages.append).start() == ALL_PARTS
    assert sum("is stale" in line for line in messages) == 2


def test_a_taken_port_is_a_clear_error(running: EmbeddedStack) -> None:
    running.stop(POSTGRES)
    port = remembered_ports(running.home.ports, ("postgres",))["postgres"]
    with socket.create_server((LOOPBACK, port)), pytest.raises(StackError, match=f"port {port}, .*end that program"):
        running.start(POSTGRES)
    assert running.start(POSTGRES) == POSTGRES


def test_the_ports_of_parts_that_are_not_started_are_left_to_other_processes(fresh: EmbeddedStack) -> None:
    fresh.start(frozenset())
    for port in remembered_ports(fresh.home.ports, PORT_NAMES).values():
        with socket.create_server((LOOPBACK, port)):
            pass


@pytest.mark.parametrize(("part", "marker"), [(Part.POSTGRES, "PG_VERSION"), (Part.KAFKA, "meta.properties")])
def test_an_incomplete_data_folder_is_a_clear_error(fresh: EmbeddedStack, part: Part, marker: str) -> None:
    fresh.start(frozenset())
    (fresh.home.data / part).mkdir()
    with pytest.raises(StackError, match=f"{marker} is missing.*: move it away, or delete it"):
        fresh.start(frozenset({part}))


def test_an_interrupted_initdb_is_repeated(fresh: EmbeddedStack) -> None:
    fresh.start(frozenset())
    (fresh.home.data / "postgres.unfinished").mkdir()
    (fresh.home.data / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    assert fresh.start(POSTGRES) == POSTGRES


def test_a_lost_password_is_a_clear_error(fresh: EmbeddedStack) -> None:
    fresh.start(POSTGRES)
    (fresh.home.data / "postgres-password").unlink()
    with pytest.raises(StackError, match=r"postgres-password is missing.*restore it, or delete"):
        fresh.servers()


def test_a_missing_mvn_is_an_error_that_names_the_alternatives(
    fresh: EmbeddedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"^mvn is missing.*apt.*DAYBOOK_KAFKA_BOOTSTRAP.*DAYBOOK_STACK=docker$"):
        replace(fresh, jars=None).start(KAFKA)


def test_incompletely_copied_jars_are_fetched_again(fresh: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    (version,) = (Home.of_checkout().folder / "kafka").iterdir()
    lib = fresh.home.folder / "kafka" / version.name / "lib"
    lib.mkdir(parents=True)
    (lib / "kafka_2.13.jar").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StackError, match="mvn is missing"):
        replace(fresh, jars=None).start(KAFKA)


def test_the_error_of_a_failed_fetch_quotes_maven(
    fresh: EmbeddedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mvn = tmp_path / "mvn"
    mvn.write_text("#!/bin/sh\necho '[ERROR] Could not transfer artifact: Network is unreachable'\nexit 1\n")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(StackError, match=r"^mvn could not download Kafka: Could not transfer artifact: Net") as caught:
        replace(fresh, jars=None).start(KAFKA)
    assert "\n" not in str(caught.value)


def test_of_two_simultaneous_starts_one_starts_the_server(fresh: EmbeddedStack) -> None:
    with ThreadPoolExecutor(max_workers=2) as threads:
        started = list(threads.map(fresh.start, [POSTGRES, POSTGRES]))
    assert sorted(started, key=len) == [frozenset(), POSTGRES]


def test_the_error_of_a_failed_start_quotes_the_log(fresh: EmbeddedStack) -> None:
    fresh.start(POSTGRES)
    fresh.stop()
    (fresh.home.data / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StackError, match=r"^PostgreSQL did not start \(.*FATAL.*\); its log: .*postgres\.log$"):
        fresh.start(POSTGRES)


def _pid_files(stack: EmbeddedStack) -> tuple[Path, Path]:
    return stack.home.data / "kafka.pid", stack.home.data / "postgres" / "postmaster.pid"


def _processes(stack: EmbeddedStack) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in map(read_pid, _pid_files(stack)) if pid is not None]
