"""Daybook's two services as children of `daybook up`, and the services and servers that a killed `up` has left
running.
"""

import http.client
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from daybook_infra.stack.interface import Part, Say, StackError
from daybook_infra.stack.lock import is_held
from daybook_infra.stack.places import EVERYBODY_READS, Home, write_file
from daybook_infra.stack.processes import (
    Child,
    end_of_log,
    end_process,
    explain_end,
    find_process,
    read_pid,
    spawn,
    start_new_log,
)

READY_SECONDS = 60
STOP_SECONDS = 20
PROBE_SECONDS = 2
OK = 200
LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - replaced, not listened on
SERVICES = ("command", "projector")
UP_RUNS = "`daybook up` is running on this stack: stop it first (Ctrl-C there)"


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    name: Literal["command", "projector"]
    home: Home
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{f'[{self._address}]' if ':' in self._address else self._address}:{self.port}"

    def process(self) -> psutil.Process | None:
        return find_process(read_pid(self._pid_file), sys.executable, self.name)

    def launch(self, env: Mapping[str, str]) -> None:
        argv = [sys.executable, "-m", "daybook_infra", self.name, "run", "--port", str(self.port)]
        start_new_log(self.home.log(self.name))
        pid = spawn(Child(argv, env={**os.environ, **env}), self.home.log(self.name))
        write_file(self._pid_file, f"{pid}\n", EVERYBODY_READS)

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while (readiness := self._readiness()) != "ready":
            self.verify_running()
            if time.monotonic() > deadline:
                raise StackError(
                    f"the {self.name} service was not ready within {READY_SECONDS} s: {readiness}; "
                    f"{end_of_log(self.home.log(self.name))}"
                )
            time.sleep(0.1)

    def verify_running(self) -> None:
        """Raises `StackError` if the service has ended, with its exit code or signal and the end of its log."""
        if self.process() is None:
            title, pid = f"the {self.name} service", read_pid(self._pid_file)
            raise StackError(explain_end(title, pid, self.port, self.home.log(self.name)))

    def stop(self, say: Say) -> None:
        process = self.process()
        if process is not None:
            end_process(process, f"the {self.name} service", say, seconds=STOP_SECONDS)
        self._pid_file.unlink(missing_ok=True)

    @property
    def _address(self) -> str:
        return LOOPBACK_OF_WILDCARD.get(self.host, self.host)

    @property
    def _pid_file(self) -> Path:
        return self.home.pid_file(self.name)

    def _readiness(self) -> str:
        connection = http.client.HTTPConnection(self._address, self.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return "ready" if answer.status == OK else answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return f"no answer ({error})"
        finally:
            connection.close()


def refuse_while_up_runs(home: Home) -> None:
    if is_held(home.lock("up")):
        raise StackError(UP_RUNS)


def end_services(home: Home, say: Say) -> None:
    """Call it only while no other `up` is running: services that still run were then left behind by a killed `up`."""
    for service, process in services_left_behind(home).items():
        say(f"ending a {service} service that was left behind (pid {process.pid})")
        end_process(process, service, say)
    for service in SERVICES:
        home.pid_file(service).unlink(missing_ok=True)


def services_left_behind(home: Home) -> dict[str, psutil.Process]:
    found = {service: find_process(read_pid(home.pid_file(service)), sys.executable, service) for service in SERVICES}
    return {service: process for service, process in found.items() if process is not None}


def note_started(home: Home, parts: frozenset[Part]) -> None:
    """Notes the servers that the running `up` must stop. If it is killed, the next one reads the note."""
    write_file(_note_file(home), " ".join(sorted(parts)), EVERYBODY_READS)


def started_by_killed_up(home: Home) -> frozenset[Part]:
    """The servers that an earlier `up` started and could not stop, because it was killed."""
    file = _note_file(home)
    noted = file.read_text(encoding="utf-8").split() if file.is_file() else []
    return frozenset(part for part in Part if part in noted)


def forget_started(home: Home) -> None:
    """From now on the servers run until `stack down`."""
    _note_file(home).unlink(missing_ok=True)


def _note_file(home: Home) -> Path:
    return home.folder / "run" / "up.started"
