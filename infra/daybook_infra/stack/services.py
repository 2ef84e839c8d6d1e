"""Daybook's two services as children of `daybook up`: started, awaited, watched, ended. What they do is not known."""

import http.client
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from daybook_infra.stack.interface import Say, StackError
from daybook_infra.stack.places import EVERYBODY_READS, Home, write_file
from daybook_infra.stack.processes import Child, alive, begin_log, end, end_of_log, explain_end, read_pid, spawn

READY_SECONDS = 60
STOP_SECONDS = 20
PROBE_SECONDS = 2
OK = 200
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - told apart, not listened on


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    home: Home
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{f'[{self._address}]' if ':' in self._address else self._address}:{self.port}"

    def process(self) -> psutil.Process | None:
        return alive(read_pid(self._pid_file), sys.executable, self.name)

    def launch(self, env: Mapping[str, str]) -> None:
        argv = [sys.executable, "-m", "daybook_infra", self.name, "run", "--port", str(self.port)]
        begin_log(self.home.log(self.name))
        pid = spawn(Child(argv, env={**os.environ, **env}), self.home.log(self.name))
        write_file(self._pid_file, f"{pid}\n", EVERYBODY_READS)

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while (readiness := self._readiness()) != "ready":
            self.check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"the {self.name} service was not ready within {READY_SECONDS} s: {readiness}; "
                    f"{end_of_log(self.home.log(self.name))}"
                )
            time.sleep(0.1)

    def check(self) -> None:
        """Raises `StackError` with its exit code or signal and the end of its log if it has ended."""
        if self.process() is None:
            title, pid = f"the {self.name} service", read_pid(self._pid_file)
            raise StackError(explain_end(title, pid, self.port, self.home.log(self.name)))

    def stop(self, say: Say) -> None:
        process = self.process()
        if process is not None:
            end(process, f"the {self.name} service", say, seconds=STOP_SECONDS)
        self._pid_file.unlink(missing_ok=True)

    @property
    def _address(self) -> str:
        return WILDCARDS.get(self.host, self.host)

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
