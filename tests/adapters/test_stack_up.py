"""`daybook up` in a copy of the checkout: from nothing to an accepted command, without any process left at its end."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from daybook_infra.stack.places import Home, checkout
from daybook_infra.stack.processes import has_ended, read_pid
from support.stack import remove

READY = "Ctrl-C ends it all"
READY_SECONDS = 60
KAFKA, PROJECTOR = 0, 3  # indexes in `Clone.children()`

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@dataclass(frozen=True, slots=True)
class Clone:
    """A copy of the infra folder. The services are the installed ones, and the Kafka jars are shared."""

    folder: Path

    @property
    def home(self) -> Home:
        return Home(self.folder / ".daybook")

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def up(self) -> psutil.Popen:
        with self.output.open("wb") as output:
            return psutil.Popen(
                self._command("up"), env=self._env(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def run(self, *arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a subcommand, at a terminal if `typed` is given."""
        keyboard, stdin = os.openpty()
        try:
            os.write(keyboard, (typed or "").encode())
            return subprocess.run(
                self._command(*arguments),
                env=self._env(),
                stdin=subprocess.DEVNULL if typed is None else stdin,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            os.close(keyboard)
            os.close(stdin)

    def await_ready(self, up: psutil.Popen) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while READY not in self.output.read_text():
            assert up.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            wait_briefly(up)

    def children(self) -> list[psutil.Process]:
        data = self.home.data
        files = [data / "kafka.pid", data / "postgres" / "postmaster.pid"]
        files += [self.home.pid_file("command"), self.home.pid_file("projector")]
        pids = [pid for pid in map(read_pid, files) if pid is not None]
        assert len(pids) == len(files)
        return [psutil.Process(pid) for pid in pids]

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "daybook_infra", *arguments]

    def _env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder / "infra")}


def wait_briefly(up: psutil.Popen) -> None:
    """Waits 0.1 s, less if the process ends."""
    try:
        up.wait(0.1)
    except psutil.TimeoutExpired:
        return


@pytest.fixture
def clone() -> Iterator[Clone]:
    made = Clone(Path(tempfile.mkdtemp(prefix="daybook-up-")))
    shutil.copytree(checkout() / "infra", made.folder / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    made.home.folder.mkdir()
    shared = Home.of_checkout().folder / "kafka"
    if shared.is_dir():
        (made.home.folder / "kafka").symlink_to(shared)
    yield made
    made.run("stack", "down")
    remove(made.home)
    shutil.rmtree(made.folder)


def test_up_starts_everything_keeps_its_data_and_leaves_no_process_behind(clone: Clone) -> None:
    first = clone.up()
    clone.await_ready(first)
    assert _paste_curl(clone)["result"] == "success"
    assert "runs here already" in clone.run("up").stderr
    assert "`daybook up` runs on this stack" in clone.run("stack", "down").stderr
    assert "`daybook up` runs on this stack" in clone.run("stack", "reset", "--yes").stderr
    children = clone.children()
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 0
    assert all(map(has_ended, children))

    second = clone.up()
    clone.await_ready(second)
    assert _paste_curl(clone)["result"] == "success"
    status = json.loads(clone.run("status", "--json").stdout)
    assert sum(partition["log_end"] for partition in status["partitions"]) == 3  # a user and two orgs
    children = clone.children()
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0
    assert all(map(has_ended, children))


def test_processes_of_a_killed_up_are_ended_by_the_next_up(clone: Clone) -> None:
    killed = clone.up()
    clone.await_ready(killed)
    orphans = clone.children()
    killed.kill()
    killed.wait(10)
    assert not any(map(has_ended, orphans))
    assert "a command service still runs" in clone.run("stack", "reset", "--yes").stderr

    following = clone.up()
    clone.await_ready(following)
    assert "ending a command service that was left behind" in clone.output.read_text()
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 0
    assert all(map(has_ended, orphans))


@pytest.mark.parametrize(("killed", "title"), [(KAFKA, "Kafka"), (PROJECTOR, "the projector service")])
def test_a_child_that_ends_unexpectedly_ends_everything_and_is_explained(clone: Clone, killed: int, title: str) -> None:
    up = clone.up()
    clone.await_ready(up)
    children = clone.children()
    children[killed].kill()
    assert up.wait(60) == 1
    cause = rf"{title} \(pid {children[killed].pid}, port \d+\) was ended by SIGKILL; the end of its log, (\S+):"
    found = re.search(rf"^Error: {cause}\n([\s\S]*?)\n\nending what was", clone.output.read_text(), re.MULTILINE)
    assert found is not None, clone.output.read_text()
    assert found[2].splitlines() == [line.rstrip() for line in Path(found[1]).read_text().splitlines() if line][-20:]
    assert all(map(has_ended, children))


def test_stack_env_prints_the_running_servers_for_a_shell(clone: Clone) -> None:
    assert "`daybook stack up`" in clone.run("stack", "env").stderr
    assert clone.run("stack", "up").stdout == "Kafka: started\nPostgreSQL: started\n"
    assert clone.run("stack", "up").stdout == "Kafka: was running\nPostgreSQL: was running\n"
    exported = dict(re.findall(r"^export (\w+)=(.*)$", clone.run("stack", "env").stdout, re.MULTILINE))
    assert sorted(exported) == ["DAYBOOK_DATABASE_URL", "DAYBOOK_JWT_SECRET", "DAYBOOK_KAFKA_BOOTSTRAP"]
    assert clone.run("stack", "down").stdout == "Kafka: stopped\nPostgreSQL: stopped\n"


def test_reset_deletes_the_data_of_a_stopped_stack_after_confirmation(clone: Clone) -> None:
    reset = ("stack", "reset")
    assert clone.run(*reset).stdout == "nothing to delete: the embedded stack has no data\n"
    clone.run("stack", "up")
    running = clone.run(*reset, "--yes")
    assert running.returncode == 1
    assert running.stderr == "Error: the stack runs (Kafka and PostgreSQL): stop it with `daybook stack down`\n"

    clone.run("stack", "down")
    log = clone.home.data / "kafka" / "meta.properties"
    first_log = log.read_text()
    without_terminal = clone.run(*reset)
    assert without_terminal.returncode == 1
    assert without_terminal.stderr == "Error: there is no terminal to ask on: add --yes to delete this data\n"
    declined = clone.run(*reset, typed="\n")
    assert (declined.returncode, declined.stdout.splitlines()[-1]) == (1, "Delete it? [y/N]: nothing was deleted")
    paths = [path.strip() for path in declined.stdout.splitlines()[1:-1]]
    assert {str(clone.home.data), str(clone.home.data.resolve())} == set(paths)
    assert log.read_text() == first_log

    assert clone.run(*reset, typed="y\n").returncode == 0
    assert not any(map(os.path.lexists, paths))
    assert (clone.home.folder / "kafka").is_dir()  # the downloaded jars
    clone.run("stack", "up")
    assert log.read_text() != first_log


def _paste_curl(clone: Clone) -> dict[str, object]:
    line = next(line for line in clone.output.read_text().splitlines() if line.startswith("curl "))
    done = subprocess.run(shlex.split(line), capture_output=True, timeout=30, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
