"""Runs the services as users do: as subprocesses of the `daybook` command line, on free ports, with logs in files.
Stops every process that it has started.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from daybook_infra.runtime.postgres.logins import service_url
from daybook_infra.runtime.settings import Settings
from support.stack import FreshSettings

DAYBOOK = Path(sys.executable).with_name("daybook")
PROGRAM = (str(DAYBOOK),)
TAIL_LINES = 40
Role = Literal["command", "projector"]


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child process: these settings replace all inherited DAYBOOK_* variables."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if plain is not None:
            env[f"DAYBOOK_{name.upper()}"] = str(plain)
    return env


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def sum_of(metrics: str, name: str, **labels: str) -> float:
    """The sum of the samples with this name and at least these labels."""
    families = text_string_to_metric_families(metrics)
    samples = (one for family in families for one in family.samples if one.name == name)
    found: list[float] = [one.value for one in samples if labels.items() <= one.labels.items()]
    return sum(found)


@dataclass(slots=True)
class Service:
    """One running instance. `stop` ends it as an operator would, `kill` as a crash of the machine would."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def wait_ready(self, seconds: float = 30) -> None:
        """Blocks until /readyz answers 200. After `seconds`, raises TimeoutError with the last answer."""
        deadline, word = time.monotonic() + seconds, "no answer yet"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"exited with {self.process.returncode} before it was ready\n{self.tail()}")
            word = self._readiness()
            if word == "ready":
                return
            time.sleep(0.05)
        raise TimeoutError(f"not ready within {seconds} s: {word}\n{self.tail()}")

    def _readiness(self) -> str:
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=2)
        except httpx.TransportError as error:
            return repr(error)
        return "ready" if answer.is_success else answer.text

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics", timeout=5).raise_for_status().text

    def metric(self, name: str, **labels: str) -> float:
        return sum_of(self.metrics(), name, **labels)

    def stop(self, seconds: float = 15) -> int:
        """Sends SIGTERM, and SIGKILL after `seconds`. Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"--- {self.log} ({len(lines)} lines)", *lines[-TAIL_LINES:]])


def launch(
    settings: Settings, role: Role, log: Path, port: int, program: Sequence[str] = PROGRAM, **env: str
) -> Service:
    """Starts an instance without waiting for it, with the login of its service if the settings have a password for it.
    Appends its output to `log`. `env` adds variables to its environment.
    """
    own = {"database_url": service_url(settings, role), "command_password": None, "projector_password": None}
    arguments = [*program, role, "run", "--port", str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            arguments,
            env=environment(settings.model_copy(update=own)) | env,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Service(process, log, f"http://127.0.0.1:{port}")


@dataclass(slots=True)
class System:
    """Instances of both services over one log and one database."""

    settings: Settings
    folder: Path
    commands: list[Service] = field(default_factory=list)
    projectors: list[Service] = field(default_factory=list)

    def start(self, role: Role, program: Sequence[str] = PROGRAM, **changes: object) -> Service:
        """Starts an instance without waiting for it. `changes` are settings for this instance only. If they have a
        `database_url`, the instance uses the login in it.
        """
        if "database_url" in changes:
            changes |= {"command_password": None, "projector_password": None}
        instances = self.commands if role == "command" else self.projectors
        log = self.folder / f"{role}-{len(instances)}.log"
        service = launch(self.settings.model_copy(update=changes), role, log, free_port(), program)
        instances.append(service)
        return service

    @property
    def services(self) -> list[Service]:
        return [*self.commands, *self.projectors]

    def wait_ready(self, seconds: float = 40) -> None:
        for service in self.services:
            service.wait_ready(seconds)

    def stop(self) -> None:
        for service in self.services:
            if service.process.poll() is None:
                service.process.terminate()
        for service in self.services:
            service.stop()


@dataclass(slots=True)
class Systems:
    """Starts systems, each with its own log and database, and stops them all."""

    fresh_settings: FreshSettings
    folder: Path
    made: list[System] = field(default_factory=list)

    def start(self, *, commands: int = 1, projectors: int = 1, **changes: object) -> System:
        """Starts a system and waits until it is ready. `changes` are settings for all its instances."""
        folder = self.folder / f"system-{len(self.made)}"
        folder.mkdir()
        system = System(self.fresh_settings(**changes), folder)
        self.made.append(system)
        for _ in range(commands):
            system.start("command")
        for _ in range(projectors):
            system.start("projector")
        system.wait_ready()
        return system

    def stop(self) -> None:
        for system in self.made:
            system.stop()
