"""The pytest plugin: another project's tests get a client of a real Daybook, and nothing is left running."""

import os
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import psutil
import pytest

from daybook_infra.stack.interface import Servers
from support.documents import blocks, page

(ON_THE_PAGE,) = (block.text for block in blocks(page("docs/client.md"), "text") if "async def test_" in block.text)
TESTS = """
from uuid import uuid4

import pytest

from daybook_client import Accepted, Daybook, commands


async def found(daybook: Daybook) -> str:
    user, org = str(uuid4()), str(uuid4())
    registered = await daybook.send(commands.RegisterUser(user_id=user))
    assert isinstance(registered, Accepted)
    await registered.visible(timeout=20)
    created = await daybook.send(commands.CreateOrg(org_id=org, actor_user_id=user, name="Acme"))
    assert isinstance(created, Accepted), created
    return created.position


@pytest.mark.asyncio
async def test_a_client_of_a_real_daybook(daybook):
    await found(daybook)


@pytest.mark.asyncio
async def test_the_session_has_one_daybook(daybook, daybook_server):
    async with daybook_server.over_kafka() as over_kafka:
        rename = commands.RenameOrg(org_id=uuid4(), name="x")
        assert await over_kafka.send(rename) == await daybook.send(rename)


@pytest.mark.asyncio
async def test_a_client_over_kafka_reads_this_daybook(daybook_server):
    async with daybook_server.over_kafka() as daybook:
        position = await found(daybook)
        await daybook.wait_for(position, timeout=20)


@pytest.mark.asyncio
async def test_a_fresh_daybook_has_its_own_log_and_database(fresh_daybook, fresh_daybook_server, daybook_server):
    assert fresh_daybook_server.database_url != daybook_server.database_url
    assert (await found(fresh_daybook)).endswith((".0", ".1"))
"""
# Settings of another Daybook, which the plugin's Daybook must not use.
OF_THE_DEVELOPER = {
    "DAYBOOK_JWT_AUDIENCE": "shop",
    "DAYBOOK_READ_URL": "http://127.0.0.1:1",
    "DAYBOOK_SERVICE_KEY": "a-key-of-the-developer-32-chars-l",
    "DAYBOOK_SERVICE_JWT_SECRET": "hush-hush-a-key-of-32-characters",
    "DAYBOOK_TOKEN": "a token of the developer",
    "DAYBOOK_USERS": "external",
}
HANGING = """
import time
from uuid import uuid4

import pytest

from daybook_client import Accepted, commands


@pytest.mark.asyncio
async def test_that_is_killed(daybook_server):
    async with daybook_server.over_kafka() as daybook:
        assert isinstance(await daybook.send(commands.RegisterUser(user_id=uuid4())), Accepted)
    print("started", flush=True)
    time.sleep(600)
"""


def run_pytest(folder: Path, text: str, mode: str, **env: str) -> "subprocess.Popen[str]":
    ini = f"[pytest]\nasyncio_default_fixture_loop_scope = function\nasyncio_mode = {mode}\n"
    (folder / "test_project.py").write_text(text, "utf-8")
    (folder / "pytest.ini").write_text(ini, "utf-8")
    arguments = [sys.executable, "-m", "pytest", "-q", "-s", "-W", "error", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        arguments, cwd=folder, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.timeout(240)
def test_the_tests_of_another_project_run_on_a_real_daybook(stack: Servers, tmp_path: Path) -> None:
    env = {"DAYBOOK_KAFKA_BOOTSTRAP": stack.kafka_bootstrap, "DAYBOOK_DATABASE_URL": stack.database_url}
    with run_pytest(tmp_path, TESTS + ON_THE_PAGE, "auto", **env, **OF_THE_DEVELOPER) as running:
        output, _ = running.communicate(timeout=220)
    assert "5 passed" in output, output


@pytest.mark.timeout(240)
def test_no_process_is_left_when_pytest_is_killed(tmp_path: Path) -> None:
    """The servers are embedded, so the developer's way to log in to Kafka is not used."""
    with run_pytest(tmp_path, HANGING, "strict", **OF_THE_DEVELOPER, DAYBOOK_KAFKA_SECURITY="SASL_SSL") as running:
        assert running.stdout is not None
        lines = list(takewhile(lambda line: "started" not in line, running.stdout))
        below = psutil.Process(running.pid).children(recursive=True)
        (host,) = [each for each in below if "daybook_infra.operations.fixture_host" in each.cmdline()]
        descendants = [host, *host.children(recursive=True)]
        running.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(descendants, timeout=100)
    assert alive == []
    assert len(gone) >= 3, lines
