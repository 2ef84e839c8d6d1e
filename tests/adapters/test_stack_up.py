"""`daybook up` in a copy of the checkout: it starts everything, a command is accepted, and no process is left when it
ends.
"""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from daybook_infra.runtime.postgres.migrations import migrate
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.processes import has_ended, read_pid
from support.clone import Clone, cloned, command
from support.sql import ask
from support.sql import run as run_sql

KAFKA, PROJECTOR = 0, 3  # indexes in `children()`
BEFORE_ROLES, CLOSING = 12, 20  # numbers of migrations
LOGINS = """
SELECT array_agg(DISTINCT usename::text ORDER BY usename::text) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def run(clone: Clone, *arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a subcommand. If `typed` is given, its standard input is a terminal into which this text is typed."""
    keyboard, terminal = os.openpty()
    stdin = subprocess.DEVNULL if typed is None else terminal
    try:
        os.write(keyboard, (typed or "").encode())
        program, env = command(*arguments), clone.env
        return subprocess.run(program, env=env, stdin=stdin, capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.close(keyboard)
        os.close(terminal)


def children(clone: Clone) -> list[psutil.Process]:
    data = clone.home.data
    files = [data / "kafka.pid", data / "postgres" / "postmaster.pid"]
    files += [clone.home.pid_file("command"), clone.home.pid_file("projector")]
    pids = [pid for pid in map(read_pid, files) if pid is not None]
    assert len(pids) == len(files)
    return [psutil.Process(pid) for pid in pids]


@pytest.fixture
def clone() -> Iterator[Clone]:
    with cloned() as clone:
        yield clone
        run(clone, "stack", "down")


def test_up_starts_everything_keeps_its_data_and_leaves_no_process_behind(clone: Clone) -> None:
    first = clone.up()
    clone.await_ready(first)
    assert _paste_curl(clone)["result"] == "success"
    assert asyncio.run(ask(_database_url(clone), LOGINS)) == ["daybook_command_login", "daybook_projector_login"]
    assert "is already running here" in run(clone, "up").stderr
    assert "`daybook up` is running on this stack" in run(clone, "stack", "down").stderr
    assert "`daybook up` is running on this stack" in run(clone, "stack", "reset", "--yes").stderr
    started = children(clone)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 0
    assert all(map(has_ended, started))

    second = clone.up()
    clone.await_ready(second)
    assert _paste_curl(clone)["result"] == "success"
    status = json.loads(run(clone, "status", "--json").stdout)
    assert sum(partition["log_end"] for partition in status["partitions"]) == 3  # a user and two orgs
    started = children(clone)
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0
    assert all(map(has_ended, started))


def test_data_of_a_version_without_roles_still_works(clone: Clone, migrations_folder: Path) -> None:
    run(clone, "stack", "up")
    for file in migrations_folder.iterdir():
        if BEFORE_ROLES < int(file.name[:4]) != CLOSING:
            file.unlink()
    settings = Settings(database_url=SecretStr(_database_url(clone)))
    asyncio.run(migrate(settings, migrations_folder))
    asyncio.run(run_sql(_database_url(clone), "INSERT INTO auth.users VALUES (gen_random_uuid(), now())"))
    up = clone.up()
    clone.await_ready(up)
    assert "applied migration 0021_grants.sql" in clone.output
    assert asyncio.run(ask(_database_url(clone), LOGINS)) == ["daybook_command_login", "daybook_projector_login"]
    assert asyncio.run(ask(_database_url(clone), "SELECT count(*) FROM auth.users")) == 2
    assert _paste_curl(clone)["result"] == "success"
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0


def test_processes_of_a_killed_up_are_ended_by_the_next_up(clone: Clone) -> None:
    killed = clone.up()
    clone.await_ready(killed)
    orphans = children(clone)
    killed.kill()
    killed.wait(10)
    assert not any(map(has_ended, orphans))
    assert "a command service is still running" in run(clone, "stack", "reset", "--yes").stderr

    following = clone.up()
    clone.await_ready(following)
    assert "ending a command service that was left behind" in clone.output
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 0
    assert all(map(has_ended, orphans))


@pytest.mark.parametrize(("killed", "title"), [(KAFKA, "Kafka"), (PROJECTOR, "the projector service")])
def test_a_child_that_ends_unexpectedly_ends_everything_and_is_explained(clone: Clone, killed: int, title: str) -> None:
    up = clone.up()
    clone.await_ready(up)
    started = children(clone)
    started[killed].kill()
    assert up.wait(60) == 1
    cause = rf"{title} \(pid {started[killed].pid}, port \d+\) was ended by SIGKILL; the end of its log, (\S+):"
    found = re.search(rf"^Error: {cause}\n([\s\S]*?)\n\nending what was", clone.output, re.MULTILINE)
    assert found is not None, clone.output
    assert found[2].splitlines() == [line.rstrip() for line in Path(found[1]).read_text().splitlines() if line][-20:]
    assert all(map(has_ended, started))


def test_stack_env_prints_the_running_servers_for_a_shell(clone: Clone) -> None:
    assert "`daybook stack up`" in run(clone, "stack", "env").stderr
    assert run(clone, "stack", "up").stdout == "Kafka: started\nPostgreSQL: started\n"
    assert run(clone, "stack", "up").stdout == "Kafka: was running\nPostgreSQL: was running\n"
    exported = dict(re.findall(r"^export (\w+)=(.*)$", run(clone, "stack", "env").stdout, re.MULTILINE))
    assert sorted(exported) == ["DAYBOOK_DATABASE_URL", "DAYBOOK_JWT_SECRET", "DAYBOOK_KAFKA_BOOTSTRAP"]
    assert run(clone, "stack", "down").stdout == "Kafka: stopped\nPostgreSQL: stopped\n"


def test_reset_deletes_the_data_of_a_stopped_stack_after_confirmation(clone: Clone) -> None:
    reset = ("stack", "reset")
    assert run(clone, *reset).stdout == "nothing to delete: the embedded stack has no data\n"
    run(clone, "stack", "up")
    running = run(clone, *reset, "--yes")
    assert running.returncode == 1
    assert running.stderr == "Error: the stack is running (Kafka and PostgreSQL): stop it with `daybook stack down`\n"

    run(clone, "stack", "down")
    log = clone.home.data / "kafka" / "meta.properties"
    first_log = log.read_text()
    without_terminal = run(clone, *reset)
    assert without_terminal.returncode == 1
    assert without_terminal.stderr == "Error: there is no terminal to ask on: add --yes to delete this data\n"
    declined = run(clone, *reset, typed="\n")
    assert (declined.returncode, declined.stdout.splitlines()[-1]) == (1, "Delete it? [y/N]: nothing was deleted")
    paths = [path.strip() for path in declined.stdout.splitlines()[1:-1]]
    assert {str(clone.home.data), str(clone.home.data.resolve())} == set(paths)
    assert log.read_text() == first_log

    assert run(clone, *reset, typed="y\n").returncode == 0
    assert not any(map(os.path.lexists, paths))
    assert (clone.home.folder / "kafka").is_dir()  # the downloaded jars
    run(clone, "stack", "up")
    assert log.read_text() != first_log


def _paste_curl(clone: Clone) -> dict[str, object]:
    line = next(line for line in clone.output.splitlines() if line.startswith("curl "))
    done = subprocess.run(shlex.split(line), capture_output=True, timeout=30, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def _database_url(clone: Clone) -> str:
    exported = dict(re.findall(r"^export (\w+)=(.*)$", run(clone, "stack", "env").stdout, re.MULTILINE))
    (url,) = shlex.split(exported["DAYBOOK_DATABASE_URL"])
    return url
