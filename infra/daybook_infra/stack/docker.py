"""The Docker stack: the compose file's Kafka and PostgreSQL, with their data in named volumes."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.stack.interface import ALL_PARTS, Part, Say, Servers, StackError, titles
from daybook_infra.stack.lock import lock_or_wait
from daybook_infra.stack.places import OWNER_ONLY, Home, write_file
from daybook_infra.stack.ports import LOOPBACK, check_free, release, remembered_ports
from daybook_infra.stack.processes import TAIL_LINES, Child, Done, run

# Long enough to download both images over a slow connection.
UP_SECONDS = 900
PORT_NAMES = ("docker_kafka", "docker_postgres")
SUPERUSER = DATABASE = "daybook"


@dataclass(frozen=True, slots=True)
class DockerStack:
    checkout: Path
    home: Home
    say: Say

    def start(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        self.home.make()
        with lock_or_wait(self.home.lock("stack"), self.say):
            missing = parts - self._running_parts()
            self._check_ports(missing)
            if missing:
                self.say(f"starting {titles(missing)} in Docker")
            if parts:  # parts that run already may not be healthy yet
                self._compose("up", "--detach", "--wait", *sorted(parts), seconds=UP_SECONDS)
        return missing

    def servers(self) -> Servers:
        if not self._password_file.is_file():
            return Servers()
        running = self._running_parts()
        ports = remembered_ports(self.home.ports, PORT_NAMES)
        return Servers(
            f"{LOOPBACK}:{ports['docker_kafka']}" if Part.KAFKA in running else "",
            self._url(ports["docker_postgres"]) if Part.POSTGRES in running else "",
        )

    def stop(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        if not self._password_file.is_file():
            return frozenset()
        with lock_or_wait(self.home.lock("stack"), self.say):
            running = parts & self._running_parts()
            if running:
                self._compose("stop", *sorted(running))
        return running

    def explain_end(self, part: Part) -> str:
        logs = self._compose("logs", "--no-color", "--no-log-prefix", "--tail", str(TAIL_LINES), part).output
        return f"{part.label} is no longer running in Docker; the end of its log:\n{logs.rstrip()}"

    def data(self) -> list[str]:
        passwords = [self._password_file] if self._password_file.is_file() else []
        return [*(f"Docker volume {name}" for name in self._volumes()), *map(str, passwords)]

    def delete_data(self) -> None:
        """Deletes the stopped containers first, because Docker deletes no volume that a container uses."""
        if volumes := self._volumes():
            self._compose("rm", "--force")
            self._docker("volume", "rm", *volumes)
        self._password_file.unlink(missing_ok=True)

    @property
    def project(self) -> str:
        """The compose project. Each checkout has its own, because PostgreSQL's volume was created with the password in
        this checkout's home.
        """
        return f"daybook-{hashlib.sha256(os.fsencode(self.home.folder)).hexdigest()[:8]}"

    @property
    def _password_file(self) -> Path:
        return self.home.folder / "docker-postgres-password"

    def _url(self, port: int) -> str:
        return f"postgresql://{SUPERUSER}:{self._password()}@{LOOPBACK}:{port}/{DATABASE}"

    def _password(self) -> str:
        if not self._password_file.is_file():
            write_file(self._password_file, secrets.token_urlsafe(24), OWNER_ONLY)
        return self._password_file.read_text(encoding="utf-8")

    def _check_ports(self, missing: Iterable[Part]) -> None:
        ports = remembered_ports(self.home.ports, PORT_NAMES)
        for part in missing:
            check_free(ports[f"docker_{part}"], part.label, self.home.ports)
        release(*ports.values())

    def _running_parts(self) -> frozenset[Part]:
        """Compose prints one JSON object per line, or one array in older versions."""
        output = self._compose("ps", "--format", "json").output.strip()
        listed = json.loads(output) if output.startswith("[") else [json.loads(line) for line in output.splitlines()]
        running = {container["Service"] for container in listed if container.get("State") == "running"}
        return frozenset(part for part in Part if part in running)

    def _volumes(self) -> list[str]:
        ours = f"label=com.docker.compose.project={self.project}"
        return sorted(self._docker("volume", "ls", "--filter", ours, "--format", "{{.Name}}").output.split())

    def _compose(self, *arguments: str, seconds: float = 120) -> Done:
        return self._docker("compose", *arguments, env=self._environment(), seconds=seconds)

    def _docker(self, *arguments: str, env: Mapping[str, str] | None = None, seconds: float = 120) -> Done:
        docker = shutil.which("docker")
        if docker is None:
            raise StackError(
                "DAYBOOK_STACK=docker, and docker is not installed: install it, "
                "or unset DAYBOOK_STACK to use the embedded stack"
            )
        done = run(Child([docker, *arguments], env={**os.environ, **(env or {})}), seconds=seconds)
        if done.code != 0:
            hint = "; is the Docker daemon running, and the compose plugin installed?"
            command = f"docker {arguments[0]} {arguments[1]}"
            raise StackError(f"{command} failed: {done.last_line()}{hint if arguments[0] == 'compose' else ''}")
        return done

    def _environment(self) -> dict[str, str]:
        """What compose and its file need. The file requires secrets that these two servers do not use."""
        ports = remembered_ports(self.home.ports, PORT_NAMES)
        return {
            "COMPOSE_FILE": str(self.checkout / "docker-compose.yml"),
            "COMPOSE_PROJECT_NAME": self.project,
            "DAYBOOK_KAFKA_PORT": str(ports["docker_kafka"]),
            "DAYBOOK_POSTGRES_PORT": str(ports["docker_postgres"]),
            "DAYBOOK_POSTGRES_PASSWORD": self._password(),
            **{
                name: os.environ.get(name, "unused by kafka and postgres")
                for name in ("DAYBOOK_JWT_SECRET", "DAYBOOK_COMMAND_PASSWORD", "DAYBOOK_PROJECTOR_PASSWORD")
            },
        }
