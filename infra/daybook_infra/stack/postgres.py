"""One PostgreSQL server on loopback, with a password."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from daybook_infra.stack.interface import Say, StackError
from daybook_infra.stack.places import EVERYBODY_READS, OWNER_ONLY, write_file
from daybook_infra.stack.ports import LOOPBACK, release
from daybook_infra.stack.processes import (
    Account,
    Child,
    Done,
    find_process,
    last_error_line,
    read_pid,
    run,
    start_new_log,
)
from daybook_infra.stack.programs import POSTGRES, postgres, readable_root

SUPERUSER = DATABASE = "daybook"
START_SECONDS = STOP_SECONDS = 60
SETTINGS_FILE = "daybook.conf"
# No Unix socket: its path could not exceed 107 bytes, and its file mode would decide who may connect.
SETTINGS_TEMPLATE = """\
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
timezone = 'UTC'
log_timezone = 'UTC'
max_connections = 200
max_wal_size = '2GB'
"""
# For tests: commits are three times faster, but the data does not survive a crash of the machine.
NOT_DURABLE = """\
fsync = off
full_page_writes = off
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    data: Path
    log: Path
    account: Account | None
    port: int
    durable: bool
    say: Say

    @property
    def url(self) -> str:
        return f"postgresql://{SUPERUSER}:{self._password()}@{LOOPBACK}:{self.port}/{DATABASE}"

    def process(self) -> psutil.Process | None:
        return find_process(read_pid(self.pid_file), str(self._cluster))

    def prepare(self) -> None:
        """Creates the cluster under another name and then renames it, so that an interrupted run leaves no broken
        folder.
        """
        if (self._cluster / "PG_VERSION").is_file():
            return
        if self._cluster.exists():
            raise StackError(
                f"{self._cluster} is not a complete PostgreSQL folder (PG_VERSION is missing): "
                "move it away, or delete it to begin with an empty database"
            )
        self.say("making PostgreSQL's data folder")
        unfinished = self.data / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_file(self._password_file, secrets.token_urlsafe(24), OWNER_ONLY, self.account)
        self._initdb(unfinished)
        self._create_database(unfinished)
        unfinished.rename(self._cluster)

    def launch(self) -> None:
        """Returns when the server accepts connections: `pg_ctl` waits for that."""
        self._clear_stale_pid()
        settings = SETTINGS_TEMPLATE.format(host=LOOPBACK, port=self.port) + ("" if self.durable else NOT_DURABLE)
        write_file(self._cluster / SETTINGS_FILE, settings, EVERYBODY_READS)
        start_new_log(self.log)
        release(self.port)
        done = self._pg_ctl("start", "-t", str(START_SECONDS))
        if done.code != 0:
            raise StackError(f"PostgreSQL did not start ({last_error_line(self.log)}); its log: {self.log}")

    def stop(self) -> bool:
        if self.process() is None:
            return False
        done = self._pg_ctl("stop", "-m", "fast", "-t", str(STOP_SECONDS))
        if done.code != 0:
            self.say(f"PostgreSQL has not stopped within {STOP_SECONDS} s: stopping it without a checkpoint")
            self._pg_ctl("stop", "-m", "immediate", "-t", str(STOP_SECONDS))
        return True

    @property
    def _cluster(self) -> Path:
        return self.data / "postgres"

    @property
    def pid_file(self) -> Path:
        return self._cluster / "postmaster.pid"

    @property
    def _password_file(self) -> Path:
        return self.data / "postgres-password"

    def _password(self) -> str:
        try:
            return self._password_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise StackError(
                f"{self._password_file} is missing, and nobody can log in without it: "
                f"restore it, or delete {self._cluster} to begin with an empty database"
            ) from None

    def _initdb(self, folder: Path) -> None:
        access = ["--auth=scram-sha-256", f"--username={SUPERUSER}", f"--pwfile={self._password_file}"]
        options = ["--encoding=UTF8", "--locale=C", "--no-instructions"]
        done = run(self._program("initdb", *access, *options, "-D", str(folder)))
        if done.code != 0:
            raise StackError(f"initdb failed: {done.last_line()}")
        settings = folder / "postgresql.conf"
        text = settings.read_text(encoding="utf-8") + f"\ninclude_if_exists = '{SETTINGS_FILE}'\n"
        write_file(settings, text, OWNER_ONLY, self.account)

    def _create_database(self, folder: Path) -> None:
        """Creates the database in single-user mode, before the server runs for the first time."""
        single_user = self._program("postgres", "--single", "-D", str(folder), "postgres")
        done = run(single_user, stdin=f"CREATE DATABASE {DATABASE}\n")
        if done.code != 0 or "ERROR" in done.output:
            raise StackError(f"the database {DATABASE} could not be made: {done.last_line()}")

    def _clear_stale_pid(self) -> None:
        """PostgreSQL refuses to start while any process has the pid in this file."""
        if self.pid_file.exists() and self.process() is None:
            pid = read_pid(self.pid_file)
            self.say(f"{self.pid_file} is stale (no server of this folder has pid {pid}): removing it")
            self.pid_file.unlink(missing_ok=True)

    def _pg_ctl(self, action: str, *options: str) -> Done:
        child = self._program("pg_ctl", action, "-w", "-D", str(self._cluster), *options)
        return run(child, seconds=2 * START_SECONDS, log=self.log)

    def _program(self, name: str, *arguments: str) -> Child:
        root = readable_root(postgres(), self.account, self.say)
        return Child([str(root / POSTGRES / "bin" / name), *arguments], self.account)
